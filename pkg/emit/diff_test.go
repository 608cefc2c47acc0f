package emit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/report"
)

// documents are the bootstraps of some proxies of the same world.
func (w world) documents(t testing.TB, proxies ...string) []emit.Document {
	t.Helper()
	var cfgs []*compile.Configuration
	for _, p := range proxies {
		cfgs = append(cfgs, w.configuration(t, p))
	}
	docs, err := emit.Documents(cfgs)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// TestDiff has a golden for each kind of change, in the words that a reviewer reads.
func TestDiff(t *testing.T) {
	base := world{target: compile.Envoy, weights: []uint32{90, 10}, timeout: time.Second, paths: []string{"/a", "/b", "/c"}}
	one, three := []string{"productpage-v1"}, []string{"details-v1", "productpage-v1", "ratings-v1"}
	change := func(f func(*world)) world {
		w := base
		f(&w)
		return w
	}
	tests := []struct {
		name       string
		head       world
		from, into []string
	}{
		{"nothing", base, three, three},
		{"moved-lines", change(func(w *world) { w.lines = 3 }), one, one},
		{"weights-and-timeout", change(func(w *world) { w.weights, w.timeout, w.lines = []uint32{80, 20}, 2*time.Second, 3 }), one, one},
		{"subset-added", change(func(w *world) { w.weights = []uint32{50, 25, 25} }), three, three},
		{"cluster-removed", change(func(w *world) { w.without = "outbound|9080|v2|reviews.default.svc.cluster.local" }), one, one},
		{"proxies-come-and-go", base, one, []string{"details-v1"}},
		{"routes-moved", change(func(w *world) { w.paths = []string{"/c", "/a", "/b"} }), one, one},
		{"route-inserted", change(func(w *world) { w.paths = []string{"/a", "/new", "/b", "/c"} }), one, one},
		{"match-changed", change(func(w *world) { w.paths = []string{"/a", "/bee", "/c"} }), one, one},
		{"routes-twice", change(func(w *world) { w.paths = []string{"/a", "/a", "/c"} }), one, one},
		{"mtls", change(func(w *world) { w.mtls = true }), three, three},
	}
	unused, err := filepath.Glob("testdata/diff/*")
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, path := range unused {
		left[filepath.Base(path)] = true
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := emit.Diff(base.documents(t, test.from...), test.head.documents(t, test.into...))
			if err != nil {
				t.Fatal(err)
			}
			for suffix, print := range map[string]func(*bytes.Buffer) error{
				".txt":  func(b *bytes.Buffer) error { return report.DiffText(b, d) },
				".md":   func(b *bytes.Buffer) error { return report.DiffMarkdown(b, d) },
				".json": func(b *bytes.Buffer) error { return report.DiffJSON(b, d) },
			} {
				var b bytes.Buffer
				if err := print(&b); err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, "diff/"+test.name+suffix, b.Bytes())
				delete(left, test.name+suffix)
			}
		})
	}
	for name := range left {
		if golden.Update() {
			if err := os.Remove(filepath.Join("testdata", "diff", name)); err != nil {
				t.Error(err)
			}
			continue
		}
		t.Errorf("testdata/diff/%s belongs to no test", name)
	}
}

func TestDiffSeesForm(t *testing.T) {
	w := world{weights: []uint32{1}}
	base := w.documents(t, "a")
	head := w.documents(t, "a")
	head[0].Bootstrap = bytes.ReplaceAll(head[0].Bootstrap, []byte("  "), []byte("\t"))
	got, err := emit.Diff(base, head)
	if err != nil {
		t.Fatal(err)
	}
	want := &emit.Difference{Added: []string{}, Removed: []string{}, Changed: []string{}, Reformatted: []string{"a.default"}, Groups: []emit.Group{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiffRefuses(t *testing.T) {
	_, err := emit.Diff([]emit.Document{{ID: "a.b", Bootstrap: []byte("[]")}}, []emit.Document{{ID: "a.b", Bootstrap: []byte("{}")}})
	if err == nil || !strings.Contains(err.Error(), "the bootstrap of a.b is no JSON object") {
		t.Errorf("got %v", err)
	}
}

// FuzzDiff compares any two JSON documents: no panic, no difference to itself, and one to whatever says something else.
func FuzzDiff(f *testing.F) {
	f.Add(`{"static_resources":{"listeners":[{"name":"a","filters":[{"@type":"x.HttpConnectionManager","route_config":{"name":"r"}}]}]}}`, `{"static_resources":{"listeners":[{"name":"a"},{"name":"a"},3]}}`)
	f.Add(`{"node":{"l":[1,2,3,[4],{"name":"x"},{"name":"x"}]}}`, `{"node":{"l":[3,2,2,[4,5],{"name":"x"}]}}`)
	f.Add(`{"a":null,"b":[null]}`, `{"b":[]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		docs := func(s string) []emit.Document { return []emit.Document{{ID: "p.n", Bootstrap: []byte(s)}} }
		if d, err := emit.Diff(docs(a+" "), docs(a)); err == nil && len(d.Changed) > 0 {
			t.Errorf("differs from itself: %+v", d)
		}
		d, err := emit.Diff(docs(a), docs(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := report.DiffText(&out, d); err != nil {
			t.Fatal(err)
		}
		if a != b && d.Equal() {
			t.Errorf("no difference between %q and %q", a, b)
		}
	})
}
