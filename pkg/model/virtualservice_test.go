package model_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

func names(all []*model.VirtualService) []string {
	var out []string
	for _, v := range all {
		out = append(out, v.Namespace+"/"+v.Name)
	}
	return out
}

func TestShortNamesAreWrittenOut(t *testing.T) {
	m := world(t, istio("networking", "VirtualService", "shop", "v", `
  hosts: [web, x.com], gateways: [mesh, gw, ./own, infra/gw],
  http: [{match: [{gateways: [gw]}], route: [{destination: {host: web}}], mirror: {host: copy}}],
  tls: [{match: [{sniHosts: [x.com], gateways: [mesh]}], route: [{destination: {host: tls}}]}],
  tcp: [{route: [{destination: {host: far.example.com}}]}]`))
	v := m.VirtualServices()[0].Spec
	got := strings.Join(append(append(v.Hosts, v.Gateways...), v.Http[0].Match[0].Gateways[0], v.Http[0].Route[0].Destination.Host,
		v.Http[0].Mirror.Host, v.Tls[0].Match[0].Gateways[0], v.Tls[0].Route[0].Destination.Host, v.Tcp[0].Route[0].Destination.Host), " ")
	want := "web.shop.svc.cluster.local x.com mesh shop/gw shop/own infra/gw shop/gw web.shop.svc.cluster.local copy.shop.svc.cluster.local mesh tls.shop.svc.cluster.local far.example.com"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVirtualServicesInIstiodsOrder(t *testing.T) {
	route := "http: [{route: [{destination: {host: a}}]}]"
	m := world(t,
		istio("networking", "VirtualService", "b", "z", "hosts: [a.com], gateways: [a/gw], "+route),
		istio("networking", "VirtualService", "a", "z", "hosts: [a.com], gateways: [gw], "+route),
		aged(istio("networking", "VirtualService", "b", "young", "hosts: [a.com], gateways: [a/gw], "+route), "2024-01-01T00:00:00Z"),
		aged(istio("networking", "VirtualService", "b", "old", "hosts: [a.com], gateways: [a/gw], "+route), "2023-01-01T00:00:00Z"),
		istio("networking", "VirtualService", "a", "private", "hosts: [a.com], gateways: [gw], exportTo: ['.'], "+route),
		istio("networking", "VirtualService", "b", "given", "hosts: [a.com], gateways: [a/gw], exportTo: [a], "+route),
		istio("networking", "VirtualService", "b", "kept", "hosts: [a.com], gateways: [a/gw], exportTo: ['.'], "+route),
		istio("networking", "VirtualService", "a", "sidecars", "hosts: [a.com], "+route),
	)
	got := names(m.ScopeOf(router("a", nil)).VirtualServicesFor("a/gw"))
	if diff := cmp.Diff([]string{"a/private", "b/given", "a/z", "b/z", "b/old", "b/young"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDelegates(t *testing.T) {
	m := world(t,
		istio("networking", "VirtualService", "a", "root", `hosts: [a.com], http: [
  {name: shop, match: [{uri: {prefix: /shop}, headers: {x: {exact: "1"}}}], delegate: {name: shop, namespace: b}, timeout: 3s},
  {name: gone, delegate: {name: nowhere}},
  {name: hidden, delegate: {name: hidden, namespace: b}},
  {name: rest, route: [{destination: {host: rest}}]}]`),
		istio("networking", "VirtualService", "b", "shop", `http: [
  {name: cart, match: [{uri: {exact: /shop/cart}}, {uri: {prefix: /shop/c}}], route: [{destination: {host: cart}}]},
  {name: other, match: [{uri: {prefix: /other}}], route: [{destination: {host: other}}]},
  {route: [{destination: {host: all}}], timeout: 1s}]`),
		istio("networking", "VirtualService", "b", "hidden", "exportTo: ['.'], http: [{route: [{destination: {host: h}}]}]"),
	)
	all := m.VirtualServices()
	if len(all) != 1 {
		t.Fatal(names(all))
	}
	var got []string
	for i, r := range all[0].Spec.Http {
		line := r.Name + " → " + r.Route[0].Destination.Host + " " + r.Timeout.String() + " from"
		for _, s := range all[0].HTTPFrom[i] {
			line += " " + s.Resource.Name + " " + s.Path
		}
		for _, match := range r.Match {
			line += " if " + match.Uri.GetExact() + match.Uri.GetPrefix() + " x=" + match.Headers["x"].GetExact()
		}
		got = append(got, line)
	}
	want := []string{
		"shop-cart → cart.b.svc.cluster.local seconds:3 from root spec.http[0] shop spec.http[0] if /shop/cart x=1 if /shop/c x=1",
		"shop → all.b.svc.cluster.local seconds:1 from root spec.http[0] shop spec.http[2] if /shop x=1",
		"rest → rest.a.svc.cluster.local <nil> from root spec.http[3]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDelegateMatchesThatContradict(t *testing.T) {
	for _, c := range []struct {
		root, leaf string
		kept       bool
	}{
		{"uri: {prefix: /a}", "uri: {prefix: /a/b}", true},
		{"uri: {prefix: /a}", "uri: {prefix: /b}", false},
		{"uri: {prefix: /a}", "uri: {exact: /b}", false},
		{"uri: {exact: /a}", "uri: {exact: /a}", true},
		{"uri: {exact: /a}", "uri: {prefix: /a}", false},
		{"uri: {regex: .*}", "uri: {prefix: /a}", false},
		{"uri: {prefix: /a}", "uri: {regex: .*}", false},
		{"uri: {prefix: /a}", "method: {exact: GET}", true},
		{"method: {exact: GET}", "method: {exact: POST}", false},
		{"headers: {x: {exact: a}}", "headers: {x: {exact: b}}", false},
		{"headers: {x: {exact: a}}", "headers: {y: {exact: b}}", true},
		{"queryParams: {x: {exact: a}}", "queryParams: {x: {exact: b}}", false},
		{"port: 80", "port: 90", false},
		{"uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /a}", false},
		{"sourceLabels: {a: b}", "sourceLabels: {a: c}", false},
		{"sourceNamespace: x", "sourceNamespace: x", true},
		{"sourceNamespace: x", "sourceNamespace: y", false},
	} {
		m := world(t,
			istio("networking", "VirtualService", "a", "root", "hosts: [a.com], http: [{match: [{"+c.root+"}], delegate: {name: leaf}}]"),
			istio("networking", "VirtualService", "a", "leaf", "http: [{match: [{"+c.leaf+"}], route: [{destination: {host: h}}]}]"))
		if kept := len(m.VirtualServices()[0].Spec.Http) == 1; kept != c.kept {
			t.Errorf("%s with %s: kept %v", c.root, c.leaf, kept)
		}
	}
}
