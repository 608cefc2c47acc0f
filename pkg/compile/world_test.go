package compile_test

import (
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/pkg/model"
)

// loadText loads a world of one file.
func loadText(t *testing.T, text string) *model.Mesh {
	t.Helper()
	files := fstest.MapFS{"world.yaml": &fstest.MapFile{Data: []byte(text)}}
	mesh, err := model.Load(t.Context(), model.Options{FS: files}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("the world has a flaw: %s: %s", f.Rule, f.Message)
	}
	return mesh
}
