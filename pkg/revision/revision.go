// Package revision reads the files of a Git revision without checking it out, so that a mesh can be loaded as it was.
package revision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ErrNotFound says that there is no repository here, or no such revision in it.
var ErrNotFound = errors.New("no such revision")

// Open returns the tree of a revision (a branch, tag, commit or anything that git rev-parse understands) of the repository
// around dir, rooted where dir lies in the repository: the names in it are those that dir has on disk.
func Open(dir, rev string) (fs.FS, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no directory, and there is no Git repository here (%v)", ErrNotFound, rev, err)
	}
	hash, err := repo.ResolveRevision(plumbing.Revision(rev))
	if err != nil {
		return nil, fmt.Errorf("%w: %q is neither a directory nor a Git revision (%v); a shallow clone lacks its history: fetch it first", ErrNotFound, rev, err)
	}
	commit, err := repo.CommitObject(*hash)
	if err != nil {
		return nil, fmt.Errorf("revision %s: %w", rev, err)
	}
	tree, err := commit.Tree()
	if err != nil {
		return nil, fmt.Errorf("revision %s: %w", rev, err)
	}
	inside, err := within(repo, dir)
	if err != nil {
		return nil, err
	}
	if inside != "." {
		tree, err = tree.Tree(inside)
		if errors.Is(err, object.ErrDirectoryNotFound) {
			return emptyFS{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("revision %s: %w", rev, err)
		}
	}
	return &treeFS{root: tree}, nil
}

// within tells where dir lies in the repository's working tree, with slashes.
func within(repo *git.Repository, dir string) (string, error) {
	work, err := repo.Worktree()
	if errors.Is(err, git.ErrIsBareRepository) {
		return ".", nil
	}
	if err != nil {
		return "", err
	}
	top, err := filepath.EvalSymlinks(work.Filesystem.Root())
	if err != nil {
		return "", err
	}
	here, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if here, err = filepath.EvalSymlinks(here); err != nil {
		return "", err
	}
	inside, err := filepath.Rel(top, here)
	return filepath.ToSlash(inside), err
}

// emptyFS is a directory that the revision does not have yet.
type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	if name == "." {
		return &dir{info: info{name: ".", mode: fs.ModeDir | 0o755}}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// treeFS is a Git tree as a file system. Links are listed and never followed; submodules are empty directories.
type treeFS struct{ root *object.Tree }

func (t *treeFS) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) {
		if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) || errors.Is(err, object.ErrFileNotFound) {
			err = fs.ErrNotExist
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if name == "." {
		return newDir(t.root, ".")
	}
	entry, err := t.root.FindEntry(name)
	if err != nil {
		return fail(err)
	}
	switch entry.Mode {
	case filemode.Dir:
		tree, err := t.root.Tree(name)
		if err != nil {
			return fail(err)
		}
		return newDir(tree, path.Base(name))
	case filemode.Symlink, filemode.Submodule:
		return fail(fs.ErrInvalid)
	}
	blob, err := t.root.TreeEntryFile(entry)
	if err != nil {
		return fail(err)
	}
	r, err := blob.Reader()
	if err != nil {
		return fail(err)
	}
	return &file{ReadCloser: r, info: info{name: path.Base(name), size: blob.Size, mode: 0o644}}, nil
}

type file struct {
	io.ReadCloser
	info info
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

type dir struct {
	info    info
	entries []fs.DirEntry
}

func newDir(tree *object.Tree, name string) (fs.File, error) {
	d := &dir{info: info{name: name, mode: fs.ModeDir | 0o755}}
	for _, e := range tree.Entries {
		i := info{name: e.Name, mode: 0o644}
		switch e.Mode {
		case filemode.Dir:
			i.mode = fs.ModeDir | 0o755
		case filemode.Symlink:
			i.mode = fs.ModeSymlink | 0o777
		case filemode.Submodule:
			continue
		default:
			if size, err := tree.Size(e.Name); err == nil {
				i.size = size
			}
		}
		d.entries = append(d.entries, fs.FileInfoToDirEntry(i))
	}
	// Git sorts folders as if their names ended in a slash.
	slices.SortFunc(d.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return d, nil
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }
func (d *dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("is a directory")}
}

func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	head := d.entries[:n]
	d.entries = d.entries[n:]
	return head, nil
}

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return strings.TrimSuffix(i.name, "/") }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
