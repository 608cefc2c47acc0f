package resource_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model/resource"
)

func TestSteps(t *testing.T) {
	tests := []struct {
		path string
		want []resource.Step
	}{
		{"", nil},
		{"spec.http[0].route", []resource.Step{{Key: "spec"}, {Key: "http"}, {Index: 0, IsIndex: true}, {Key: "route"}}},
		{`metadata.labels["app.kubernetes.io/name"]`, []resource.Step{{Key: "metadata"}, {Key: "labels"}, {Key: "app.kubernetes.io/name"}}},
		{"[2]", []resource.Step{{Index: 2, IsIndex: true}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, resource.Steps(test.path)); diff != "" {
			t.Errorf("%s: %s", test.path, diff)
		}
	}
}

// FuzzSteps holds that any key survives being written into a path and read back, and that no path makes Steps panic.
func FuzzSteps(f *testing.F) {
	f.Add("spec", "app.kubernetes.io/name", 3)
	f.Add("a[b", `"`, 0)
	f.Add("", "]", 1)
	f.Fuzz(func(t *testing.T, first, second string, index int) {
		resource.Steps(first)
		index = max(index, 0)
		path := resource.Key(resource.Index(resource.Key("", first), index), second)
		want := []resource.Step{{Key: first}, {Index: index, IsIndex: true}, {Key: second}}
		if diff := cmp.Diff(want, resource.Steps(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	})
}
