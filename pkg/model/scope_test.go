package model_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
)

// threeNamespaces holds services that are public, private and exported by name.
var threeNamespaces = []string{
	svc("a", "one", "ports: [{name: http, port: 80}, {name: tcp, port: 90}]"),
	svc("b", "two", "ports: [{name: http, port: 80}]"),
	"apiVersion: v1\nkind: Service\nmetadata: {name: hidden, namespace: b, annotations: {networking.istio.io/exportTo: '.'}}\nspec: {ports: [{name: http, port: 80}]}",
	"apiVersion: v1\nkind: Service\nmetadata: {name: given, namespace: b, annotations: {networking.istio.io/exportTo: 'a,x'}}\nspec: {ports: [{name: http, port: 80}]}",
	istio("networking", "ServiceEntry", "c", "ext", "hosts: [ext.example.com], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]"),
}

func TestScopeWithoutSidecar(t *testing.T) {
	m := world(t, threeNamespaces...)
	for ns, want := range map[string][]string{
		"a": {"ext.example.com 443", "given.b.svc.cluster.local 80", "one.a.svc.cluster.local 80 90", "two.b.svc.cluster.local 80"},
		"b": {"ext.example.com 443", "hidden.b.svc.cluster.local 80", "one.a.svc.cluster.local 80 90", "two.b.svc.cluster.local 80"},
		"c": {"ext.example.com 443", "one.a.svc.cluster.local 80 90", "two.b.svc.cluster.local 80"},
	} {
		for _, p := range []*model.Proxy{sidecar(ns, nil), router(ns, nil)} {
			scope := m.ScopeOf(p)
			if diff := cmp.Diff(want, ports(scope.Services)); diff != "" {
				t.Errorf("%s in %s: %s", p.Type, ns, diff)
			}
			if len(scope.EgressListeners) != 1 || scope.EgressListeners[0].Spec != nil || scope.Sidecar != nil {
				t.Errorf("%s in %s: %+v", p.Type, ns, scope.EgressListeners)
			}
		}
	}
}

func TestScopeThroughSidecar(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		want       []string
	}{
		{"own namespace", "egress: [{hosts: ['./*']}]", []string{"one.a.svc.cluster.local 80 90"}},
		{"by host", "egress: [{hosts: ['b/two.b.svc.cluster.local']}]", []string{"two.b.svc.cluster.local 80"}},
		{"by wildcard host", "egress: [{hosts: ['*/*.example.com']}]", []string{"ext.example.com 443"}},
		{"nothing", "egress: [{hosts: ['~/*']}]", nil},
		{"hidden stays hidden", "egress: [{hosts: ['b/hidden.b.svc.cluster.local']}]", nil},
		{"by port", "egress: [{port: {number: 90, name: tcp, protocol: TCP}, hosts: ['*/*']}]", []string{"one.a.svc.cluster.local 90"}},
		{"ports of two listeners", "egress: [{port: {number: 90, name: tcp, protocol: TCP}, hosts: ['*/*']}, {hosts: ['a/*']}]", []string{"one.a.svc.cluster.local 90 80"}},
		{"without egress", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}", []string{"ext.example.com 443", "given.b.svc.cluster.local 80", "one.a.svc.cluster.local 80 90", "two.b.svc.cluster.local 80"}},
	} {
		m := world(t, append(threeNamespaces, istio("networking", "Sidecar", "a", "default", c.spec))...)
		if diff := cmp.Diff(c.want, ports(m.ScopeOf(sidecar("a", nil)).Services)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if got := len(m.ScopeOf(router("a", nil)).Services); got != 4 {
			t.Errorf("%s: a gateway sees %d services", c.name, got)
		}
	}
}

