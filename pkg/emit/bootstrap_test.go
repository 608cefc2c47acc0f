package emit_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
)

func TestBootstrapIgnoresOrder(t *testing.T) {
	w := world{target: compile.Envoy, weights: []uint32{90, 10}, mtls: true}
	want, err := emit.Bootstrap(w.configuration(t, "productpage-v1"))
	if err != nil {
		t.Fatal(err)
	}
	shuffled := w.configuration(t, "productpage-v1")
	slices.Reverse(shuffled.Clusters)
	slices.Reverse(shuffled.Endpoints)
	got, err := emit.Bootstrap(shuffled)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}
