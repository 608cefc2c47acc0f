package resource_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// decode reads one document from the top of the file x.yaml.
func decode(t *testing.T, text string) resource.Decoded {
	t.Helper()
	doc, findings := document.Parse("x.yaml", 1, []byte(text), document.Limits{})
	if doc == nil {
		t.Fatal(said(findings))
	}
	out := new(resource.Decoder).Decode(doc)
	out.Findings = diag.Sort(append(findings, out.Findings...))
	return out
}

// one decodes a document that holds one resource and nothing wrong.
func one(t *testing.T, text string) *resource.Resource {
	t.Helper()
	out := decode(t, text)
	if len(out.Findings) > 0 || len(out.Resources) != 1 {
		t.Fatalf("%d resources, findings: %q", len(out.Resources), said(out.Findings))
	}
	return out.Resources[0]
}

// said lists findings as "line:column severity rule path: message".
func said(findings []diag.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%d:%d %s %s %s: %s", f.Location.Line, f.Location.Column, f.Severity, f.Rule, f.Path, f.Message))
	}
	return all
}

func istio(apiVersion, kind, spec string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: a}\nspec:\n%s", apiVersion, kind, spec)
}

func TestDecodeMessages(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // protojson of the spec
	}{
		{
			"durations as Go writes them, enums, wrappers, maps and oneofs",
			istio("networking.istio.io/v1", "DestinationRule", `
  host: a
  trafficPolicy:
    tls: {mode: ISTIO_MUTUAL}
    loadBalancer: {simple: 5}
    outlierDetection: {consecutive5xxErrors: 0, interval: 1h30m, baseEjectionTime: 0.5s}
    connectionPool: {tcp: {connectTimeout: 1500us}}
  subsets: [{name: v1, labels: {version: "1"}}]
`),
			`{"host": "a", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}, "loadBalancer": {"simple": "LEAST_REQUEST"},
			  "outlierDetection": {"consecutive5xxErrors": 0, "interval": "5400s", "baseEjectionTime": "0.5s"},
			  "connectionPool": {"tcp": {"connectTimeout": "0.0015s"}}},
			  "subsets": [{"name": "v1", "labels": {"version": "1"}}]}`,
		},
		{
			"YAML 1.1 booleans",
			istio("networking.istio.io/v1", "Gateway", "  servers: [{port: {number: 0x50, name: http, protocol: HTTP}, hosts: [a], tls: {httpsRedirect: yes}}]\n"),
			`{"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a"], "tls": {"httpsRedirect": true}}]}`,
		},
		{
			"free-form values",
			istio("networking.istio.io/v1alpha3", "EnvoyFilter", `
  configPatches:
  - applyTo: CLUSTER
    patch:
      operation: MERGE
      value: {a: 1, b: 1.5, c: on, d: [null, "x"], e: 2024-01-02, 8080: true}
`),
			`{"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE",
			  "value": {"a": 1, "b": 1.5, "c": true, "d": [null, "x"], "e": "2024-01-02", "8080": true}}}]}`,
		},
		{
			"aliases and merge keys",
			istio("networking.istio.io/v1", "VirtualService", `
  hosts: [a]
  http:
  - route: [{destination: &a {host: a, subset: v1}}]
    timeout: 5s
  - route:
    - destination:
        <<: *a
        subset: v2
`),
			`{"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a", "subset": "v1"}}], "timeout": "5s"},
			  {"route": [{"destination": {"host": "a", "subset": "v2"}}]}]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := one(t, test.text).Object.(proto.Message)
			want := got.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeFindings(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{
			"an unknown field, with the one that was meant",
			istio("networking.istio.io/v1", "VirtualService", "  hosts: [a]\n  http:\n  - retires: {attempts: 3}\n"),
			[]string{`7:5 error schema/unknown-field spec.http[0].retires: unknown field "retires" in spec.http[0]; did you mean "retries"?`},
		},
		{
			"snake_case",
			istio("networking.istio.io/v1", "DestinationRule", "  host: a\n  traffic_policy: {}\n"),
			[]string{`6:3 error schema/unknown-field spec.traffic_policy: unknown field "traffic_policy" in spec; did you mean "trafficPolicy"?`},
		},
		{
			"beside the spec",
			"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, lables: {}}\nspecs: {}\n",
			[]string{
				`3:21 warning schema/unknown-field metadata.lables: unknown field "lables" in metadata; did you mean "labels"?`,
				`4:1 error schema/unknown-field specs: unknown field "specs" in VirtualService; did you mean "spec"?`,
			},
		},
		{
			"fields that are gone",
			istio("networking.istio.io/v1alpha3", "VirtualService", "  hosts: [a]\n  http: [{appendHeaders: {a: b}, websocketUpgrade: true}]\n"),
			[]string{
				`6:11 error schema/retired-field spec.http[0].appendHeaders: spec.http[0].appendHeaders is no field of VirtualService any more; use headers.request.add instead`,
				`6:34 error schema/retired-field spec.http[0].websocketUpgrade: spec.http[0].websocketUpgrade is no field of VirtualService any more; remove it: WebSocket upgrades are always allowed`,
			},
		},
		{
			"fields without effect",
			istio("networking.istio.io/v1alpha3", "DestinationRule", "  host: a\n  trafficPolicy:\n    outlierDetection:\n      consecutiveErrors: 5\n"),
			[]string{`8:7 warning schema/retired-field spec.trafficPolicy.outlierDetection.consecutiveErrors: ` +
				`spec.trafficPolicy.outlierDetection.consecutiveErrors has no effect any more; use consecutive5xxErrors instead, or consecutiveGatewayErrors to count only 502, 503 and 504`},
		},
		{
			"kinds that are gone",
			"apiVersion: authentication.istio.io/v1alpha1\nkind: Policy\nmetadata: {name: a}\n",
			[]string{`2:1 error schema/retired-kind kind: Policy of authentication.istio.io/v1alpha1 is no longer read; use PeerAuthentication for its peers and RequestAuthentication for its origins (security.istio.io/v1) instead`},
		},
		{
			"a version that is not served",
			istio("networking.istio.io/v1", "EnvoyFilter", "  priority: 1\n"),
			[]string{`1:13 error schema/unserved-version apiVersion: EnvoyFilter is not served in version networking.istio.io/v1; use networking.istio.io/v1alpha3`},
		},
		{
			"two of a oneof",
			istio("networking.istio.io/v1", "VirtualService", "  hosts: [a]\n  http: [{match: [{uri: {exact: /a, prefix: /b}}]}]\n"),
			[]string{`6:37 error schema/one-of spec.http[0].match[0].uri.prefix: spec.http[0].match[0].uri.prefix: only one of "exact" and "prefix" may be set`},
		},
		{
			"wrong types",
			istio("networking.istio.io/v1", "VirtualService", `
  hosts: a
  exportTo: [1, true]
  http:
  - name: 1.5
    timeout: 10
    retries: {attempts: "3", perTryTimeout: 3 s}
    route: [{destination: {host: a, port: {number: -1}}, weight: 1.5}]
    match: null
    directResponse: []
    headers: {request: {set: {a: 1}}}
`),
			[]string{
				`6:10 error schema/wrong-type spec.hosts: spec.hosts: a list is wanted here, this is a string`,
				`7:14 error schema/wrong-type spec.exportTo[0]: spec.exportTo[0]: a string is wanted here, this is a number; put it in quotes: "1"`,
				`7:17 error schema/wrong-type spec.exportTo[1]: spec.exportTo[1]: a string is wanted here, this is a boolean; put it in quotes: "true"`,
				`9:11 error schema/wrong-type spec.http[0].name: spec.http[0].name: a string is wanted here, this is a decimal number; put it in quotes: "1.5"`,
				`10:14 error schema/wrong-type spec.http[0].timeout: spec.http[0].timeout: a duration such as 10s is wanted here, this is a number`,
				`11:25 error schema/wrong-type spec.http[0].retries.attempts: spec.http[0].retries.attempts: a number is wanted here, this is a string`,
				`11:45 error schema/invalid-value spec.http[0].retries.perTryTimeout: spec.http[0].retries.perTryTimeout: "3 s" is no duration; write a number with a unit, such as 10s, 500ms or 1h30m`,
				`12:52 error schema/invalid-value spec.http[0].route[0].destination.port.number: spec.http[0].route[0].destination.port.number: -1 is out of range: from 0 to 4294967295`,
				`12:66 error schema/wrong-type spec.http[0].route[0].weight: spec.http[0].route[0].weight: a whole number is wanted here, this is a decimal number`,
				`13:12 error schema/wrong-type spec.http[0].match: spec.http[0].match: a value is wanted here, this is null`,
				`14:21 error schema/wrong-type spec.http[0].directResponse: spec.http[0].directResponse: an object is wanted here, this is a list`,
				`15:34 error schema/wrong-type spec.http[0].headers.request.set.a: spec.http[0].headers.request.set.a: a string is wanted here, this is a number; put it in quotes: "1"`,
			},
		},
		{
			"an enum's name, misspelt",
			istio("security.istio.io/v1", "PeerAuthentication", "  mtls: {mode: STRICTT}\n"),
			[]string{`5:16 error schema/invalid-value spec.mtls.mode: spec.mtls.mode: "STRICTT" is none of UNSET, DISABLE, PERMISSIVE, STRICT; did you mean STRICT?`},
		},
		{
			"no name",
			"apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {namespace: b}\nspec: {}\n",
			[]string{`3:1 error schema/missing-name metadata.name: this Sidecar has no metadata.name`},
		},
		{"a name to be generated", "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {generateName: b-}\n", nil},
		{
			"no apiVersion",
			"kind: DestinationRule\nmetadata: {name: a}\n",
			[]string{`1:1 error schema/missing-apiversion apiVersion: the object has no apiVersion`},
		},
		{
			"no kind",
			"apiVersion: networking.istio.io/v1\nmetadata: {name: a}\n",
			[]string{`1:1 error schema/missing-kind kind: the object has no kind`},
		},
		{"a scalar", "hello\n", []string{`1:1 error schema/not-an-object : a Kubernetes object is wanted, with apiVersion, kind and metadata; this is a string`}},
		{"a list", "- a\n", []string{`1:1 error schema/not-an-object : a Kubernetes object is wanted, with apiVersion, kind and metadata; this is a list`}},
		{
			"a duplicate key, of which the last counts",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: NodePort\n  type: ClusterIP\n",
			[]string{`6:3 error schema/duplicate-key : the key "type" stands twice in one mapping; only the last is kept`},
		},
		{
			"a port's fields in a Service, and a Pod's that a newer Kubernetes may have",
			"apiVersion: v1\nkind: List\nitems:\n" +
				"- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetport: 8080}]}}\n" +
				"- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {brandNew: 1, containers: []}, status: {newer: 1}}\n",
			[]string{
				`4:82 error schema/unknown-field spec.ports[0].targetport: unknown field "targetport" in spec.ports[0]; did you mean "targetPort"?`,
				`5:59 warning schema/unknown-field spec.brandNew: unknown field "brandNew" in spec`,
			},
		},
		{
			"what types that read themselves refuse",
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: yesterday}\nspec: {containers: [{name: a, resources: {limits: {cpu: 1 core}}}]}\n",
			[]string{
				`3:40 error schema/invalid-value metadata.creationTimestamp: metadata.creationTimestamp: "yesterday" is no time such as 2006-01-02T15:04:05Z`,
				`4:57 error schema/invalid-value spec.containers[0].resources.limits.cpu: spec.containers[0].resources.limits.cpu: "1 core" is no valid quantity`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, said(decode(t, test.text).Findings)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixesCanBeApplied(t *testing.T) {
	const before = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [a]\n  gateway: [mesh]\n  http:\n  - name: 1\n    timeout: 10\n    retries: {attempts: \"3\"}\n"
	out := decode(t, before)
	rows := strings.Split(before, "\n")
	for _, f := range out.Findings {
		for _, edit := range f.Fix.Edits {
			l := edit.Location
			row := []rune(rows[l.Line-1])
			rows[l.Line-1] = string(row[:l.Column-1]) + edit.NewText + string(row[l.EndColumn-1:])
		}
	}
	one(t, strings.Join(rows, "\n"))
}

func TestDecodeListsAndClusterScopedKinds(t *testing.T) {
	out := decode(t, `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: a, namespace: ignored}
- apiVersion: networking.istio.io/v1
  kind: VirtualServiceList
  items:
  - metadata: {name: b}
    spec: {hosts: [b]}
- apiVersion: example.com/v1
  kind: Other
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: c, namespace: d}
  addressType: IPv4
  ports: [{port: 80}]
  endpoints: [{addresses: [10.0.0.1]}]
