package compile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

var update = flag.Bool("update", false, "write the goldens of this package anew")

func TestMain(m *testing.M) {
	flag.Parse()
	if run := flag.Lookup("test.run").Value.String(); *update && run != "" {
		fmt.Fprintln(os.Stderr, "-update writes all goldens and does not go with -run")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// golden compares text with a file under testdata, or writes that file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

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
