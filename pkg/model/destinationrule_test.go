package model_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

func rule(ns, name, spec string) string {
	return istio("networking", "DestinationRule", ns, name, spec)
}

// chosen describes the rule that a proxy uses for a service: the rules merged, whether there is a policy, and the subsets.
func chosen(m *model.Mesh, p *model.Proxy, host string) string {
	scope := m.ScopeOf(p)
	d := scope.DestinationRule(scope.Service(host))
	if d == nil {
		return ""
	}
	var parts []string
	for _, r := range d.From {
		parts = append(parts, r.Namespace+"/"+r.Name)
	}
	if d.Spec.TrafficPolicy != nil {
		parts = append(parts, "policy of "+d.PolicyFrom.Resource.Name)
	}
	for i, s := range d.Spec.Subsets {
		parts = append(parts, s.Name+" of "+d.SubsetFrom[i].Resource.Name)
	}
	return strings.Join(parts, ", ")
}

func TestDestinationRules(t *testing.T) {
	const host = "web.shop.svc.cluster.local"
	web := svc("shop", "web", "ports: [{port: 80}]")
	tls, subset := "trafficPolicy: {tls: {mode: DISABLE}}", func(n string) string { return "subsets: [{name: " + n + "}]" }
	for _, c := range []struct {
		name  string
		rules []string
		from  string // namespace of the proxy
		want  string
	}{
		{"short name", []string{rule("shop", "r", "host: web")}, "shop", "shop/r"},
		{"of the client before the service's", []string{rule("shop", "r", "host: web"), rule("client", "c", "host: "+host)}, "client", "client/c"},
		{"of the service", []string{rule("shop", "r", "host: web"), rule("istio-system", "root", "host: "+host)}, "client", "shop/r"},
		{"of the root namespace last", []string{rule("istio-system", "root", "host: '*.cluster.local'")}, "client", "istio-system/root"},
		{"most specific host", []string{rule("shop", "all", "host: '*'"), rule("shop", "suffix", "host: '*.shop.svc.cluster.local'")}, "client", "shop/suffix"},
		{"private", []string{rule("shop", "r", "host: web, exportTo: ['.']")}, "client", ""},
		{"exported by name", []string{rule("shop", "r", "host: web, exportTo: [client]")}, "client", "shop/r"},
		{"most specific is hidden", []string{rule("shop", "r", "host: web, exportTo: ['.']"), rule("shop", "s", "host: '*.shop.svc.cluster.local'")}, "client", "shop/s"},
		{"merged", []string{rule("shop", "a", "host: web, "+subset("v1")), rule("shop", "b", "host: "+host+", "+tls+", subsets: [{name: v1}, {name: v2}]")}, "client",
			"shop/a, shop/b, policy of b, v1 of a, v2 of b"},
		{"oldest policy counts", []string{rule("shop", "a", "host: web, "+tls), aged(rule("shop", "b", "host: web, "+tls), "2020-01-01T00:00:00Z")}, "client",
			"shop/a, shop/b, policy of a"},
		{"not merged across exportTo", []string{rule("shop", "a", "host: web, exportTo: [x], "+subset("v1")), rule("shop", "b", "host: web, exportTo: ['*'], "+subset("v2"))}, "client",
			"shop/b, v2 of b"},
		{"for some workloads", []string{rule("client", "a", "host: "+host+", "+subset("v1")), rule("client", "b", "host: "+host+", workloadSelector: {matchLabels: {app: c}}, "+subset("v2"))}, "client",
			"client/b, v2 of b"},
		{"for other workloads", []string{rule("client", "a", "host: "+host), rule("client", "b", "host: "+host+", workloadSelector: {matchLabels: {app: other}}, "+tls)}, "client",
			"client/a"},
		{"private to the root namespace", []string{rule("istio-system", "r", "host: "+host+", exportTo: ['.']"), rule("shop", "s", "host: web")}, "istio-system", "istio-system/r"},
		{"root namespace asks the service's first", []string{rule("istio-system", "r", "host: "+host), rule("shop", "s", "host: web")}, "istio-system", "shop/s"},
	} {
		m := world(t, append(c.rules, web)...)
		if diff := cmp.Diff(c.want, chosen(m, sidecar(c.from, map[string]string{"app": "c"}), host)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