`)
	var got []string
	for _, r := range out.Resources {
		got = append(got, fmt.Sprintf("%s on line %d", r.ID(), r.Node.Line))
	}
	if diff := cmp.Diff([]string{"Namespace a on line 5", "VirtualService default/b on line 11", "EndpointSlice d/c on line 15"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"example.com/v1 Other"}, out.Skipped); diff != "" {
		t.Error(diff)
	}
	if len(out.Findings) > 0 {
		t.Error(said(out.Findings))
	}
	if got := out.Resources[1].Object.(*networking.VirtualService).Hosts; !cmp.Equal(got, []string{"b"}) {
		t.Error(got)
	}
	if got := *out.Resources[2].Object.(*discovery.EndpointSlice).Ports[0].Protocol; got != core.ProtocolTCP {
		t.Error(got)
	}
}

func TestDecodeIstioOperator(t *testing.T) {
	text := `
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: a, namespace: istio-system}
spec:
  profile: default
  meshConfig:
    enable_auto_mtls: false
    defaultConfig: {concurrency: 2, drainDuration: 45s}
    accesLogFile: /dev/stdout
  components:
    pilot: {k8s: {anything: 1}}
    ingressGateways:
    - {name: gw, enabled: true, label: {istio: gw}, k8s: {service: {ports: [{port: 80, targetPort: 8080, name: http2}]}, hpaSpec: {minReplicas: 2}}}
  values: {global: {multiCluster: {clusterName: prod}}}
