package compile

import (
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

func TestAcrossNetworks(t *testing.T) {
	networks := `
networks:
  n1: {gateways: [{address: 203.0.113.1, port: 15443}]}
  n2: {gateways: [{address: 203.0.113.3, port: 15443}, {address: 203.0.113.2, port: 15443}]}
  n3: {endpoints: [{fromCidr: 10.9.0.0/16}]}
`
	for _, tt := range []struct {
		name, networks, proxy string
		want                  []string
	}{
		{"no gateways", "{}", "n1", []string{"r1 p0 w4 1*a 2*b 1*c", "r2 p0 w3 3*d"}},
		{
			"gateways in place of what is behind them", networks, "n1",
			[]string{"r1 p0 w8 2*a 2*c 2*203.0.113.2 2*203.0.113.3", "r2 p0 w6 3*203.0.113.2 3*203.0.113.3"},
		},
		{"from the other network", networks, "n2", []string{"r1 p0 w8 4*b 2*c 2*203.0.113.1", "r2 p0 w6 6*d"}},
		{
			"from nowhere in particular", networks, "",
			[]string{"r1 p0 w8 2*c 2*203.0.113.1 2*203.0.113.2 2*203.0.113.3", "r2 p0 w6 3*203.0.113.2 3*203.0.113.3"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n meshconfig.MeshNetworks
			if err := yaml.Unmarshal([]byte(tt.networks), &n); err != nil {
				t.Fatal(err)
			}
			b := &builder{
				mesh:    &model.Mesh{},
				proxy:   &model.Proxy{Network: tt.proxy},
				sources: provenance.New(),
			}
			eb := &endpointBuilder{builder: b}
			eb.gateways, eb.factor = networkGateways(&n, nil)
			var got []*endpointv3.LocalityLbEndpoints
			for _, g := range eb.acrossNetworks(groupsOf(eb, "r1 1*a@n1 2*b@n2 1*c@n3", "r2 3*d@n2")) {
				got = append(got, g.message())
			}
			if diff := cmp.Diff(tt.want, describe(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNetworkGateways(t *testing.T) {
	service := func(hostname string, labels map[string]string, text string) *model.Service {
		var s corev1.Service
		if err := yaml.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return &model.Service{Hostname: hostname, Labels: labels, Source: (&resource.Resource{Kind: "Service", Object: &s}).At("")}
	}
	services := []*model.Service{
		service("east.example", map[string]string{networkLabel: "n1"}, `{status: {loadBalancer: {ingress: [{ip: 192.0.2.2}, {hostname: lb.example}]}}}`),
		service("west.example", map[string]string{networkLabel: "n2", gatewayPortLabel: "443"}, `{spec: {externalIPs: [192.0.2.4, 192.0.2.3]}}`),
		service("named.example", nil, `{spec: {externalIPs: [192.0.2.5]}}`),
		service("pending.example", map[string]string{networkLabel: "n5"}, `{}`),
	}
	var networks meshconfig.MeshNetworks
	if err := yaml.Unmarshal([]byte(`
networks:
  n1: {gateways: [{address: 203.0.113.1, port: 1}]}
  n3: {gateways: [{registryServiceName: named.example, port: 15}, {address: not.an.address, port: 1}]}
  n4: {gateways: [{address: 203.0.113.4, port: 4}, {address: 203.0.113.3, port: 3}, {address: 203.0.113.5, port: 5}]}
`), &networks); err != nil {
		t.Fatal(err)
	}
	got, factor := networkGateways(&networks, services)
	want := map[string][]networkGateway{
		"n1": {{"192.0.2.2", 15443}},
		"n2": {{"192.0.2.3", 443}, {"192.0.2.4", 443}},
		"n3": {{"192.0.2.5", 15}},
		"n4": {{"203.0.113.3", 3}, {"203.0.113.4", 4}, {"203.0.113.5", 5}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(networkGateway{})); diff != "" {
		t.Error(diff)
	}
	if factor != 6 {
		t.Errorf("weights are multiplied by %d, want 6", factor)
	}
}