func TestVirtualServiceDestinationsAreImported(t *testing.T) {
	for _, c := range []struct {
		name, route string
		want        []string
	}{
		{"any port", "route: [{destination: {host: one.a.svc.cluster.local}}]", []string{"one.a.svc.cluster.local 80 90", "two.b.svc.cluster.local 80"}},
		{"a port", "route: [{destination: {host: one.a.svc.cluster.local, port: {number: 90}}}]", []string{"one.a.svc.cluster.local 90", "two.b.svc.cluster.local 80"}},
		{"a port that it lacks", "route: [{destination: {host: one.a.svc.cluster.local, port: {number: 1}}}]", []string{"two.b.svc.cluster.local 80"}},
		{"for others", "match: [{sourceNamespace: x}, {uri: {prefix: /}}], route: [{destination: {host: one.a.svc.cluster.local}}]", []string{"two.b.svc.cluster.local 80"}},
		{"mirrored", "route: [{destination: {host: two}}], mirrors: [{destination: {host: one.a.svc.cluster.local, port: {number: 80}}}]", []string{"one.a.svc.cluster.local 80", "two.b.svc.cluster.local 80"}},
	} {
		m := world(t, append(threeNamespaces,
			istio("networking", "Sidecar", "b", "default", "egress: [{hosts: [b/two.b.svc.cluster.local]}]"),
			istio("networking", "VirtualService", "b", "two", "hosts: [two], http: [{"+c.route+"}]"))...)
		if diff := cmp.Diff(c.want, ports(m.ScopeOf(sidecar("b", nil)).Services)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestWhichSidecarApplies(t *testing.T) {
	m := world(t,
		istio("networking", "Sidecar", "istio-system", "mesh", "egress: [{hosts: ['./*']}]"),
		istio("networking", "Sidecar", "istio-system", "some", "workloadSelector: {labels: {app: web}}, egress: [{hosts: ['./*']}]"),
		istio("networking", "Sidecar", "a", "all", "egress: [{hosts: ['./*']}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}"),
		istio("networking", "Sidecar", "a", "web", "workloadSelector: {labels: {app: web}}, egress: [{hosts: ['./*']}]"),
	)
	for _, c := range []struct {
		ns, app, want string
		policy        networking.OutboundTrafficPolicy_Mode
	}{
		{"a", "web", "a/web", networking.OutboundTrafficPolicy_ALLOW_ANY},
		{"a", "db", "a/all", networking.OutboundTrafficPolicy_REGISTRY_ONLY},
		{"b", "web", "istio-system/mesh", networking.OutboundTrafficPolicy_ALLOW_ANY},
	} {
		scope := m.ScopeOf(sidecar(c.ns, map[string]string{"app": c.app}))
		if got := scope.Sidecar.Namespace + "/" + scope.Sidecar.Name; got != c.want || scope.OutboundTrafficPolicy.Mode != c.policy {
			t.Errorf("%s in %s: %s, %s", c.app, c.ns, got, scope.OutboundTrafficPolicy.Mode)
		}
	}
}

func TestOneHostnameInSeveralNamespaces(t *testing.T) {
	entry := func(ns, host string) string {
		return istio("networking", "ServiceEntry", ns, "se", "hosts: ["+host+"], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]")
	}
	m := world(t, entry("a", "x.com"), entry("b", "x.com"), entry("z", "x.com"),
		entry("c", "web.d.svc.cluster.local"), svc("d", "web", "ports: [{port: 80}]"))
	for ns, want := range map[string]string{"b": "b", "z": "z", "other": "a"} {
		if got := m.ScopeOf(sidecar(ns, nil)).Service("x.com").Namespace; got != want {
			t.Errorf("%s sees x.com of %s, not of %s", ns, got, want)
		}
	}
	if got := m.ScopeOf(sidecar("other", nil)).Service("web.d.svc.cluster.local"); !got.Kubernetes {
		t.Error("a ServiceEntry took the name of a Kubernetes Service")
	}
}

func BenchmarkScope(b *testing.B) {
	const n = 1000
	m, err := model.Load(b.Context(), model.Options{FS: inTree("w.yaml", stream(5*n))}, ".")
	if err != nil {
		b.Fatal(err)
	}
	m.ScopeOf(sidecar("warm-up", nil))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		// A namespace of its own each time: scopes are kept.
		if got := len(m.ScopeOf(sidecar(fmt.Sprint("new-", i), nil)).Services); got != n {
			b.Fatal(got)
		}
	}
}