`
	out := decode(t, text)
	want := []string{`10:5 warning schema/unknown-field spec.meshConfig.accesLogFile: unknown field "accesLogFile" in spec.meshConfig; did you mean "accessLogFile"?`}
	if diff := cmp.Diff(want, said(out.Findings)); diff != "" {
		t.Error(diff)
	}
	op := out.Resources[0].Object.(*resource.IstioOperator)
	if op.MeshConfig.EnableAutoMtls.GetValue() || op.MeshConfig.EnableAutoMtls == nil || op.MeshConfig.DefaultConfig.Concurrency.GetValue() != 2 {
		t.Error(op.MeshConfig)
	}
	if got := op.Components.IngressGateways[0].K8s.Service.Ports[0]; got != (resource.IstioServicePort{Name: "http2", Port: 80, TargetPort: 8080}) {
		t.Error(got)
	}
	if diff := cmp.Diff(map[string]any{"global": map[string]any{"multiCluster": map[string]any{"clusterName": "prod"}}}, op.Values); diff != "" {
		t.Error(diff)
	}
}

func TestEmbedded(t *testing.T) {
	text := `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |

    rootNamespace: istio-config
    enableAutoMTLS: true
    trustDomain: a
    trustDomain: b
  quoted: "a: [1"
  folded: >-
    a: 1
