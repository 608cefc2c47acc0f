package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/internal/golden"
)

// TestExamplesMatchTheirGoldens keeps the goldens of every example, as a user would: with golden verify, and golden update under -update.
func TestExamplesMatchTheirGoldens(t *testing.T) {
	t.Chdir("../..")
	examples, err := filepath.Glob("examples/*/README.md")
	if err != nil || len(examples) < 4 {
		t.Fatalf("%d examples, %v; want at least 4", len(examples), err)
	}
	for _, readme := range examples {
		dir := filepath.Dir(readme)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			verb := "verify"
			if golden.Update() {
				verb = "update"
			}
			var out bytes.Buffer
			status := Main(t.Context(), []string{"golden", verb, dir, "--goldens", filepath.Join(dir, "goldens")}, Streams{Out: &out, Err: &out})
			if status != exitFine {
				t.Errorf("exit status %d\n%s", status, &out)
			}
			if names, _ := filepath.Glob(filepath.Join(dir, "goldens", "*.json")); len(names) == 0 {
				t.Error("there are no goldens")
			}
		})
	}
}

// TestExamplesAreClean: an example that needs an excuse is no example.
func TestExamplesAreClean(t *testing.T) {
	t.Chdir("../..")
	dirs, err := os.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		var out bytes.Buffer
		if status := Main(t.Context(), []string{"lint", "--fail-on", "info", filepath.Join("examples", dir.Name())}, Streams{Out: &out, Err: &out}); status != exitFine {
			t.Errorf("%s: exit status %d\n%s", dir.Name(), status, &out)
		}
	}
}
