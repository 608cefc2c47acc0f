package emit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Goldens are bootstraps kept in a directory of the repository, a file NAME.NAMESPACE.json each, so that a review shows what a change
// of the mesh's YAML does to every Envoy.
type Goldens struct {
	Dir string
	// SourceMaps keeps a source map beside each golden. Then verifying can tell the YAML lines of both sides; without, those of the
	// new side alone. Maps change whenever lines move, so verifying does not compare them.
	SourceMaps bool
	// Partial says that only some of the mesh's proxies are given: the goldens of others are neither stale nor missing.
	Partial bool
}

// Updated tells what Update did, as file names in the directory, sorted.
type Updated struct {
	Written   []string `json:"written"`
	Removed   []string `json:"removed"`
	Unchanged []string `json:"unchanged"`
}

// maxGolden bounds what is read of one file, in bytes.
const maxGolden = 512 << 20

// Update writes the goldens of the documents, making the directory if needed, and removes those of proxies that are no more. A file
// is replaced in one step, so a reader sees the old or the new one, and one that is right already is not touched. Of
// other files in the directory, none is removed or overwritten: a file counts as a golden if it is a bootstrap whose node names the proxy
// that the file is named for.
func (g Goldens) Update(docs []Document) (*Updated, error) {
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return nil, err
	}
	u := &Updated{Written: []string{}, Removed: []string{}, Unchanged: []string{}}
	wanted := map[string]bool{}
	for i := range docs {
		name, err := FileName(docs[i].ID)
		if err != nil {
			return nil, err
		}
		wanted[name] = true
		if err := g.write(u, name, docs[i].Bootstrap, isGolden); err != nil {
			return nil, err
		}
		if !g.SourceMaps {
			continue
		}
		text, err := docs[i].SourceMapText()
		if err != nil {
			return nil, err
		}
		if text != nil {
			wanted[name+SourceMapSuffix] = true
			if err := g.write(u, name+SourceMapSuffix, text, isSourceMap); err != nil {
				return nil, err
			}
		}
	}
	if err := g.removeStale(u, wanted); err != nil {
		return nil, err
	}
	slices.Sort(u.Written)
	slices.Sort(u.Removed)
	slices.Sort(u.Unchanged)
	return u, nil
}

func (g Goldens) write(u *Updated, name string, content []byte, ours func(string, []byte) bool) error {
	path := filepath.Join(g.Dir, name)
	old, err := readRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(old, content):
		u.Unchanged = append(u.Unchanged, name)
		return nil
	case !ours(name, old) && !conflicted(old):
		return fmt.Errorf("%s is in the way: it is no golden of this proxy; move it, or choose another directory", path)
	}
	if err := WriteFile(path, content); err != nil {
		return err
	}
	u.Written = append(u.Written, name)
	return nil
}

// conflicted recognises what a merge leaves; updating is how such a golden is mended.
func conflicted(content []byte) bool {
	marker := []byte("<<<<<<< ")
	return bytes.HasPrefix(content, marker) || bytes.Contains(content, append([]byte("\n"), marker...))
}

// WriteFile replaces a file in one step: it writes another beside it and renames that. Everybody may read it.
func WriteFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".meshc-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (g Goldens) removeStale(u *Updated, wanted map[string]bool) error {
	if g.Partial {
		return nil
	}
	names, err := g.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if wanted[name] {
			continue
		}
		if err := os.Remove(filepath.Join(g.Dir, name)); err != nil {
			return err
		}
		u.Removed = append(u.Removed, name)
	}
	return nil
}

// names lists the goldens and source maps in the directory, recognised by their content.
func (g Goldens) names() ([]string, error) {
	entries, err := os.ReadDir(g.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		recognise := isGolden
		if strings.HasSuffix(name, ".json"+SourceMapSuffix) {
			recognise = isSourceMap
		} else if !strings.HasSuffix(name, ".json") {
			continue
		}
		if !e.Type().IsRegular() {
			continue
		}
		content, err := readRegular(filepath.Join(g.Dir, name))
		if err != nil {
			return nil, err
		}
		if recognise(name, content) {
			names = append(names, name)
		}
	}
	return names, nil
}

// isGolden tells a bootstrap whose node names the proxy NAME.NAMESPACE of its file.
func isGolden(name string, content []byte) bool {
	var b struct {
		Node struct {
			ID string `json:"id"`
		} `json:"node"`
	}
	if json.Unmarshal(content, &b) != nil {
		return false
	}
	id := strings.Split(b.Node.ID, "~")
	return len(id) == 4 && id[2]+".json" == name
}

func isSourceMap(_ string, content []byte) bool {
	_, err := ParseSourceMap(content)
	return err == nil
}

// readRegular reads a file, never a device or a pipe, nor more than its limit.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxGolden+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxGolden {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxGolden>>20)
	}
	return content, nil
}

// Read returns the goldens in the directory, ordered by proxy, with their source maps where those are beside them. Files that are no
// goldens are passed over. A directory that is not there is an error that errors.Is fs.ErrNotExist.
func (g Goldens) Read() ([]Document, error) {
	if _, err := os.Stat(g.Dir); err != nil {
		return nil, err
	}
	names, err := g.names()
	if err != nil {
		return nil, err
	}
	var docs []Document
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".json")
		if !ok {
			continue
		}
		content, err := readRegular(filepath.Join(g.Dir, name))
		if err != nil {
			return nil, err
		}
		d := Document{ID: id, Bootstrap: content}
		if slices.Contains(names, name+SourceMapSuffix) {
			text, err := readRegular(filepath.Join(g.Dir, name+SourceMapSuffix))
			if err != nil {
				return nil, err
			}
			if d.SourceMap, err = ParseSourceMap(text); err != nil {
				return nil, fmt.Errorf("%s: %w", name+SourceMapSuffix, err)
			}
		}
		docs = append(docs, d)
	}
	sortDocuments(docs)
	return docs, nil
}

// Verify compares the goldens with the documents. Base of the difference are the goldens, so what a proxy would newly be told is
// "added". A directory that is not there holds no goldens: then every proxy is added. A golden that is no JSON any more, as a merge
// may leave it, is an error.
func (g Goldens) Verify(docs []Document) (*Difference, error) {
	goldens, err := g.Read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	have := byID(goldens)
	given := byID(docs)
	for _, d := range docs {
		if have[d.ID] != nil {
			continue
		}
		name, err := FileName(d.ID)
		if err != nil {
			return nil, err
		}
		// What stands under the golden's name and was not recognised is damaged.
		if _, err := os.Stat(filepath.Join(g.Dir, name)); err == nil {
			return nil, fmt.Errorf("%s is no bootstrap of %s: mend it, or write it anew with golden update", filepath.Join(g.Dir, name), d.ID)
		}
	}
	if g.Partial {
		goldens = slices.DeleteFunc(goldens, func(d Document) bool { return given[d.ID] == nil })
	}
	return Diff(goldens, docs)
}
