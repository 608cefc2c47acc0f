package translate

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
)

// defaultRingSize is the smallest ring where a rule names no size: Envoy's own default, written out as istiod does.
const defaultRingSize = 1024

// SetLoadBalancer writes the policy by which a cluster chooses an endpoint: least requests unless the rule says otherwise. PASSTHROUGH, which
// changes the type of the cluster, is the caller's business.
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#LoadBalancerSettings)
func SetLoadBalancer(c *clusterv3.Cluster, lb *networking.LoadBalancerSettings) {
	setSimple(c, lb)
	if hash := lb.GetConsistentHash(); hash != nil {
		// A table without a size leaves the slow start that istiod writes for any load balancer; Envoy does not look at it.
		setConsistentHash(c, hash)
	}
}

func setSimple(c *clusterv3.Cluster, lb *networking.LoadBalancerSettings) {
	switch lb.GetSimple() {
	case networking.LoadBalancerSettings_RANDOM:
		c.LbPolicy = clusterv3.Cluster_RANDOM
	case networking.LoadBalancerSettings_ROUND_ROBIN:
		c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
		if s := slowStart(lb); s != nil {
			c.LbConfig = &clusterv3.Cluster_RoundRobinLbConfig_{RoundRobinLbConfig: &clusterv3.Cluster_RoundRobinLbConfig{SlowStartConfig: s}}
		}
	default:
		c.LbPolicy = clusterv3.Cluster_LEAST_REQUEST
		if s := slowStart(lb); s != nil {
			c.LbConfig = &clusterv3.Cluster_LeastRequestLbConfig_{LeastRequestLbConfig: &clusterv3.Cluster_LeastRequestLbConfig{SlowStartConfig: s}}
		}
	}
}

// setConsistentHash sizes the table of hashes; what is hashed is written on the routes.
func setConsistentHash(c *clusterv3.Cluster, hash *networking.LoadBalancerSettings_ConsistentHashLB) {
	if maglev := hash.GetMaglev(); maglev != nil {
		c.LbPolicy = clusterv3.Cluster_MAGLEV
		if n := maglev.GetTableSize(); n != 0 {
			c.LbConfig = &clusterv3.Cluster_MaglevLbConfig_{MaglevLbConfig: &clusterv3.Cluster_MaglevLbConfig{TableSize: wrapperspb.UInt64(n)}}
		}
		return
	}
	c.LbPolicy = clusterv3.Cluster_RING_HASH
	size := hash.GetRingHash().GetMinimumRingSize()
	if hash.GetRingHash() == nil {
		//lint:ignore SA1019 Rules still use the field that ringHash replaced.
		size = hash.GetMinimumRingSize()
		if size == 0 {
			size = defaultRingSize
		}
	}
	if size != 0 {
		c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{MinimumRingSize: wrapperspb.UInt64(size)}}
	}
}

// slowStart lets new endpoints get their share of requests little by little; nil where the rule asks for no warm-up.
func slowStart(lb *networking.LoadBalancerSettings) *clusterv3.Cluster_SlowStartConfig {
	if w := lb.GetWarmup(); w != nil {
		aggression, minimum := 1.0, 10.0
		if w.GetAggression() != nil {
			aggression = w.GetAggression().GetValue()
		}
		if w.GetMinimumPercent() != nil {
			minimum = w.GetMinimumPercent().GetValue()
		}
		return &clusterv3.Cluster_SlowStartConfig{
			SlowStartWindow: w.GetDuration(),
			// Envoy insists on a runtime key; this is the one that istiod writes.
			Aggression:       &corev3.RuntimeDouble{DefaultValue: aggression, RuntimeKey: "("},
			MinWeightPercent: &typev3.Percent{Value: minimum},
		}
	}
	// Rules still use the field that warmup replaced.
	if window := lb.GetWarmupDurationSecs(); window != nil {
		return &clusterv3.Cluster_SlowStartConfig{SlowStartWindow: window}
	}
	return nil
}

// LocalitySetting is the locality setting in force: the rule's, or else that of the Service's trafficDistribution, or else the mesh's; nil
// where it is switched off. failover is true where endpoints are given priorities even without outlier detection.
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#LocalityLoadBalancerSetting)
func LocalitySetting(lb *networking.LoadBalancerSettings, distribution model.Distribution, mesh *networking.LocalityLoadBalancerSetting) (setting *networking.LocalityLoadBalancerSetting, failover bool) {
	if rule := lb.GetLocalityLbSetting(); rule != nil {
		return enabled(rule), false
	}
	if priorities := distributionPriorities(distribution); priorities != nil {
		return &networking.LocalityLoadBalancerSetting{Enabled: wrapperspb.Bool(true), FailoverPriority: priorities}, true
	}
	return enabled(mesh), false
}

func enabled(s *networking.LocalityLoadBalancerSetting) *networking.LocalityLoadBalancerSetting {
	if s.GetEnabled() != nil && !s.GetEnabled().GetValue() {
		return nil
	}
	return s
}

// distributionPriorities are the labels in which an endpoint should be like the proxy, the most important first, for a Service's
// trafficDistribution; nil for one that asks for nothing.
func distributionPriorities(distribution model.Distribution) []string {
	zone := []string{"topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"}
	switch distribution {
	case model.SameZone:
		return zone
	case model.SameNode:
		return append(zone, "topology.istio.io/subzone", "kubernetes.io/hostname")
	}
	return nil
}

// LocalityWeighted tells whether the weights of localities count when an endpoint is chosen.
func LocalityWeighted(setting *networking.LocalityLoadBalancerSetting, failover bool) bool {
	return setting.GetDistribute() != nil || failover && (setting.GetFailover() != nil || setting.GetFailoverPriority() != nil)
}