`
	r := one(t, text)
	doc, findings := resource.Embedded(r, "data.mesh")
	var mesh meshconfig.MeshConfig
	findings = append(findings, new(resource.Decoder).Settings(doc, doc.Root, r.Ref(), "data.mesh", &mesh)...)
	want := []string{
		`8:5 warning schema/unknown-field data.mesh.enableAutoMTLS: unknown field "enableAutoMTLS" in data.mesh; did you mean "enableAutoMtls"?`,
		`10:5 error schema/duplicate-key data.mesh: the key "trustDomain" stands twice in one mapping; only the last is kept`,
	}
	if diff := cmp.Diff(want, said(diag.Sort(findings))); diff != "" {
		t.Error(diff)
	}
	if mesh.RootNamespace != "istio-config" || mesh.TrustDomain != "b" {
		t.Error(&mesh)
	}
	if _, findings = resource.Embedded(r, "data.quoted"); len(findings) != 1 || findings[0].Location.Line != 11 || findings[0].Location.Column != 11 {
		t.Error(said(findings))
	}
	if doc, _ := resource.Embedded(r, "data.folded"); doc.Root.Content[1].Line != 12 {
		t.Error(doc.Root.Content[1].Line)
	}
	if doc, findings := resource.Embedded(r, "data.missing"); doc != nil || findings != nil {
		t.Error(doc, findings)
	}
}

func TestWhatTheAPIServerAdds(t *testing.T) {
	ns := one(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {b: c}}\n")
	if diff := cmp.Diff(map[string]string{"b": "c", "kubernetes.io/metadata.name": "a"}, ns.Labels); diff != "" {
		t.Error(diff)
	}
	secret := one(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: YQ==}\nstringData: {b: b}\n").Object.(*core.Secret)
	if diff := cmp.Diff(map[string][]byte{"a": []byte("a"), "b": []byte("b")}, secret.Data); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("  hosts: [a]\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "  host%d: [a]\n", i)
	}
	start := time.Now()
	out := decode(t, istio("networking.istio.io/v1", "VirtualService", b.String()))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if got := said(out.Findings); len(got) != 101 || !strings.Contains(got[0], "19900 more problems") {
		t.Error(len(got), got[0])
	}
}

func TestLocateSeesMergedContent(t *testing.T) {
	r := one(t, "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec:\n  host: a\n  subsets:\n  - &v\n    name: v1\n    labels: {version: v1}\n  - <<: *v\n    name: v2\n")
	for path, line := range map[string]int{
		"spec.subsets[1].labels.version": 9,
		"spec.subsets[1].name":           11,
		"spec.subsets[1].missing":        10,
		"":                               1,
	} {
		if got := r.Locate(path).Line; got != line {
			t.Errorf("%s stands on line %d, not %d", path, got, line)
		}
	}
}

func TestEveryKindDecodesEmpty(t *testing.T) {
	for _, k := range resource.Kinds() {
		for _, version := range k.Versions {
			apiVersion := strings.TrimPrefix(k.Group+"/"+version, "/")
			for _, body := range []string{"", "spec: {}\n", "spec: {rules: [{}], listeners: [{}], ports: [{}]}\n"} {
				out := decode(t, fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: a}\n%s", apiVersion, k.Kind, body))
				if len(out.Resources) != 1 || out.Resources[0].Object == nil || body == "" && len(out.Findings) > 0 {
					t.Errorf("%s %s: %v", apiVersion, k.Kind, said(out.Findings))
				}
			}
		}
	}
}
