package model_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// seeds are the documents that the project began with: what its users have in their repositories.
const seeds = "../../testdata/seeds"

func load(t *testing.T, opts model.Options, paths ...string) *model.Mesh {
	t.Helper()
	m, err := model.Load(context.Background(), opts, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// inMemory loads a tree that is written as file name to text.
func inMemory(t *testing.T, files map[string]string) *model.Mesh {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return load(t, model.Options{FS: tree}, ".")
}

// said lists findings as "file:line severity rule path: message".
func said(findings []diag.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s:%d %s %s %s: %s", f.Location.File, f.Location.Line, f.Severity, f.Rule, f.Path, f.Message))
	}
	return all
}

// where lists resources as "id at file:line".
func where(resources []*resource.Resource) []string {
	var all []string
	for _, r := range resources {
		all = append(all, fmt.Sprintf("%s at %s:%d", r.ID(), r.Document.File, r.Node.Line))
	}
	return all
}

func TestLoadSeeds(t *testing.T) {
	names, err := filepath.Glob(seeds + "/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no seeds", err)
	}
	retired := map[string]int{}
	for _, name := range names {
		m := load(t, model.Options{}, name)
		if len(m.Resources()) == 0 || len(m.Stats.Skipped) > 0 || len(m.Stats.Unread) > 0 {
			t.Errorf("%s: %d resources, %+v", name, len(m.Resources()), m.Stats)
		}
		for _, f := range m.Findings {
			if f.Rule == "schema/retired-field" {
				retired[filepath.Base(name)]++
				continue
			}
			t.Errorf("%s: %v", name, said([]diag.Finding{f}))
		}
	}
	if diff := cmp.Diff(map[string]int{"2-reviews.yaml": 1}, retired); diff != "" {
		t.Error(diff)
	}
}

func TestLoadIsTheSameInAnyOrder(t *testing.T) {
	names, err := filepath.Glob(seeds + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := load(t, model.Options{}, seeds)
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		got := load(t, model.Options{}, names...)
		if diff := cmp.Diff(where(want.Resources()), where(got.Resources())); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want.Findings, got.Findings); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want.Stats, got.Stats); diff != "" {
			t.Fatal(diff)
		}
	}
}

const service = "apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec: {type: %s}\n"

func TestLoadKeepsTheLastOfSeveral(t *testing.T) {
	m := inMemory(t, map[string]string{
		"a.yaml": fmt.Sprintf(service, "s", "shop", "ClusterIP") + "---\n" + fmt.Sprintf(service, "s", "shop", "NodePort"),
		"b.yaml": fmt.Sprintf(service, "s", "shop", "LoadBalancer") + "---\n" + fmt.Sprintf(service, "s", "other", "ClusterIP"),
	})
	if diff := cmp.Diff([]string{"Service other/s at b.yaml:6", "Service shop/s at b.yaml:1"}, where(m.Resources())); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"a.yaml:3 warning schema/duplicate-resource metadata.name: Service shop/s is defined again; only the last definition counts",
		"a.yaml:8 warning schema/duplicate-resource metadata.name: Service shop/s is defined again; only the last definition counts",
	}
	if diff := cmp.Diff(want, said(m.Findings)); diff != "" {
		t.Error(diff)
	}
	for _, f := range m.Findings {
		if got := f.Related[0].Location; got.File != "b.yaml" || got.Line != 3 {
			t.Error(got)
		}
	}
}

func TestLoadGoesOnAfterTrouble(t *testing.T) {
	m := inMemory(t, map[string]string{
		"bad.yaml":      "apiVersion: v1\nkind: Service\nmetadata: [\n---\n" + fmt.Sprintf(service, "fine", "shop", "ClusterIP"),
		"binary.yaml":   "\x00\x01",
		"other.yaml":    "apiVersion: example.com/v1\nkind: Other\n---\nsome: values\n",
		"chart/c.yaml":  "a: {{ .Values.a }}\n{{ end }}\n",
		"list.json":     `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]}`,
		"comments.yaml": "# nothing\n",
	})
	if diff := cmp.Diff([]string{"Namespace n at list.json:1", "Service shop/fine at bad.yaml:5"}, where(m.Resources())); diff != "" {
		t.Error(diff)
	}
	want := model.Stats{
		Files: 5, Documents: 6, Resources: 2, Unreadable: 1, Malformed: 1,
		Skipped: map[string]int{"example.com/v1 Other": 1, "without apiVersion and kind": 1},
		Unread:  []model.Unread{{File: "chart/c.yaml", Why: "template: render it first (a Helm chart: helm template …)"}},
	}
	if diff := cmp.Diff(want, m.Stats); diff != "" {
		t.Error(diff)
	}
	if got := said(m.Findings); len(got) != 2 || !strings.HasPrefix(got[0], "bad.yaml:3 error schema/yaml-syntax") ||
		!strings.HasPrefix(got[1], "binary.yaml:1 error schema/yaml-syntax") {
		t.Errorf("%q", got)
	}
	if m.SourceText("list.json") == nil || m.SourceText("missing") != nil {
		t.Error("the text of what was read, and of nothing else, should be there")
	}
}

