// Package pipinstall brings programs that tests need from the Python package index into a cache folder of their own.
package pipinstall

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Dir returns the folder that holds a requirement (NAME==VERSION), which pip installs if it is not there yet, and what it needs. Tests of
// several packages may come here at once: one installs, the others wait. The folder lies in $MESHC_TEST_CACHE, or else in meshc-tests of
// the user's cache folder, and is complete or absent.
func Dir(requirement string) (string, error) {
	base := os.Getenv("MESHC_TEST_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("nowhere to keep %s: %w; set MESHC_TEST_CACHE to a folder", requirement, err)
		}
		base = filepath.Join(cache, "meshc-tests")
	}
	dir := filepath.Join(base, strings.ReplaceAll(requirement, "==", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, install(requirement, dir)
}

// install puts the packages beside dir first and renames them.
func install(requirement, dir string) error {
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".fresh-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", fresh, requirement)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(pip.Args, " "), err, out)
	}
	return os.Rename(fresh, dir)
}
