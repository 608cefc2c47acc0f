package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/lint"
)

// workloads is a mesh of sidecars in namespace shop.
func workloads(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Pod
metadata: {name: cart-%d, namespace: shop, labels: {app: cart, number: "%d", sidecar.istio.io/inject: "true"}}
spec: {containers: [{name: cart, image: cart}]}
`, i, i)
	}
	return b.String()
}

// patching is an EnvoyFilter in namespace shop with the patches, given on one line each.
func patching(selector string, patches ...string) string {
	return `---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: patch, namespace: shop}
spec:
` + selector + `  priority: 1
  configPatches:
  - ` + strings.Join(patches, "\n  - ") + "\n"
}

// TestPatchesAreTried shows what lint says of patches of EnvoyFilters: findings, what was assumed and what could not be checked.
func TestPatchesAreTried(t *testing.T) {
	const (
		fits   = `{applyTo: CLUSTER, match: {cluster: {name: PassthroughCluster}}, patch: {operation: MERGE, value: {connect_timeout: 1s}}}`
		misses = `{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: pay.billing.svc.cluster.local}}, patch: {operation: MERGE, value: {connect_timeout: 1s}}}`
		broken = `{applyTo: CLUSTER, match: {cluster: {name: PassthroughCluster}}, patch: {operation: MERGE, value: {connect_timeout: -1s}}}`
		nobody = "  workloadSelector: {labels: {app: none}}\n"
		one    = "  workloadSelector: {labels: {number: '0'}}\n"
	)
	nothing := "warning envoyfilter/matched-nothing spec.configPatches[0] of EnvoyFilter shop/patch has no effect: "
	tests := map[string]struct {
		config             lint.Config
		text               string
		findings, untested []string
		assumed            int
	}{
		"one that fits":                   {text: workloads(2) + patching("", fits)},
		"no EnvoyFilter":                  {text: workloads(2)},
		"one finding for all proxies":     {text: workloads(3) + patching("", misses), findings: []string{nothing + "none of the 3 proxies that it selects has a CLUSTER that context SIDECAR_OUTBOUND and match.cluster fit"}},
		"the only proxy":                  {text: workloads(3) + patching(one, misses), findings: []string{nothing + "cart-0.shop, the only proxy that it selects, has no CLUSTER that context SIDECAR_OUTBOUND and match.cluster fit"}},
		"what lives elsewhere is assumed": {config: lint.Config{External: lint.External{Namespaces: []string{"billing"}}}, text: workloads(1) + patching("", misses), assumed: 1},
		"no proxy selected": {text: workloads(1) + patching(nobody, fits), untested: []string{
			"the input has no proxy that the EnvoyFilter and match.proxy select: spec.configPatches[0] of EnvoyFilter shop/patch"}},
		"no gateway": {text: workloads(1) + patching("", `{applyTo: LISTENER, match: {context: GATEWAY}, patch: {operation: REMOVE}}`), untested: []string{
			"the input has no proxy of the kind that match.context asks for: spec.configPatches[0] of EnvoyFilter shop/patch"}},
		"sidecars chosen for a gateway's patch": {text: workloads(1) + patching(one, `{applyTo: LISTENER, match: {context: GATEWAY}, patch: {operation: REMOVE}}`), findings: []string{
			nothing + "no proxy that it selects is of the kind that context GATEWAY asks for"}},
		"another version": {text: workloads(1) + patching("", `{applyTo: CLUSTER, match: {proxy: {proxyVersion: '^1\.9.*'}}, patch: {operation: REMOVE}}`), untested: []string{
			"match.proxy.proxyVersion leaves out 1.31.0, the version that is compiled for: spec.configPatches[0] of EnvoyFilter shop/patch"}},
		"no workloads": {text: patching("", misses), untested: []string{
			"the input has no workload or Gateway to try it on: spec.configPatches[0] of EnvoyFilter shop/patch"}},
		"many of one reason": {text: patching("", misses, misses, misses, misses), untested: []string{
			"the input has no workload or Gateway to try it on: spec.configPatches[0] of EnvoyFilter shop/patch, spec.configPatches[1] of EnvoyFilter shop/patch, " +
				"spec.configPatches[2] of EnvoyFilter shop/patch and 1 more"}},
		"refused by Envoy": {text: workloads(1) + patching("", broken), findings: []string{
			"error envoyfilter/invalid-patch spec.configPatches[0] of EnvoyFilter shop/patch is not applied: Envoy would refuse what it makes of Cluster PassthroughCluster: " +
				"invalid Cluster.ConnectTimeout: value must be greater than 0s"}},
		"the schema has said it": {text: workloads(1) + patching("", `{applyTo: CLUSTER, patch: {operation: MERGE, value: {connect_timeout: soon}}}`), findings: []string{
			`error schema/invalid-value the value is no Cluster of Envoy: invalid google.protobuf.Duration value "soon"`}},
		"another rule has said it": {text: workloads(1) + patching("", `{applyTo: CLUSTER, patch: {operation: REPLACE, value: {name: x}}}`), findings: []string{
			"error envoyfilter/operation-without-effect REPLACE does nothing on CLUSTER"}},
		"switched off": {config: lint.Config{Severity: map[string]string{"envoyfilter/matched-nothing": "off"}}, text: workloads(1) + patching(nobody, fits)},
		"another severity": {config: lint.Config{Severity: map[string]string{"envoyfilter/*": "info"}}, text: workloads(1) + patching(one, misses), findings: []string{
			strings.Replace(nothing, "warning", "info", 1) + "cart-0.shop, the only proxy that it selects, has no CLUSTER that context SIDECAR_OUTBOUND and match.cluster fit"}},
		"accepted where it stands": {text: workloads(1) + patching(one, misses+" # meshc:ignore envoyfilter/matched-nothing the service comes later")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			report := run(t, test.config, strings.TrimPrefix(test.text, "---\n"))
			var findings, untested []string
			for _, f := range report.Findings {
				if f.Rule != "schema/envoy-internals" {
					findings = append(findings, string(f.Severity)+" "+f.Rule+" "+f.Message)
				}
			}
			for _, u := range report.Summary.Unchecked {
				if u.Rule == "envoyfilter/matched-nothing" {
					untested = append(untested, u.Why)
				}
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.untested, untested); diff != "" {
				t.Errorf("unchecked (-want +got):\n%s", diff)
			}
			if report.Summary.Assumed != test.assumed {
				t.Errorf("%d assumed, want %d", report.Summary.Assumed, test.assumed)
			}
		})
	}
}
