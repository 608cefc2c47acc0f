package emit_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/emit"
)

func TestGoldensUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "goldens")
	w := world{weights: []uint32{90, 10}}
	g := emit.Goldens{Dir: dir, SourceMaps: true}
	update := func(docs []emit.Document) *emit.Updated {
		t.Helper()
		u, err := g.Update(docs)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	first := update(w.documents(t, "b", "a"))
	want := &emit.Updated{Written: []string{"a.default.json", "a.default.json.map", "b.default.json", "b.default.json.map"}, Removed: []string{}, Unchanged: []string{}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}

	// Somebody else's files stay, whatever their names.
	others := map[string]string{"README.md": "hello", "package.json": "{}", "x.default.json": `{"node":{"id":"sidecar~1~other.default~x"}}`, "c.map": "{}", "notes.json.map": "{}"}
	for name, content := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.weights = []uint32{80, 20}
	second := update(append(w.documents(t, "b"), w.documents(t, "c")...))
	want = &emit.Updated{
		Written: []string{"b.default.json", "c.default.json", "c.default.json.map"}, Removed: []string{"a.default.json", "a.default.json.map"},
		Unchanged: []string{"b.default.json.map"},
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	wantNames := []string{"README.md", "b.default.json", "b.default.json.map", "c.default.json", "c.default.json.map", "c.map", "notes.json.map", "package.json", "x.default.json"}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Error(diff)
	}

	g.Partial = true
	if u := update(w.documents(t, "c")); len(u.Removed) != 0 || !slices.Equal(u.Unchanged, []string{"c.default.json", "c.default.json.map"}) {
		t.Errorf("a partial update of what is right did %+v", u)
	}
}

func TestGoldensUpdateRefuses(t *testing.T) {
	dir := t.TempDir()
	w := world{weights: []uint32{1}}
	if err := os.WriteFile(filepath.Join(dir, "a.default.json"), []byte(`{"mine": true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "b.default.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a": "is in the way", "b": "is no regular file", "../up": "cannot have a file", ".hidden": "cannot have a file", "": "cannot have a file", "a b": "cannot have a file",
	} {
		_, err := emit.Goldens{Dir: dir}.Update(w.documents(t, name))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}

func TestGoldensVerify(t *testing.T) {
	dir := t.TempDir()
	w := world{weights: []uint32{90, 10}}
	g := emit.Goldens{Dir: dir, SourceMaps: true}
	if _, err := g.Update(w.documents(t, "a", "b")); err != nil {
		t.Fatal(err)
	}
	verify := func(docs []emit.Document) *emit.Difference {
		t.Helper()
		d, err := g.Verify(docs)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	// Lines that moved make another source map and no difference.
	w.lines = 5
	if d := verify(w.documents(t, "a", "b")); !d.Equal() || d.Unchanged != 2 {
		t.Errorf("differs: %+v", d)
	}
	w.weights = []uint32{80, 10}
	d := verify(w.documents(t, "a", "c"))
	if diff := cmp.Diff([][]string{{"c.default"}, {"b.default"}, {"a.default"}}, [][]string{d.Added, d.Removed, d.Changed}); diff != "" {
		t.Error(diff)
	}
	f := d.Groups[0].Resources[0].Fields[0]
	if f.From[0].Line != 9 || f.To[0].Line != 14 {
		t.Errorf("the weight comes from line %d and goes to %d, want 9 and 14", f.From[0].Line, f.To[0].Line)
	}
	g.Partial = true
	if d := verify(w.documents(t, "a")); len(d.Removed) != 0 {
		t.Errorf("a partial comparison misses %v", d.Removed)
	}
	g.Dir = filepath.Join(dir, "nowhere")
	if d := verify(w.documents(t, "a")); !slices.Equal(d.Added, []string{"a.default"}) {
		t.Errorf("without goldens: %+v", d)
	}
}

// TestGoldensMerge follows a golden that a merge left in conflict: verifying says so, updating mends it.
func TestGoldensMerge(t *testing.T) {
	dir := t.TempDir()
	docs := world{weights: []uint32{1}}.documents(t, "a")
	path := filepath.Join(dir, "a.default.json")
	if err := os.WriteFile(path, []byte("{\n<<<<<<< HEAD\n=======\n>>>>>>> main\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := emit.Goldens{Dir: dir}
	if _, err := g.Verify(docs); err == nil || !strings.Contains(err.Error(), "golden update") {
		t.Errorf("got %v", err)
	}
	if _, err := g.Update(docs); err != nil {
		t.Fatal(err)
	}
	d, err := g.Verify(docs)
	if err != nil || !d.Equal() {
		t.Errorf("%+v, %v", d, err)
	}
}
