package lint

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/model"
)

// TestWhen: a rule that is left out since no resource has a field that it is about would have been silent. Tried on each rule's bad example
// without those fields.
func TestWhen(t *testing.T) {
	all, err := Rules(Config{})
	if err != nil {
		t.Fatal(err)
	}
	guarded := slices.DeleteFunc(all, func(r Rule) bool { return len(r.When) == 0 })
	if len(guarded) == 0 {
		t.Fatal("no rule says when it applies")
	}
	for _, rule := range guarded {
		t.Run(rule.Name, func(t *testing.T) {
			if !concerns(rule, loadText(t, rule.Bad)) {
				t.Errorf("the bad example has none of %s", rule.When)
			}
			text := without(t, rule.Bad, rule.When)
			mesh := loadText(t, text)
			if concerns(rule, mesh) {
				t.Errorf("one of %s stands in\n%s", rule.When, text)
			}
			rule.When = nil
			found, _, err := semanticFindings(t.Context(), mesh, selectRules(mesh, []Rule{rule}, levels{}), External{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				t.Errorf("left out, but would say %q of\n%s", f.Message, text)
			}
		})
	}
}

func loadText(t *testing.T, text string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{FS: fstest.MapFS{"mesh.yaml": {Data: []byte(text)}}}, "mesh.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// without takes fields out of every document.
func without(t *testing.T, text string, paths []string) string {
	t.Helper()
	var out bytes.Buffer
	to := yaml.NewEncoder(&out)
	from := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		if err := from.Decode(&doc); errors.Is(err, io.EOF) {
			return out.String()
		} else if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			remove(&doc, strings.Split(path, "."))
		}
		if err := to.Encode(&doc); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(n *yaml.Node, path []string) {
	if n.Kind != yaml.MappingNode {
		for _, item := range n.Content {
			remove(item, path)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		if len(path) == 1 {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
		remove(n.Content[i+1], path[1:])
	}
}
