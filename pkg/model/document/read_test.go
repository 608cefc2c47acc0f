package document_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

const service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n"

func object(name string) string { return fmt.Sprintf(service, name) }

// files is a tree in memory.
func files(content map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range content {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

// write puts a tree into a fresh working directory.
func write(t *testing.T, content map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range content {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, opts document.Options, paths ...string) *document.Set {
	t.Helper()
	set, err := document.Read(context.Background(), opts, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// places lists "file:line" of the documents.
func places(set *document.Set) []string {
	var all []string
	for _, d := range set.Documents {
		all = append(all, fmt.Sprintf("%s:%d", d.File, d.Root.Line))
	}
	return all
}

// said lists the findings as "file:line rule: message".
func said(findings []diag.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s:%d %s: %s", f.Location.File, f.Location.Line, f.Rule, f.Message))
	}
	return all
}

func TestReadFindsFiles(t *testing.T) {
	tree := map[string]string{
		"b.yaml":                         object("b"),
		"a.yml":                          object("a"),
		"sub/c.json":                     `{"apiVersion": "v1", "kind": "Service"}`,
		"sub/d.txt":                      object("d"),
		".git/e.yaml":                    object("e"),
		".hidden.yaml":                   object("hidden"),
		"node_modules/f.yaml":            object("f"),
		"chart/Chart.yaml":               "name: chart\n",
		"chart/templates/sub/g.yaml":     "apiVersion: v1\nkind: Service\n",
		"notachart/templates/h.yaml":     object("h"),
		"notachart/templates/mixed.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n{{ toYaml .x }}\n",
	}
	all := []string{"a.yml:1", "b.yaml:1", "chart/Chart.yaml:1", "notachart/templates/h.yaml:1", "sub/c.json:1"}
	tests := []struct {
		name  string
		paths []string
		want  []string
	}{
		{"a directory", []string{"."}, all},
		{"overlapping paths", []string{"sub/../b.yaml", ".", "./b.yaml", "sub"}, all},
		{"a file of any extension", []string{"sub/d.txt"}, []string{"sub/d.txt:1"}},
		{"a hidden file that is named", []string{".hidden.yaml"}, []string{".hidden.yaml:1"}},
		{"a glob", []string{"*.y*ml"}, []string{"a.yml:1", "b.yaml:1"}},
		{"a glob across directories", []string{"**/*.json"}, []string{"sub/c.json:1"}},
	}
	for _, test := range tests {
		for _, where := range []string{"memory", "disk"} {
			t.Run(test.name+" in "+where, func(t *testing.T) {
				opts := document.Options{FS: files(tree)}
				if where == "disk" {
					write(t, tree)
					opts.FS = nil
				}
				set := read(t, opts, test.paths...)
				if diff := cmp.Diff(test.want, places(set)); diff != "" {
					t.Error(diff)
				}
				if len(set.Findings) > 0 {
					t.Error(said(set.Findings))
				}
			})
		}
	}
}

func TestReadExcludes(t *testing.T) {
	tree := files(map[string]string{
		"a.yaml": object("a"), "goldens/b.yaml": object("b"), "sub/goldens/c.yaml": object("c"), "sub/old-d.yaml": object("d"), "sub/e.yaml": object("e"),
	})
	tests := []struct {
		name    string
		exclude []string
		path    string
		want    []string
	}{
		{"directories and files", []string{"**/goldens", "**/old-*"}, ".", []string{"a.yaml:1", "sub/e.yaml:1"}},
		{"from a glob", []string{"**/old-*"}, "sub/*.yaml", []string{"sub/e.yaml:1"}},
		{"not what is named", []string{"**/goldens"}, "goldens", []string{"goldens/b.yaml:1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := read(t, document.Options{FS: tree, Exclude: test.exclude}, test.path)
			if diff := cmp.Diff(test.want, places(set)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadTellsWhatItDidNotRead(t *testing.T) {
	set := read(t, document.Options{
		FS: files(map[string]string{
			"chart/Chart.yaml":            "name: chart\n",
			"chart/templates/g.yaml":      object("{{ .Values.name }}"),
			"kustomize/mixed.yaml":        "apiVersion: v1\nkind: Service\nmetadata:\n{{ toYaml .x }}\n---\n" + object("fine"),
			"kustomize/name.yaml":         object("{{ .Values.name }}"),
			"kustomize/kind.yaml":         "apiVersion: v1\nkind: {{ .Values.kind }}\n",
			"other/kind.yaml":             "apiVersion: example.com/v1\nkind: Other\nspec: {}\n",
			"other/quoted.yaml":           "'apiVersion': \"example.com/v1\"\n\"kind\": Other\n",
			"other/not/an/object/at.yaml": "on: push\n",
		}),
		Wanted: func(apiVersion, kind string) bool { return apiVersion == "v1" },
	}, ".")
	want := []document.Unread{
		{File: "chart/templates/g.yaml", Why: "Helm template: render it first (helm template …)"},
		{File: "kustomize/kind.yaml", Why: "template: render it first (a Helm chart: helm template …)"},
		{File: "kustomize/mixed.yaml", Why: "template: render it first (a Helm chart: helm template …)"},
		{File: "kustomize/name.yaml", Why: "template: render it first (a Helm chart: helm template …)"},
	}
	if diff := cmp.Diff(want, set.Unread); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"example.com/v1 Other": 1}, set.Skipped); diff != "" {
		t.Error(diff)
	}
	if len(set.Findings) > 0 || set.Total != 8 {
		t.Error(set.Total, said(set.Findings))
	}
}

func TestReadStandardInput(t *testing.T) {
	set := read(t, document.Options{Stdin: strings.NewReader("\n---\n" + object("a"))}, "-")
	if diff := cmp.Diff([]string{"<stdin>:3"}, places(set)); diff != "" {
		t.Error(diff)
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"separators", "a: 1\n---\nb: 2\n---\n\n# only a comment\n---\nc: 3\n", []string{"x:1", "x:3", "x:8"}},
		{"a comment on the separator", "--- # first\na: 1\n--- # second\nb: 2\n", []string{"x:2", "x:4"}},
		{"content on the separator", "--- {a: 1}\n--- \n{b: 2}\n", []string{"x:1", "x:3"}},
		{"document ends", "a: 1\n...\n---\nb: 2\n...\nc: 3\n", []string{"x:1", "x:4", "x:6"}},
		{"directives", "%YAML 1.1\n# comment\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n", []string{"x:4", "x:8"}},
		{"JSON indented by tabs", "{\n\t\"a\": [\n\t\t\"\\/\"\n\t]\n}\n", []string{"x:1"}},
		{"carriage returns", "a: 1\r\n---\r\nb: 2\r\n", []string{"x:1", "x:3"}},
		{"a byte order mark", "\uFEFFa: 1\n---\nb: 2\n", []string{"x:1", "x:3"}},
		{"a line of dashes in a string", "a: |\n  ---\n  text\nb: ----\n", []string{"x:1"}},
		{"nothing", "# nothing\n---\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := read(t, document.Options{FS: files(map[string]string{"x": test.text})}, "x")
			if diff := cmp.Diff(test.want, places(set)); diff != "" {
				t.Error(diff)
			}
			if len(set.Findings) > 0 {
				t.Error(said(set.Findings))
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return b.String()
}

func TestReadRefusesHostileText(t *testing.T) {
	deep := strings.Builder{}
	for i := range 300 {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	tests := []struct {
		name, text string
		want       string // prefix of the one finding
	}{
		{"alias bomb", bomb(), "x.yaml:7 schema/too-large: aliases make this document stand for more than 100000 nodes"},
		{"alias bomb in an object", object("a") + bomb(), "x.yaml:11 schema/too-large: aliases"},
		{"an anchor in itself", "a: &a [*a]\n", `x.yaml:1 schema/yaml-syntax: the anchor "a" contains itself`},
		{"a merge of itself", "a: &a\n  <<: *a\n", `x.yaml:2 schema/yaml-syntax: the anchor "a" contains itself`},
		{"an unknown anchor", "a: *b\n", "x.yaml:1 schema/yaml-syntax: malformed YAML: unknown anchor 'b' referenced"},
		{"brackets", strings.Repeat("[", 200_000), "x.yaml:1 schema/too-large: brackets nest deeper than 200 levels"},
		{"braces", strings.Repeat("{a: ", 200_000), "x.yaml:1 schema/"},
		{"brackets a line each", strings.Repeat("[\n", 200_000), "x.yaml:201 schema/too-large: brackets nest"},
		{"dashes", strings.Repeat("- ", 200_000), "x.yaml:1 schema/"},
		{"question marks", strings.Repeat("? ", 200_000), "x.yaml:1 schema/"},
		{"deep mapping", deep.String(), "x.yaml:201 schema/too-large: values nest deeper than 200 levels"},
		{"NUL", "a: 1\nb: \"\x00\"\n", "x.yaml:2 schema/yaml-syntax: a NUL byte"},
		{"invalid UTF-8", "a: 1\nb: \xFF\n", "x.yaml:2 schema/yaml-syntax: the byte 0xFF is not UTF-8"},
		{"UTF-16", "\xFF\xFEa\x00", "x.yaml:1 schema/yaml-syntax: the file is UTF-16"},
		{"unterminated quote", object("\"a"), "x.yaml:"},
		{"tab", "apiVersion: v1\nkind: Service\nmetadata:\n\tname: a\n", "x.yaml:4 schema/yaml-syntax: malformed YAML: found character that cannot start any token"},
		{"duplicate key", "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  name: b\n", `x.yaml:5 schema/duplicate-key: the key "name" stands twice`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			set := read(t, document.Options{FS: files(map[string]string{"x.yaml": test.text})}, "x.yaml")
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			if got := said(set.Findings); len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("got %q, want one finding: %s", got, test.want)
			}
		})
	}
}

func TestReadBoundsSizes(t *testing.T) {
	write(t, map[string]string{"a.yaml": object("a"), "b.yaml": object("b") + "---\n" + object("b2"), "huge.yaml": ""})
	if err := os.Truncate("huge.yaml", 1<<30); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		limits document.Limits
		want   []string
	}{
		{"a file", document.Limits{}, []string{"huge.yaml:1 schema/too-large: the file has more than 67108864 bytes, the most that meshc reads"}},
		{"a document", document.Limits{DocumentBytes: 50}, []string{
			"huge.yaml:1 schema/too-large: the file has more than 67108864 bytes, the most that meshc reads",
			"b.yaml:5 schema/too-large: the document has 54 bytes; meshc reads up to 50",
		}},
		{"the number of documents", document.Limits{Documents: 2}, []string{
			"b.yaml:5 schema/too-large: more than 2 documents; meshc reads no further",
		}},
		{"the number of files", document.Limits{Files: 1}, []string{
			"b.yaml:1 schema/too-large: more than 1 files; meshc reads no further",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := read(t, document.Options{Limits: test.limits}, "a.yaml", "b.yaml", "huge.yaml")
			if diff := cmp.Diff(test.want, said(set.Findings)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("standard input", func(t *testing.T) {
		endless := io.MultiReader(strings.NewReader(object("a")), repeat('#'))
		set := read(t, document.Options{Stdin: endless, Limits: document.Limits{FileBytes: 1 << 20}}, "-")
		want := []string{"<stdin>:1 schema/too-large: the file has more than 1048576 bytes, the most that meshc reads"}
		if diff := cmp.Diff(want, said(set.Findings)); diff != "" {
			t.Error(diff)
		}
	})
}

// repeat is an endless reader.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestReadFollowsNoLinkOutOfTheTree(t *testing.T) {
	write(t, map[string]string{
		"tree/a.yaml":        object("a"),
		"tree/sub/b.yaml":    object("b"),
		"tree/.data/c.yaml":  object("c"),
		"outside/d.yaml":     object("d"),
		"outside/README.txt": "",
	})
	link(t, "a.yaml", "tree/z.yaml")                       // the same file again
	link(t, ".data", "tree/data")                          // a hidden directory of the tree
	link(t, "sub", "tree/again")                           // a directory that is read anyway
	link(t, "../../outside/README.txt", "tree/sub/README") // nothing that would be read
	link(t, "../outside/d.yaml", "tree/out.yaml")          // a file out of the tree
	link(t, "../outside", "tree/outdir")                   // a directory out of the tree
	link(t, "..", "tree/sub/up")                           // a cycle
	link(t, "two.yaml", "tree/one.yaml")                   // a loop of two links …
	link(t, "one.yaml", "tree/two.yaml")                   // … is one finding
	link(t, "missing.yaml", "tree/dangling.yaml")
	set := read(t, document.Options{}, "tree")
	if diff := cmp.Diff([]string{"tree/a.yaml:1", "tree/data/c.yaml:1", "tree/sub/b.yaml:1"}, places(set)); diff != "" {
		t.Error(diff)
	}
	const out = "the symbolic link leads out of the directory that is being read; name its target as a path of its own"
	want := []string{
		"tree/dangling.yaml:1 schema/unreadable: cannot be read: there is no such file or directory",
		"tree/one.yaml:1 schema/unreadable: cannot be read: the symbolic link leads back to itself",
		"tree/out.yaml:1 schema/unreadable: cannot be read: " + out,
		"tree/outdir:1 schema/unreadable: cannot be read: " + out,
		"tree/sub/up:1 schema/unreadable: cannot be read: the symbolic link leads back to a directory that it stands in",
	}
	if diff := cmp.Diff(want, said(diag.Sort(set.Findings))); diff != "" {
		t.Error(diff)
	}
	if set.Unreadable != len(want) {
		t.Errorf("%d files are unreadable", set.Unreadable)
	}

	set = read(t, document.Options{}, "tree/one.yaml")
	if diff := cmp.Diff([]string{want[1]}, said(set.Findings)); diff != "" {
		t.Error(diff)
	}
}

// forbidden is a file system that refuses to open one file.
type forbidden struct {
	fs.FS
	name string
}

func (f forbidden) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.FS.Open(name)
}

func TestReadReportsWhatItMayNotRead(t *testing.T) {
	tree := forbidden{files(map[string]string{"a.yaml": object("a"), "b.yaml": object("b")}), "a.yaml"}
	set := read(t, document.Options{FS: tree}, ".", "missing.yaml", "*.nothing")
	want := []string{
		"*.nothing:1 schema/unreadable: the pattern matches no file",
		"a.yaml:1 schema/unreadable: cannot be read: no permission to read it",
		"missing.yaml:1 schema/unreadable: cannot be read: there is no such file or directory",
	}
	if diff := cmp.Diff(want, said(diag.Sort(set.Findings))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b.yaml:1"}, places(set)); diff != "" {
		t.Error(diff)
	}
}

func TestReadStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := document.Read(ctx, document.Options{FS: files(nil)}, "."); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestReadRefusesBadPatterns(t *testing.T) {
	if _, err := document.Read(context.Background(), document.Options{FS: files(nil), Exclude: []string{"a["}}, "."); err == nil {
		t.Error("no error for a bad pattern in Exclude")
	}
	if _, err := document.Read(context.Background(), document.Options{FS: files(nil)}, "a[", "b"); err == nil {
		t.Error("no error")
	}
}

func TestEscapesOfJSON(t *testing.T) {
	doc, findings := document.Parse("x.json", 1, []byte(`{"a": "\/\\/\"\n\ud83d\ude00é\u00e9"}`), document.Limits{})
	if doc == nil {
		t.Fatal(said(findings))
	}
	if got, want := doc.Root.Content[1].Value, "/\\/\"\n😀éé"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesAreThoseOfTheFile(t *testing.T) {
	set := read(t, document.Options{FS: files(map[string]string{"x.yaml": "# comment\n---\n\na:\n  b: [1,\n    2]\n---\nc: &c\n  d: e\nf: *c\n"})}, "x.yaml")
	first, second := set.Documents[0], set.Documents[1]
	if got := first.Location(first.Root.Content[1].Content[1].Content[1]); got != (diag.Location{File: "x.yaml", Line: 6, Column: 5, EndLine: 6, EndColumn: 6}) {
		t.Error(got)
	}
	if got := second.Root.Content[3].Alias.Line; got != 8 {
		t.Error("the anchor is on line", got)
	}
}
