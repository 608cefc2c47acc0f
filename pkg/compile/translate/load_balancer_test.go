package translate_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

func loadBalancerYAML(t *testing.T, text string) *networking.LoadBalancerSettings {
	t.Helper()
	if text == "" {
		return nil
	}
	var out networking.LoadBalancerSettings
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestSetLoadBalancer(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"default", "", `{lbPolicy: LEAST_REQUEST}`},
		{"least connections, as it was called", `{simple: LEAST_CONN}`, `{lbPolicy: LEAST_REQUEST}`},
		{"random", `{simple: RANDOM}`, `{lbPolicy: RANDOM}`},
		{"round robin", `{simple: ROUND_ROBIN}`, `{lbPolicy: ROUND_ROBIN}`},
		{
			"warm-up", `{simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 20, aggression: 2}}`,
			`{lbPolicy: ROUND_ROBIN, roundRobinLbConfig: {slowStartConfig: {slowStartWindow: 30s,
				aggression: {defaultValue: 2, runtimeKey: "("}, minWeightPercent: {value: 20}}}}`,
		},
		{
			"warm-up with defaults", `{warmup: {duration: 30s}}`,
			`{lbPolicy: LEAST_REQUEST, leastRequestLbConfig: {slowStartConfig: {slowStartWindow: 30s,
				aggression: {defaultValue: 1, runtimeKey: "("}, minWeightPercent: {value: 10}}}}`,
		},
		{
			"warm-up as it was", `{simple: LEAST_REQUEST, warmupDurationSecs: 45s}`,
			`{lbPolicy: LEAST_REQUEST, leastRequestLbConfig: {slowStartConfig: {slowStartWindow: 45s}}}`,
		},
		{
			"hash of a header", `{consistentHash: {httpHeaderName: x-user}}`,
			`{lbPolicy: RING_HASH, ringHashLbConfig: {minimumRingSize: 1024}}`,
		},
		{
			"ring size as it was", `{consistentHash: {httpHeaderName: x-user, minimumRingSize: 2048}}`,
			`{lbPolicy: RING_HASH, ringHashLbConfig: {minimumRingSize: 2048}}`,
		},
		{
			"ring hash", `{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 10}}}`,
			`{lbPolicy: RING_HASH, ringHashLbConfig: {minimumRingSize: 10}}`,
		},
		{"ring hash of any size", `{consistentHash: {useSourceIp: true, ringHash: {}}}`, `{lbPolicy: RING_HASH}`},
		{
			"maglev", `{consistentHash: {useSourceIp: true, maglev: {tableSize: 65537}}}`,
			`{lbPolicy: MAGLEV, maglevLbConfig: {tableSize: 65537}}`,
		},
		{
			"maglev of any size with warm-up, which istiod writes for the policy that is replaced", `{consistentHash: {useSourceIp: true, maglev: {}}, warmup: {duration: 30s}}`,
			`{lbPolicy: MAGLEV, leastRequestLbConfig: {slowStartConfig: {slowStartWindow: 30s,
				aggression: {defaultValue: 1, runtimeKey: "("}, minWeightPercent: {value: 10}}}}`,
		},
		{"maglev of any size", `{consistentHash: {useSourceIp: true, maglev: {}}}`, `{lbPolicy: MAGLEV}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := &clusterv3.Cluster{}
			text, err := yaml.YAMLToJSON([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal(text, want); err != nil {
				t.Fatal(err)
			}
			got := &clusterv3.Cluster{}
			translate.SetLoadBalancer(got, loadBalancerYAML(t, tt.in))
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLocalitySetting(t *testing.T) {
	mesh := loadBalancerYAML(t, `{localityLbSetting: {enabled: true}}`).GetLocalityLbSetting()
	for _, tt := range []struct {
		name, rule         string
		distribution       model.Distribution
		want               string
		failover, weighted bool
	}{
		{"mesh", `{simple: RANDOM}`, model.AnyEndpoint, `{enabled: true}`, false, false},
		{"rule", `{localityLbSetting: {distribute: [{from: r1, to: {r2: 100}}]}}`, model.SameZone, `{distribute: [{from: r1, to: {r2: 100}}]}`, false, true},
		{"switched off by the rule", `{localityLbSetting: {enabled: false}}`, model.AnyEndpoint, "", false, false},
		{
			"asked for by the Service", "", model.SameZone,
			`{enabled: true, failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region, topology.kubernetes.io/zone]}`,
			true, true,
		},
		{
			"the same node asked for", "", model.SameNode,
			`{enabled: true, failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.istio.io/subzone, kubernetes.io/hostname]}`,
			true, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, failover := translate.LocalitySetting(loadBalancerYAML(t, tt.rule), tt.distribution, mesh)
			var want *networking.LocalityLoadBalancerSetting
			if tt.want != "" {
				want = loadBalancerYAML(t, "{localityLbSetting: "+tt.want+"}").GetLocalityLbSetting()
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			if failover != tt.failover {
				t.Errorf("failover without outlier detection: %v, want %v", failover, tt.failover)
			}
			if weighted := translate.LocalityWeighted(got, failover); weighted != tt.weighted {
				t.Errorf("weighted: %v, want %v", weighted, tt.weighted)
			}
		})
	}
}
