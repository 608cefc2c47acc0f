package schema

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/schemas"
)

func kinds() map[string]bool {
	all := map[string]bool{}
	for kind := range checks {
		if _, ok := schemas.Kind(kind); ok {
			all[kind] = true
		}
	}
	return all
}

// TestEveryKindHasSchema: a kind that Go checks has a schema too, but for the ConfigMap, whose settings are text.
func TestEveryKindHasSchema(t *testing.T) {
	stage, err := New(kinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range slices.Sorted(maps.Keys(checks)) {
		if kind != "ConfigMap" && !stage.kinds[kind].Exists() {
			t.Errorf("%s has no schema", kind)
		}
	}
}

// whole are specs with most fields, the ground for mutations.
var whole = map[string]string{
	"VirtualService": `
hosts: [web]
gateways: [mesh]
http:
  - name: first
    match: [{uri: {prefix: /a}, port: 80, headers: {x: {exact: y}}, ignoreUriCase: true}]
    route: [{destination: {host: web, subset: v1, port: {number: 80}}, weight: 10}]
    retries: {attempts: 3, perTryTimeout: 1s}
    fault: {abort: {httpStatus: 503, percentage: {value: 1.5}}}
    corsPolicy: {allowOrigins: [{exact: "*"}], maxAge: 10s}
  - redirect: {uri: /b, redirectCode: 301}
tcp:
  - route: [{destination: {host: web}}]
`,
	"DestinationRule": `
host: web
trafficPolicy:
  loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, minimumPercent: 10, aggression: 1.5}}
  connectionPool: {tcp: {maxConnections: 1, connectTimeout: 1s}, http: {http2MaxRequests: 1}}
  outlierDetection: {maxEjectionPercent: 10}
  tls: {mode: ISTIO_MUTUAL}
  portLevelSettings: [{port: {number: 80}}]
subsets: [{name: v1, labels: {version: v1}}]
`,
	"Gateway":            "selector: {a: b}\nservers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}}]\n",
	"ServiceEntry":       "hosts: [a.example.com]\nports: [{number: 443, name: https, protocol: HTTPS, targetPort: 8443}]\nlocation: MESH_EXTERNAL\nresolution: DNS\n",
	"PeerAuthentication": "selector: {matchLabels: {a: b}}\nmtls: {mode: STRICT}\nportLevelMtls: {80: {mode: DISABLE}}\n",
	"AuthorizationPolicy": `
selector: {matchLabels: {a: b}}
action: DENY
rules:
  - from: [{source: {principals: [a], ipBlocks: [10.0.0.0/8]}}]
    to: [{operation: {methods: [GET], ports: ["80"]}}]
    when: [{key: source.ip, values: [10.0.0.1]}]
`,
}

// TestQuickAnswerAgrees: whatever subsumption, which decides, lets pass, unification, which explains, lets pass too, for every field of a
// spec that is taken away, emptied or given another type. (Where a needed object or list is missing, only subsumption notices; Go
// checks report those.)
func TestQuickAnswerAgrees(t *testing.T) {
	stage, err := New(kinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range slices.Sorted(maps.Keys(whole)) {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(whole[kind]), &root); err != nil {
			t.Fatal(err)
		}
		spec := root.Content[0]
		agree(t, stage, kind, "as it is", spec)
		mutate(spec, "spec", func(change string) { agree(t, stage, kind, change, spec) })
	}
}

func agree(t *testing.T, stage *Stage, kind, change string, spec *yaml.Node) {
	t.Helper()
	schema, value := stage.kinds[kind], stage.encode(plain(spec))
	quick := schema.Subsume(value, cue.Final()) == nil
	full := schema.Unify(value).Validate(cue.Concrete(true), cue.Final()) == nil
	if quick && !full {
		t.Errorf("%s, %s: subsumption lets it pass, unification does not", kind, change)
	}
	if change == "as it is" && !quick {
		t.Errorf("%s: the whole spec is refused (unification says %v)", kind, full)
	}
}

// mutate changes each node in turn, calls back, and puts it back.
func mutate(n *yaml.Node, path string, changed func(string)) {
	for i := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if n.Kind == yaml.MappingNode {
			at = path + "." + n.Content[i-1].Value
			all := n.Content
			n.Content = slices.Delete(slices.Clone(all), i-1, i+1)
			changed(at + " taken away")
			n.Content = all
		}
		was := n.Content[i]
		for _, other := range []*yaml.Node{
			{Kind: yaml.ScalarNode, Tag: "!!int", Value: "-7"}, {Kind: yaml.ScalarNode, Tag: "!!str", Value: "%"},
			{Kind: yaml.SequenceNode, Tag: "!!seq"}, {Kind: yaml.MappingNode, Tag: "!!map"}, {Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"},
		} {
			n.Content[i] = other
			changed(fmt.Sprintf("%s is %s %s", at, other.Tag, other.Value))
		}
		n.Content[i] = was
		mutate(was, at, changed)
	}
}

func TestFormats(t *testing.T) {
	tests := []struct {
		judge func(string) problem
		good  []string
		bad   []string
	}{
		{hostName, []string{"web", "a.example.com", "a.example.com.", "a-b.c1"}, []string{"", "*.example.com", "a..b", "-a.com", "a_b", "1.2.3.4", strings.Repeat("a", 64)}},
		{wildcardName, []string{"*", "*.example.com", "*-foo.bar", "outbound_.80_.v1_.web.shop.svc.cluster.local"}, []string{"", "a.*.com", "ba!r", "a*.b"}},
		{pattern, []string{"a+", "^/x(y|z)$"}, []string{"(", "(?=a)", "a**"}},
		{absoluteSocket, []string{"unix:///a/b", "unix://@a"}, []string{"unix://a", "unix:///a/", "unix:///"}},
		{headerFormat, []string{"plain", "%REQ(x)%", "100%%", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}, []string{"%", "ab%cd", "%REQ(x)"}},
		{expression, []string{"response.code >= 400", `request.headers["a"] == ")"`}, []string{")", "(", `"a`}},
	}
	for _, test := range tests {
		for _, s := range test.good {
			if p := test.judge(s); p != "" {
				t.Errorf("%q %s", s, p)
			}
		}
		for _, s := range test.bad {
			if test.judge(s) == "" {
				t.Errorf("%q passes", s)
			}
		}
	}
}

// TestSchemasAreOneFileAKind: no schema file but for a kind that is checked.
func TestSchemasAreOneFileAKind(t *testing.T) {
	known := map[string]bool{"types.cue": true}
	for kind := range checks {
		known[strings.ToLower(kind)+".cue"] = true
	}
	err := fs.WalkDir(schemas.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !known[path] {
			t.Errorf("%s is for no kind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkShape(b *testing.B) {
	stage, err := New(map[string]bool{"VirtualService": true})
	if err != nil {
		b.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(whole["VirtualService"]), &root); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		stage.kinds["VirtualService"].Subsume(stage.encode(plain(root.Content[0])), cue.Final())
	}
}
