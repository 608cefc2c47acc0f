package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// ruleOf reads the spec of a DestinationRule named r.
func ruleOf(t *testing.T, spec string) *model.DestinationRule {
	t.Helper()
	var rule networking.DestinationRule
	if err := yaml.Unmarshal([]byte(spec), &rule); err != nil {
		t.Fatal(err)
	}
	r := &resource.Resource{APIVersion: "networking.istio.io/v1", Kind: "DestinationRule", Namespace: "default", Name: "r", Object: &rule}
	out := &model.DestinationRule{
		Spec: &rule, From: []resource.Of[*networking.DestinationRule]{{Resource: r, Spec: &rule}}, PolicyFrom: r.At("spec.trafficPolicy"),
	}
	for i := range rule.GetSubsets() {
		out.SubsetFrom = append(out.SubsetFrom, r.At(resource.Index("spec.subsets", i)))
	}
	return out
}

const mergedRule = `
host: server
trafficPolicy:
  connectionPool: {tcp: {maxConnections: 10}}
  outlierDetection: {interval: 7s}
  loadBalancer: {simple: RANDOM}
  tls: {mode: ISTIO_MUTUAL}
  proxyProtocol: {version: V2}
  retryBudget: {minRetryConcurrency: 5}
  portLevelSettings:
  - port: {number: 9000}
    connectionPool: {tcp: {maxConnections: 99}}
    tls: {mode: DISABLE}
subsets:
- name: plain
- name: own
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 5}}
- name: ported
  trafficPolicy:
    outlierDetection: {interval: 9s}
    portLevelSettings:
    - port: {number: 8080}
      loadBalancer: {simple: ROUND_ROBIN}
`

func TestTrafficPolicy(t *testing.T) {
	type paths struct{ ConnectionPool, OutlierDetection, LoadBalancer, TLS, ProxyProtocol, RetryBudget string }
	policy := func(field string) string { return "spec.trafficPolicy." + field }
	for _, tt := range []struct {
		name, subset string
		port         uint32
		want         paths
	}{
		{
			"of all endpoints", "", 8080,
			paths{policy("connectionPool"), policy("outlierDetection"), policy("loadBalancer"), policy("tls"), policy("proxyProtocol"), policy("retryBudget")},
		},
		{
			"of a port with settings: these alone", "", 9000,
			paths{ConnectionPool: policy("portLevelSettings[0].connectionPool"), TLS: policy("portLevelSettings[0].tls")},
		},
		{
			"of a subset without a policy", "plain", 9000,
			paths{ConnectionPool: policy("portLevelSettings[0].connectionPool"), TLS: policy("portLevelSettings[0].tls")},
		},
		{
			"of a subset: its own over the rule's", "own", 8080,
			paths{
				"spec.subsets[1].trafficPolicy.connectionPool", policy("outlierDetection"), policy("loadBalancer"), policy("tls"),
				policy("proxyProtocol"), policy("retryBudget"),
			},
		},
		{
			"of a subset's port: its settings alone", "ported", 8080,
			paths{
				LoadBalancer:  "spec.subsets[2].trafficPolicy.portLevelSettings[0].loadBalancer",
				ProxyProtocol: policy("proxyProtocol"), RetryBudget: policy("retryBudget"),
			},
		},
		{
			"of a subset on another port", "ported", 7070,
			paths{
				policy("connectionPool"), "spec.subsets[2].trafficPolicy.outlierDetection", policy("loadBalancer"), policy("tls"),
				policy("proxyProtocol"), policy("retryBudget"),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule, port := ruleOf(t, mergedRule), &model.Port{Number: tt.port}
			got := policyOf(rule, port)
			if subset, from := rule.Subset(tt.subset); subset != nil {
				got = subsetPolicyOf(rule, subset, from, port)
			}
			if diff := cmp.Diff(tt.want, paths{
				got.connectionPool.from.Path, got.outlierDetection.from.Path, got.loadBalancer.from.Path, got.tls.from.Path,
				got.proxyProtocol.from.Path, got.retryBudget.from.Path,
			}); diff != "" {
				t.Error(diff)
			}
			if (got.loadBalancer.value == nil) != (tt.want.LoadBalancer == "") {
				t.Errorf("load balancer %v from %q", got.loadBalancer.value, tt.want.LoadBalancer)
			}
		})
	}
}

func TestRuleTLSMode(t *testing.T) {
	rule := ruleOf(t, `
host: server
trafficPolicy:
  tls: {mode: ISTIO_MUTUAL}
  portLevelSettings:
  - port: {number: 9000}
    tls: {mode: DISABLE}
  - port: {number: 9001}
subsets:
- name: plain
- name: own
  trafficPolicy: {tls: {mode: SIMPLE}}
`)
	for _, tt := range []struct {
		name, subset string
		port         uint32
		want         string
	}{
		{"the rule's", "", 8080, "ISTIO_MUTUAL"},
		{"the port's", "", 9000, "DISABLE"},
		{"the rule's where the port has none", "", 9001, "ISTIO_MUTUAL"},
		{"a subset inherits the rule's", "plain", 8080, "ISTIO_MUTUAL"},
		{"and the port's", "plain", 9000, "DISABLE"},
		{"the subset's", "own", 8080, "SIMPLE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			subset, _ := rule.Subset(tt.subset)
			got := "none"
			if mode := ruleTLSMode(rule, subset, &model.Port{Number: tt.port}); mode != nil {
				got = mode.String()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
