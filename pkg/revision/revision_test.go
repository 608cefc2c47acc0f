package revision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// repository makes one with two commits and returns its folder.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	repo, err := git.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	work, err := repo.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	commit := func(message string, files map[string]string) {
		for name, text := range files {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := work.Add(name); err != nil {
				t.Fatal(err)
			}
		}
		author := &object.Signature{Name: "a", Email: "a@example.com", When: time.Unix(0, 0)}
		if _, err := work.Commit(message, &git.CommitOptions{Author: author}); err != nil {
			t.Fatal(err)
		}
	}
	commit("one", map[string]string{"deploy/a.yaml": "one", "deploy/sub/b.yaml": "b"})
	commit("two", map[string]string{"deploy/a.yaml": "two", "later/c.yaml": "c"})
	return dir
}

func TestOpenReadsTheFilesOfARevision(t *testing.T) {
	dir := repository(t)
	tree, err := Open(dir, "HEAD~1")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "deploy/a.yaml", "deploy/sub/b.yaml"); err != nil {
		t.Error(err)
	}
	text, err := fs.ReadFile(tree, "deploy/a.yaml")
	if err != nil || string(text) != "one" {
		t.Errorf("deploy/a.yaml at HEAD~1 = %q, %v, want %q", text, err, "one")
	}
	if _, err := fs.Stat(tree, "later/c.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of a later commit: %v, want it not to exist", err)
	}
}

func TestOpenIsRootedAtTheFolder(t *testing.T) {
	dir := repository(t)
	for rev, want := range map[string]int{"HEAD": 1, "HEAD~1": 0} {
		tree, err := Open(filepath.Join(dir, "later"), rev)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := fs.ReadDir(tree, ".")
		if err != nil || len(entries) != want {
			t.Errorf("later/ at %s holds %d files, %v, want %d", rev, len(entries), err, want)
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	for name, dir := range map[string]string{"no such revision": repository(t), "no repository": t.TempDir()} {
		if _, err := Open(dir, "nowhere"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}
