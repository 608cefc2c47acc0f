package model_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

// listed describes proxies: "sidecar web.shop as SERVICEACCOUNT", with "assumed" where meshc made one up.
func listed(m *model.Mesh) []string {
	var out []string
	for _, p := range m.Proxies() {
		line := fmt.Sprintf("%s %s as %s", p.Type, p.ID(), p.ServiceAccount)
		if p.Assumed != "" {
			line += " assumed"
		}
		out = append(out, line)
	}
	return out
}

func TestProxiesOfTheInput(t *testing.T) {
	gateway := func(ns, selector string) string {
		return istio("networking", "Gateway", ns, "gw", "selector: {"+selector+"}, servers: []")
	}
	app := deployment("shop", "web", "app: web", "serviceAccountName: web, containers: [{name: app, image: x}]")
	for _, c := range []struct {
		name  string
		world []string
		want  []string
	}{
		{"a sidecar a workload", []string{app}, []string{"sidecar web.shop as web"}},
		{"none for what is not injected", []string{namespace("shop", ""), app}, nil},
		{"Istio's default gateway", []string{app, gateway("shop", "istio: ingressgateway")},
			[]string{"router istio-ingressgateway.istio-system as istio-ingressgateway-service-account assumed", "sidecar web.shop as web"}},
		{"a gateway of the input", []string{gateway("shop", "istio: ingressgateway"), deployment("edge", "front", "istio: ingressgateway", "containers: [{name: istio-proxy, image: auto}]")},
			[]string{"router front.edge as default"}},
		{"another gateway", []string{gateway("shop", "team: a, role: edge")}, []string{"router edge-a.shop as edge-a assumed"}},
		{"one gateway for two selectors", []string{gateway("shop", "istio: ingressgateway"), gateway("other", "app: istio-ingressgateway")},
			[]string{"router istio-ingressgateway.istio-system as istio-ingressgateway-service-account assumed"}},
		{"Gateway API", []string{"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: front, namespace: edge}\nspec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}"},
			[]string{"router front-istio.edge as front-istio assumed"}},
		{"of another class", []string{"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: front, namespace: edge}\nspec: {gatewayClassName: nginx, listeners: []}"},
			[]string{"sidecar assumed-sidecar.edge as default assumed"}},
		{"configuration alone", []string{istio("security", "PeerAuthentication", "a", "p", "mtls: {mode: STRICT}"), istio("networking", "DestinationRule", "b", "d", "host: x")},
			[]string{"sidecar assumed-sidecar.a as default assumed", "sidecar assumed-sidecar.b as default assumed"}},
		{"mesh-wide configuration alone", []string{istio("security", "PeerAuthentication", "istio-system", "p", "mtls: {mode: STRICT}")},
			[]string{"sidecar assumed-sidecar.default as default assumed"}},
		{"settings alone", []string{configMap("istio", "    accessLogFile: /dev/stdout\n")}, []string{"sidecar assumed-sidecar.default as default assumed"}},
	} {
		m := world(t, c.world...)
		if diff := cmp.Diff(c.want, listed(m)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		for _, p := range m.Proxies() {
			if p.IP == "" {
				t.Errorf("%s: %s has no address", c.name, p.ID())
			}
		}
	}
}

func TestAssumedSidecarCarriesTheOneSelector(t *testing.T) {
	policy := func(app string) string {
		return istio("security", "AuthorizationPolicy", "a", app, "selector: {matchLabels: {app: "+app+"}}")
	}
	if p := world(t, policy("web")).Proxies()[0]; p.Labels["app"] != "web" {
		t.Error(p.Labels)
	}
	if p := world(t, policy("web"), policy("db")).Proxies()[0]; p.Labels["app"] != "" {
		t.Error(p.Labels)
	}
}

func TestOperatorsGateways(t *testing.T) {
	m := world(t, `apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: op, namespace: istio-system}
spec:
  components:
    ingressGateways:
    - {name: in, namespace: edge, enabled: true, label: {zone: a}, k8s: {service: {ports: [{name: http2, port: 80, targetPort: 8088}]}}}
    - {name: off, enabled: false}
    egressGateways:
    - {name: istio-egressgateway, enabled: true}`,
		istio("networking", "Gateway", "shop", "gw", "selector: {zone: a}, servers: []"))
	want := []string{"router in.edge as in-service-account assumed", "router istio-egressgateway.istio-system as istio-egressgateway-service-account assumed"}
	if diff := cmp.Diff(want, listed(m)); diff != "" {
		t.Fatal(diff)
	}
	in := m.Proxies()[0]
	if got := len(m.GatewaysFor(in)); got != 1 {
		t.Error("its label answers the Gateway's selector:", got)
	}
	targets := m.ServiceTargets(in)
	if len(targets) != 1 || targets[0].TargetPort != 8088 || targets[0].Service.Assumed == "" {
		t.Errorf("%+v", targets)
	}
}

func TestProxiesFile(t *testing.T) {
	tree := fstest.MapFS{
		"w/a.yaml":     {Data: []byte(livePod("shop", "web-1", "app: web", "10.0.0.1") + "\n---\n" + istio("networking", "Gateway", "shop", "gw", "selector: {istio: ingressgateway}, servers: []"))},
		"proxies.yaml": {Data: []byte("- {name: web-1, namespace: shop, type: sidecar, ip: 10.0.0.1, labels: {app: web}, serviceAccount: web}\n- {name: edge, namespace: infra, type: router, ip: 10.0.0.2, labels: {istio: ingressgateway}}\n")},
	}
	m := load(t, model.Options{FS: tree, ProxiesFile: "proxies.yaml"}, "w")
	if diff := cmp.Diff([]string{"router edge.infra as default", "sidecar web-1.shop as web"}, listed(m)); diff != "" {
		t.Error(diff)
	}
	if got := len(m.GatewaysFor(m.Proxies()[0])); got != 1 {
		t.Error(got)
	}
	if src := m.Proxies()[1].Source; src.Resource == nil || src.Resource.Kind != "Pod" {
		t.Error(src)
	}
	if got := len(m.Services()); got != 0 {
		t.Error("nothing is assumed beside a proxies file")
	}
}

func TestServiceTargets(t *testing.T) {
	m := world(t,
		deployment("shop", "web", "app: web", "containers: [{name: a, image: b, ports: [{name: rest, containerPort: 8081}]}]"),
		svc("shop", "web", "selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: rest, port: 81, targetPort: rest}, {name: gone, port: 82, targetPort: nowhere}]"),
		svc("shop", "alias", "selector: {app: web}, ports: [{name: http, port: 8000, targetPort: 8080}]"),
		svc("shop", "db", "selector: {app: db}, ports: [{port: 5432}]"),
		svc("other", "web", "selector: {app: web}, ports: [{port: 80}]"),
		istio("networking", "ServiceEntry", "shop", "se", "hosts: [a.example.com], resolution: STATIC, workloadSelector: {labels: {app: web}}, ports: [{number: 90, name: http, protocol: HTTP, targetPort: 9090}]"),
	)
	var got []string
	for _, target := range m.ServiceTargets(m.Proxies()[0]) {
		got = append(got, fmt.Sprintf("%s:%d>%d", target.Service.Name, target.Port.Number, target.TargetPort))
	}
	if diff := cmp.Diff([]string{"alias:8000>8080", "web:80>8080", "web:81>8081", "a.example.com:90>9090"}, got); diff != "" {
		t.Error(diff)
	}
}
