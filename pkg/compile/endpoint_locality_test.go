package compile

import (
	"fmt"
	"strings"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
)

// groupsOf makes a locality group of each description: a locality and, after a space, weight*address of its endpoints. The address of an
// endpoint is its label v as well.
func groupsOf(b *endpointBuilder, descriptions ...string) []*localityGroup {
	var out []*localityGroup
	for _, d := range descriptions {
		fields := strings.Fields(d)
		g := &localityGroup{locality: localityOf(strings.Trim(fields[0], "-"))}
		for _, f := range fields[1:] {
			e := &model.Endpoint{Port: 80, Ready: true, TLSMode: mtlsMode, Locality: strings.Trim(fields[0], "-")}
			weight, rest, _ := strings.Cut(f, "*")
			e.Address, e.Network, _ = strings.Cut(rest, "@")
			e.Labels = map[string]string{"v": e.Address, "region": g.locality.GetRegion()}
			fmt.Sscan(weight, &e.Weight)
			g.add(e, b.lbEndpoint(e, true))
		}
		out = append(out, g)
	}
	return out
}

// describe writes what groupsOf reads, with the weight and the priority of each group.
func describe(groups []*endpointv3.LocalityLbEndpoints) []string {
	var out []string
	for _, g := range groups {
		l := strings.TrimRight(g.GetLocality().GetRegion()+"/"+g.GetLocality().GetZone()+"/"+g.GetLocality().GetSubZone(), "/")
		s := fmt.Sprintf("%s p%d w%d", l, g.GetPriority(), g.GetLoadBalancingWeight().GetValue())
		for _, e := range g.GetLbEndpoints() {
			s += fmt.Sprintf(" %d*%s", e.GetLoadBalancingWeight().GetValue(), e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		}
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

func TestBalance(t *testing.T) {
	world := []string{"r1/z1 1*a 1*b", "r1/z2 1*c", "r2/z1 2*d", "r3/z1 1*e"}
	for _, tt := range []struct {
		name, policy string
		byLabels     bool
		want         []string
	}{
		{
			"without outlier detection nothing fails over", `{}`, true,
			[]string{"r1/z1 p0 w2 1*a 1*b", "r1/z2 p0 w1 1*c", "r2/z1 p0 w2 2*d", "r3/z1 p0 w1 1*e"},
		},
		{
			"by distance", `{outlierDetection: {}}`, true,
			[]string{"r1/z1 p0 w2 1*a 1*b", "r1/z2 p1 w1 1*c", "r2/z1 p2 w2 2*d", "r3/z1 p2 w1 1*e"},
		},
		{
			"to a region that is named", `{outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: r1, to: r3}]}}}`, true,
			[]string{"r1/z1 p0 w2 1*a 1*b", "r1/z2 p1 w1 1*c", "r2/z1 p3 w2 2*d", "r3/z1 p2 w1 1*e"},
		},
		{
			"switched off", `{outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: false}}}`, true,
			[]string{"r1/z1 p0 w2 1*a 1*b", "r1/z2 p0 w1 1*c", "r2/z1 p0 w2 2*d", "r3/z1 p0 w1 1*e"},
		},
		{
			"distributed", `{loadBalancer: {localityLbSetting: {distribute: [{from: r2/*, to: {r2: 100}}, {from: r1/z1/*, to: {"r1/*": 70, r2/z1: 30}}]}}}`, true,
			[]string{"r1/z1 p0 w47 1*a 1*b", "r1/z2 p0 w24 1*c", "r2/z1 p0 w30 2*d", "r3/z1 p0 w1"},
		},
		{
			"by labels", `{outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [region=r1, v]}}}`, true,
			[]string{"r1/z1 p0 w1 1*a", "r1/z1 p1 w1 1*b", "r1/z2 p1 w1 1*c", "r2/z1 p2 w2 2*d", "r3/z1 p2 w1 1*e"},
		},
		{
			"by labels, then by region", `{outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [v], failover: [{from: r1, to: r2}]}}}`, true,
			[]string{"r1/z1 p0 w1 1*a", "r1/z1 p1 w1 1*b", "r1/z2 p2 w1 1*c", "r2/z1 p3 w2 2*d", "r3/z1 p4 w1 1*e"},
		},
		{
			"labels where names are resolved", `{outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [v]}}}`, false,
			[]string{"r1/z1 p0 w2 1*a 1*b", "r1/z2 p0 w1 1*c", "r2/z1 p0 w2 2*d", "r3/z1 p0 w1 1*e"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &builder{
				mesh:    &model.Mesh{Settings: model.Settings{Mesh: &meshconfig.MeshConfig{LocalityLbSetting: &networking.LocalityLoadBalancerSetting{}}}},
				proxy:   &model.Proxy{Locality: "r1/z1", Labels: map[string]string{"v": "a"}},
				sources: provenance.New(),
			}
			rule := ruleOf(t, "{host: h, trafficPolicy: "+tt.policy+"}")
			target := outboundTarget{service: &model.Service{}, port: &model.Port{}, policy: policyOf(rule, &model.Port{})}
			if diff := cmp.Diff(tt.want, describe(b.balance(groupsOf(&endpointBuilder{builder: b}, world...), target, tt.byLabels))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
