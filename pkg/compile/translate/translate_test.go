package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"sigs.k8s.io/yaml"
)

// read fills a message from YAML: Istio's field names for Istio's messages, Envoy's JSON names for Envoy's.
func read[T proto.Message](t *testing.T, into T, text string) T {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := protojson.Unmarshal(asJSON, into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return into
}

// same fails the test where two messages differ.
func same[T proto.Message](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
