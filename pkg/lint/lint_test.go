package lint_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

const cart = `apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80}]
---
`

// route is a VirtualService that leads to a host, with %s behind the host and above the metadata.
func route(metadata, host string) string {
	return cart + `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: cart
  namespace: shop
` + metadata + `spec:
  hosts: [cart]
  http:
    - route:
        - destination:
            host: ` + host + "\n"
}

func run(t *testing.T, cfg lint.Config, text string) *lint.Report {
	t.Helper()
	report, err := lint.Run(t.Context(), load(t, fstest.MapFS{"mesh.yaml": {Data: []byte(text)}}, "mesh.yaml"), lint.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func names(findings []diag.Finding) []string {
	list := []string{}
	for _, f := range findings {
		list = append(list, fmt.Sprintf("%s %s", f.Severity, f.Rule))
	}
	return list
}

func TestSuppression(t *testing.T) {
	tests := []struct {
		name     string
		cfg      lint.Config
		metadata string
		host     string
		want     []string
	}{
		{"none", lint.Config{}, "", "crat", []string{"error virtualservice/unknown-host"}},
		{"comment on the line", lint.Config{}, "", "crat # meshc:ignore virtualservice/unknown-host comes with the next release", []string{}},
		{"comment by alias", lint.Config{}, "", "crat # meshc:ignore IST0101 comes with the next release", []string{}},
		{
			"comment without reason", lint.Config{}, "", "crat # meshc:ignore virtualservice/unknown-host",
			[]string{"error virtualservice/unknown-host", "warning suppression/without-reason"},
		},
		{"comment that accepts nothing", lint.Config{}, "", "cart # meshc:ignore virtualservice/unknown-host old", []string{"info suppression/unused"}},
		{"no comment inside a word", lint.Config{}, "", `"cart#meshc:ignore"`, []string{"error schema/invalid-value", "error virtualservice/unknown-host"}},
		{"annotation", lint.Config{}, "  annotations:\n    meshc.dev/ignore: \"virtualservice/unknown-host: comes later\"\n", "crat", []string{}},
		{
			"annotation that accepts nothing", lint.Config{}, "  annotations:\n    meshc.dev/ignore: \"virtualservice/unknown-host: comes later\"\n", "cart",
			[]string{"info suppression/unused"},
		},
		{"Istio's annotation", lint.Config{}, "  annotations:\n    galley.istio.io/analyze-suppress: IST0101\n", "crat", []string{}},
		{"Istio's annotation for another code", lint.Config{}, "  annotations:\n    galley.istio.io/analyze-suppress: IST0109\n", "crat", []string{"error virtualservice/unknown-host"}},
		{
			"configuration",
			lint.Config{Ignore: []lint.Ignore{{Rule: "virtualservice/unknown-host", Kind: "VirtualService", Namespace: "sh*", Path: "**/*.yaml", Reason: "known"}}},
			"", "crat", []string{},
		},
		{
			"configuration for another name", lint.Config{Ignore: []lint.Ignore{{Rule: "virtualservice/unknown-host", Name: "other", Reason: "known"}}},
			"", "crat", []string{"info suppression/unused", "error virtualservice/unknown-host"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := run(t, test.cfg, route(test.metadata, test.host))
			if diff := cmp.Diff(test.want, names(report.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSuppressionAboveTheLine(t *testing.T) {
	text := strings.Replace(route("", "crat"), "            host: crat", "            # meshc:ignore virtualservice/unknown-host comes later\n\n            host: crat", 1)
	if got := names(run(t, lint.Config{}, text).Findings); len(got) != 0 {
		t.Errorf("findings: %v", got)
	}
}

func TestSeverity(t *testing.T) {
	tests := []struct {
		severity map[string]string
		want     []string
	}{
		{map[string]string{"virtualservice/unknown-host": "warning"}, []string{"warning virtualservice/unknown-host"}},
		{map[string]string{"virtualservice/unknown-host": "off"}, []string{}},
		{map[string]string{"virtualservice/*": "info"}, []string{"info virtualservice/unknown-host"}},
		{map[string]string{"virtualservice/*": "off", "virtualservice/unknown-host": "error"}, []string{"error virtualservice/unknown-host"}},
	}
	for _, test := range tests {
		report := run(t, lint.Config{Severity: test.severity}, route("", "crat"))
		if diff := cmp.Diff(test.want, names(report.Findings)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.severity, diff)
		}
	}
}

func TestExternal(t *testing.T) {
	const elsewhere = "pay.billing.svc.cluster.local"
	tests := []struct {
		external lint.External
		assumed  int
	}{
		{lint.External{}, 0},
		{lint.External{Namespaces: []string{"billing"}}, 1},
		{lint.External{Services: []string{"billing/pay"}}, 1},
		{lint.External{Hosts: []string{"*.billing.svc.cluster.local"}}, 1},
		{lint.External{Services: []string{"billing/other"}, Hosts: []string{"example.com"}}, 0},
	}
	for _, test := range tests {
		report := run(t, lint.Config{External: test.external}, route("", elsewhere))
		if got := report.Summary.Assumed; got != test.assumed || got+report.Summary.Errors != 1 {
			t.Errorf("%+v: %d assumed, %d errors, want %d and the rest", test.external, got, report.Summary.Errors, test.assumed)
		}
	}
}

// TestUnmetNeeds: what a rule cannot decide is said, not passed over.
func TestUnmetNeeds(t *testing.T) {
	report := run(t, lint.Config{}, `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  subsets:
    - name: v1
      labels: {version: v1}
`)
	if diff := cmp.Diff([]string{"info destinationrule/unknown-host"}, names(report.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	want := []lint.Unchecked{
		{Rule: "destinationrule/subset-without-workloads", Why: "the input has no workload (Pod, Deployment…)"},
		{Rule: "exportto/unknown-namespace", Why: "the input has no Namespace"},
	}
	if diff := cmp.Diff(want, report.Summary.Unchecked); diff != "" {
		t.Errorf("unchecked (-want +got):\n%s", diff)
	}
}

func TestConfigurationErrors(t *testing.T) {
	tests := map[string]lint.Config{
		"none of error, warning, info, off": {Severity: map[string]string{"virtualservice/unknown-host": "fatal"}},
		"no name of a rule":                 {Severity: map[string]string{"unknown-host": "off"}},
		"reason is missing":                 {Ignore: []lint.Ignore{{Rule: "virtualservice/unknown-host"}}},
		"rule is missing":                   {Ignore: []lint.Ignore{{Reason: "because"}}},
		"is no pattern for paths":           {Ignore: []lint.Ignore{{Rule: "*", Reason: "because", Path: "a[b"}}},
		"is no directory":                   {Rules: []string{"testdata/nowhere"}},
	}
	mesh := load(t, fstest.MapFS{"mesh.yaml": {Data: []byte(cart)}}, "mesh.yaml")
	for want, cfg := range tests {
		if _, err := lint.Run(t.Context(), mesh, lint.Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// userRule writes a rule folder of a user's own and returns the directory that holds it.
func userRule(t *testing.T, rego string) string {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "team", "own-rule")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"rule.yaml": "title: Services say who owns them\nseverity: warning\nkinds: [Service]\n", "rule.rego": "package team.own_rule\n" + rego} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUserRule(t *testing.T) {
	dir := userRule(t, `findings contains {"path": "metadata.labels", "message": "who owns this?"} if not input.metadata.labels.owner`)
	report := run(t, lint.Config{Rules: []string{dir}}, cart)
	if diff := cmp.Diff([]string{"warning team/own-rule"}, names(report.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestUserRuleSandbox: a user's rule reaches neither network nor clock nor environment, and what is wrong with it is an error.
func TestUserRuleSandbox(t *testing.T) {
	tests := map[string]string{
		`findings contains {"message": sprintf("%v", [http.send({"method": "get", "url": "http://example.com"})])}`: "undefined function http.send",
		`findings contains {"message": sprintf("%v", [time.now_ns()])}`:                                             "undefined function time.now_ns",
		`findings contains {"message": sprintf("%v", [opa.runtime()])}`:                                             "undefined function opa.runtime",
		`findings contains {"message": sprintf("%v", [rand.intn("x", 3)])}`:                                         "undefined function rand.intn",
		`findings contains {"message": sprintf("%v", [net.lookup_ip_addr("example.com")])}`:                         "undefined function net.lookup_ip_addr",
		`findings contains "no object"`:                                                                             "must be an object",
		`findings contains {"path": "spec"}`:                                                                        "must be an object with message",
		`findings contains {"message": "x"} if to_number("y")`:                                                      "a rule failed",
		`findings contains {"message": "x"`:                                                                         "team/own-rule",
		`findings contains {"message": "x"} if data.nowhere.f()`:                                                    "do not compile",
	}
	mesh := load(t, fstest.MapFS{"mesh.yaml": {Data: []byte(cart)}}, "mesh.yaml")
	for rego, want := range tests {
		_, err := lint.Run(t.Context(), mesh, lint.Options{Config: lint.Config{Rules: []string{userRule(t, rego)}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot %v, want an error with %q", rego, err, want)
		}
	}
}

func TestUserRulePackage(t *testing.T) {
	dir := userRule(t, "")
	file := filepath.Join(dir, "team", "own-rule", "rule.rego")
	if err := os.WriteFile(file, []byte("package virtualservice.unknown_host\nfindings := set()"), 0o644); err != nil {
		t.Fatal(err)
	}
	mesh := load(t, fstest.MapFS{"mesh.yaml": {Data: []byte(cart)}}, "mesh.yaml")
	_, err := lint.Run(t.Context(), mesh, lint.Options{Config: lint.Config{Rules: []string{dir}}})
	if err == nil || !strings.Contains(err.Error(), `must begin with "package team.own_rule"`) {
		t.Errorf("got %v", err)
	}
}

// TestSameReportTwice: neither cores nor maps change a byte.
func TestSameReportTwice(t *testing.T) {
	mesh := load(t, files(40), "mesh.yaml")
	first, err := lint.Run(t.Context(), mesh, lint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := lint.Run(t.Context(), mesh, lint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("another report (-first +again):\n%s", diff)
		}
	}
}

func TestCancelled(t *testing.T) {
	mesh := load(t, files(4), "mesh.yaml")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lint.Run(ctx, mesh, lint.Options{}); err == nil {
		t.Error("no error though the context ended")
	}
}

// files is a mesh of n applications: Service, Deployment, VirtualService, DestinationRule and AuthorizationPolicy each.
func files(n int) fstest.MapFS {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: app-%[1]d, namespace: ns-%[2]d}
spec:
  selector: {app: app-%[1]d}
  ports: [{name: http, port: 80}, {name: grpc-api, port: 9090}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-%[1]d, namespace: ns-%[2]d}
spec:
  selector: {matchLabels: {app: app-%[1]d}}
  template:
    metadata: {labels: {app: app-%[1]d, version: v1}}
    spec: {containers: [{name: app, image: example.com/app}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-%[1]d, namespace: ns-%[2]d}
spec:
  hosts: [app-%[1]d]
  http:
    - match:
        - uri: {prefix: /api}
          headers: {x-user: {exact: me}}
      timeout: 5s
      retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,connect-failure"}
      route:
        - destination: {host: app-%[1]d, subset: v1, port: {number: 80}}
          weight: 90
        - destination: {host: app-%[1]d, subset: v2, port: {number: 80}}
          weight: 10
    - route:
        - destination: {host: app-%[1]d, port: {number: 80}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app-%[1]d, namespace: ns-%[2]d}
spec:
  host: app-%[1]d
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100, connectTimeout: 1s}}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s}
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: app-%[1]d, namespace: ns-%[2]d}
spec:
  selector: {matchLabels: {app: app-%[1]d}}
  rules:
    - from: [{source: {principals: [cluster.local/ns/ns-%[2]d/sa/default]}}]
      to: [{operation: {methods: [GET], paths: [/api/*]}}]
`, i, i%20)
	}
	return fstest.MapFS{"mesh.yaml": {Data: []byte(b.String())}}
}

func BenchmarkRun2000Documents(b *testing.B) {
	mesh := load(b, files(400), "mesh.yaml")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lint.Run(b.Context(), mesh, lint.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunOneApplication(b *testing.B) {
	mesh := load(b, files(1), "mesh.yaml")
	for b.Loop() {
		if _, err := lint.Run(b.Context(), mesh, lint.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestExportToMeets: two resources disagree only where one namespace sees both.
func TestExportToMeets(t *testing.T) {
	entry := func(namespace, exportTo, protocol string) string {
		return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api-%[3]s, namespace: %[1]s}
spec:
  hosts: [api.example.com]
  exportTo: [%[2]s]
  ports: [{number: 443, name: api, protocol: %[3]s}]
  resolution: DNS
`, namespace, exportTo, strings.ToLower(protocol))
	}
	tests := []struct {
		name string
		a, b [2]string // namespace, exportTo
		want int
	}{
		{"both own, one namespace", [2]string{"shop", `"."`}, [2]string{"shop", `"."`}, 2},
		{"both own, two namespaces", [2]string{"shop", `"."`}, [2]string{"pay", `"."`}, 0},
		{"one for all", [2]string{"shop", `"."`}, [2]string{"pay", `"*"`}, 2},
		{"named", [2]string{"shop", `"."`}, [2]string{"pay", `shop`}, 2},
		{"named, another", [2]string{"shop", `"."`}, [2]string{"pay", `web`}, 0},
	}
	for _, test := range tests {
		report := run(t, lint.Config{}, entry(test.a[0], test.a[1], "HTTPS")+entry(test.b[0], test.b[1], "HTTP"))
		got := 0
		for _, f := range report.Findings {
			if f.Rule == "serviceentry/conflicting-protocol" {
				got++
			}
		}
		if got != test.want {
			t.Errorf("%s: %d findings, want %d", test.name, got, test.want)
		}
	}
}
