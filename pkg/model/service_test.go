package model_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

func TestPortProtocol(t *testing.T) {
	app := func(s string) *string { return &s }
	for _, c := range []struct {
		number          int32
		name, transport string
		app             *string
		want            model.Protocol
	}{
		{80, "http", "TCP", nil, model.HTTP},
		{80, "http-web", "TCP", nil, model.HTTP},
		{80, "http2", "TCP", nil, model.HTTP2},
		{80, "HTTP", "TCP", nil, model.HTTP},
		{80, "grpc-web-x", "TCP", nil, model.GRPCWeb},
		{80, "grpc", "TCP", nil, model.GRPC},
		{80, "web", "TCP", nil, model.Unsupported},
		{80, "", "TCP", nil, model.Unsupported},
		{53, "http", "UDP", nil, model.UDP},
		{443, "https", "TCP", nil, model.HTTPS},
		{80, "tcp", "TCP", app("http"), model.HTTP},
		{80, "http", "TCP", app("tcp"), model.TCP},
		{80, "http", "TCP", app("kubernetes.io/h2c"), model.HTTP2},
		{80, "x", "TCP", app("kubernetes.io/ws"), model.HTTP},
		{80, "x", "TCP", app("kubernetes.io/wss"), model.HTTPS},
		{3306, "db", "TCP", nil, model.TCP},
		{3306, "mysql", "TCP", nil, model.MySQL},
		{27017, "", "TCP", nil, model.TCP},
		{27017, "mongo", "TCP", nil, model.Mongo},
		{25, "", "TCP", nil, model.TCP},
	} {
		if got := model.PortProtocol(c.number, c.name, c.transport, c.app); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
}

func TestKubernetesServices(t *testing.T) {
	m := world(t,
		svc("shop", "web", "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: grpc, port: 90, targetPort: rpc}, {name: plain, port: 70}]"),
		svc("shop", "db", "clusterIP: None, ports: [{name: tcp, port: 5432}]"),
		svc("shop", "far", "type: ExternalName, externalName: far.example.com, ports: [{port: 80}]"),
		svc("shop", "bare", "ports: [{port: 80}]"),
	)
	var got []string
	for _, s := range m.Services() {
		line := fmt.Sprint(s.Hostname, " ", s.Resolution, " headless=", s.Headless, " external=", s.ExternalName)
		if len(s.Addresses) > 0 && !model.MadeUp(s.Addresses[0]) {
			line += " at " + s.Addresses[0]
		}
		for _, p := range s.Ports {
			line += fmt.Sprintf(" %s:%d>%d%s", p.Protocol, p.Number, p.TargetPort, p.TargetPortName)
		}
		got = append(got, line)
	}
	want := []string{
		"bare.shop.svc.cluster.local 0 headless=false external= UnsupportedProtocol:80>80",
		"db.shop.svc.cluster.local 2 headless=true external= TCP:5432>5432",
		"far.shop.svc.cluster.local 5 headless=false external=far.example.com UnsupportedProtocol:80>80",
		"web.shop.svc.cluster.local 0 headless=false external= at 10.96.0.1 HTTP:80>8080 GRPC:90>0rpc UnsupportedProtocol:70>70",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if web := m.ServicesByHost("bare.shop.svc.cluster.local")[0]; len(web.Addresses) != 1 || !model.MadeUp(web.Addresses[0]) {
		t.Error("a Service without a ClusterIP needs a made-up one, not", web.Addresses)
	}
}

func TestServiceEntries(t *testing.T) {
	m := world(t, istio("networking", "ServiceEntry", "shop", "ext", `
  hosts: [a.example.com, "*.b.example.com"], addresses: [10.0.0.0/8, 192.0.2.1/32, nonsense], resolution: STATIC, exportTo: ["."],
  subjectAltNames: [spiffe://x], ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]`),
		istio("networking", "ServiceEntry", "shop", "dns", `hosts: [c.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]`),
	)
	services := m.Services()
	if len(services) != 3 {
		t.Fatal(ports(services))
	}
	a := m.ServicesByHost("a.example.com")[0]
	if diff := cmp.Diff([]string{"10.0.0.0/8", "192.0.2.1"}, a.Addresses); diff != "" {
		t.Error(diff)
	}
	if a.Source.Path != "spec.hosts[0]" || !a.MeshExternal || a.Ports[0].TargetPort != 8443 || !a.ExportTo["."] || a.AutoAddress != "" {
		t.Errorf("%+v", a)
	}
	if c := m.ServicesByHost("c.example.com")[0]; !strings.HasPrefix(c.AutoAddress, "240.240.") || c.Resolution != model.DNSLB {
		t.Errorf("%+v", c)
	}
}

func TestMadeUpAddressesStay(t *testing.T) {
	one := svc("shop", "web", "ports: [{port: 80}]")
	before := world(t, one, deployment("shop", "web", "app: web", ""))
	var more []string
	for i := range 20 {
		more = append(more, svc("shop", fmt.Sprintf("other-%d", i), "ports: [{port: 80}]"))
	}
	after := world(t, append(more, one, deployment("shop", "web", "app: web", ""))...)
	address := func(m *model.Mesh) string { return m.ServicesByHost("web.shop.svc.cluster.local")[0].Addresses[0] }
	if address(before) != address(after) {
		t.Errorf("the address moved from %s to %s", address(before), address(after))
	}
	if before.Workloads()[0].Addresses[0] != after.Workloads()[0].Addresses[0] {
		t.Error("the workload's address moved")
	}
	seen := map[string]bool{}
	for _, s := range after.Services() {
		if seen[s.Addresses[0]] {
			t.Error("shared address", s.Addresses[0])
		}
		seen[s.Addresses[0]] = true
	}
}