func TestAccessors(t *testing.T) {
	m := inMemory(t, map[string]string{
		"a.yaml": fmt.Sprintf(service, "b", "shop", "ClusterIP") + "---\n" + fmt.Sprintf(service, "a", "shop", "ClusterIP") +
			"---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {istio: g}}\n" +
			"---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n",
	})
	var names []string
	for _, svc := range model.All[*core.Service](m) {
		names = append(names, svc.Name+" "+svc.Spec.Namespace)
	}
	if diff := cmp.Diff([]string{"a shop", "b shop"}, names); diff != "" {
		t.Error(diff)
	}
	if got := m.OfKind("Gateway", "networking.istio.io"); len(got) != 1 {
		t.Error(where(got))
	}
	got := m.Find("Gateway", "networking.istio.io", "default", "g")
	if got == nil || m.Find("Gateway", "networking.istio.io", "shop", "g") != nil {
		t.Fatal(got)
	}
	want := &networking.Gateway{Selector: map[string]string{"istio": "g"}}
	if diff := cmp.Diff(want, got.Object, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestOptionFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) string {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	tests := []struct {
		name string
		opts model.Options
		want string
	}{
		{"a missing file", model.Options{ProxiesFile: "missing.json"}, "missing.json: no such file or directory"},
		{"an unknown field", model.Options{ProxiesFile: write("field.yaml", "- name: a\n  namespace: b\n  type: sidecar\n  adress: 10.0.0.1\n")},
			`field.yaml:4:3: unknown field "adress" in [0]`},
		{"no proxies", model.Options{ProxiesFile: write("object.json", `{"proxies": []}`)}, "object.json:1:1: the document: a list is wanted here, this is an object"},
		{"a proxy of no type", model.Options{ProxiesFile: write("type.json", `[{"name": "a", "type": "waypoint"}]`)},
			`type.json:1:2: the type of proxy a.default is "waypoint"; it must be sidecar or router`},
		{"no proxy at all", model.Options{ProxiesFile: write("empty.yaml", "# none\n")}, "empty.yaml: the list of proxies is empty"},
		{"a proxy twice", model.Options{ProxiesFile: write("twice.yaml", "- &p {name: a, namespace: b, type: router}\n- *p\n")},
			"twice.yaml:2:3: the proxy a.b is listed twice"},
		{"an address that is none", model.Options{ProxiesFile: write("ip.yaml", "- {name: a, namespace: b, type: router, ip: 10.0.0}\n")},
			`ip.yaml:1:3: the ip of proxy a.b is "10.0.0", which is no IP address`},
		{"bad YAML", model.Options{MeshConfigFile: write("mesh.yaml", "a: [\n")}, "mesh.yaml:1:1: malformed YAML"},
		{"two documents", model.Options{MeshConfigFile: write("two.yaml", "a: b\n---\nc: d\n")}, "two.yaml:2: a second document, where one is wanted"},
		{"a setting of another type", model.Options{MeshConfigFile: write("mesh2.yaml", "rootNamespace: a\naccessLogFile: [a]\n")},
			"mesh2.yaml:2:16: accessLogFile: a string is wanted here, this is a list"},
		{"networks", model.Options{MeshNetworksFile: write("networks.yaml", "networks:\n  a: {endpoints: 1}\n")},
			"networks.yaml:2:18: networks.a.endpoints: a list is wanted here, this is a number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := model.Load(context.Background(), test.opts)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestSettingsWarnOfWhatIstiodPassesOver(t *testing.T) {
	m := load(t, model.Options{
		FS: fstest.MapFS{
			"mesh.yaml": {Data: []byte("# the mesh\nrootNamespace: a\naccessLogFil: a\n")},
			"in/istio.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n" +
				"  mesh: |\n    enableAutoMtls: maybe\n    nonsense: 1\n")},
		},
		MeshConfigFile: "mesh.yaml",
	}, "in")
	want := []string{
		"in/istio.yaml:6 error schema/wrong-type data.mesh.enableAutoMtls: data.mesh.enableAutoMtls: true or false is wanted here, this is a string",
		`in/istio.yaml:7 warning schema/unknown-field data.mesh.nonsense: unknown field "nonsense" in data.mesh`,
		`mesh.yaml:3 warning schema/unknown-field accessLogFil: unknown field "accessLogFil" in the document; did you mean "accessLogFile"?`,
	}
	if diff := cmp.Diff(want, said(m.Findings)); diff != "" {
		t.Error(diff)
	}
}

// FuzzLoad holds that no bytes whatever make Load panic, fail or take long, and that findings stand inside the text.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob(seeds + "/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: &a {name: a, labels: *a}}]\n"))
	f.Add([]byte("a: &a\n  <<: [*a, {b: c}]\n---\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		m, err := model.Load(context.Background(), model.Options{FS: fstest.MapFS{"x.yaml": {Data: text}}}, "x.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		lines := 1 + strings.Count(string(text), "\n")
		for _, finding := range m.Findings {
			if l := finding.Location; l.File != "x.yaml" || l.Line < 1 || l.Line > lines || l.Column < 1 {
				t.Errorf("%+v stands outside of %d lines", finding, lines)
			}
		}
	})
}
