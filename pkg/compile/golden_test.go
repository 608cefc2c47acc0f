package compile_test

import (
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

func TestMain(m *testing.M) { golden.Main(m) }

// load reads a world under testdata, which must be without fault.
func load(t testing.TB, path string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{}, filepath.Join("testdata", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("%s: %s", f.Rule, f.Message)
	}
	return mesh
}

// proxyOf finds a proxy by NAME.NAMESPACE.
func proxyOf(t testing.TB, mesh *model.Mesh, id string) *model.Proxy {
	t.Helper()
	for _, p := range mesh.Proxies() {
		if p.ID() == id {
			return p
		}
	}
	t.Fatalf("no proxy %s", id)
	return nil
}

// compiled compiles one proxy of a world for Istio's build.
func compiled(t testing.TB, mesh *model.Mesh, id string) *compile.Configuration {
	t.Helper()
	return compile.Compile(mesh, proxyOf(t, mesh, id), compile.Options{Target: compile.IstioProxy})
}
