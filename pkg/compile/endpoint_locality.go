package compile

import (
	"maps"
	"math"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// localitySetting is the locality setting in force for a target, and whether endpoints get priorities: only with outlier detection does
// Envoy ever leave the first one, or where the Service itself asks for near endpoints.
func (b *builder) localitySetting(t outboundTarget) (*networking.LocalityLoadBalancerSetting, bool) {
	setting, failover := translate.LocalitySetting(t.policy.loadBalancer.value, t.service.Distribution(), b.mesh.Settings.Mesh.GetLocalityLbSetting())
	return setting, failover || t.policy.outlierDetection.value != nil
}

// balance gives the localities the weights or priorities that the locality setting asks for, seen from the proxy's own locality. byLabels
// is false where priorities by labels do not apply: where names are resolved, istiod gives them to the cluster of all endpoints alone.
// (https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/)
func (b *builder) balance(groups []*localityGroup, t outboundTarget, byLabels bool) []*endpointv3.LocalityLbEndpoints {
	setting, failover := b.localitySetting(t)
	priorities := setting.GetFailoverPriority()
	if !failover || setting.GetDistribute() != nil {
		priorities = nil
	}
	var out []*endpointv3.LocalityLbEndpoints
	if byLabels && len(priorities) > 0 && len(b.topologyLabels()) > 0 {
		out = b.splitByLabels(groups, priorities)
	} else {
		for _, g := range groups {
			out = append(out, g.message())
		}
	}
	from := localityOf(b.proxy.Locality)
	switch {
	case setting.GetDistribute() != nil:
		distribute(out, from, setting.GetDistribute())
	case setting != nil && failover && (len(priorities) == 0 || len(setting.GetFailover()) > 0):
		failOver(out, from, setting.GetFailover())
	default:
		return out
	}
	for _, g := range out {
		b.sources.Add(g, t.policy.loadBalancer.from, t.policy.outlierDetection.from)
	}
	return out
}

// distribute sets the weights of localities as the setting for the proxy's locality says; those that it does not name lose their endpoints.
func distribute(groups []*endpointv3.LocalityLbEndpoints, from *corev3.Locality, settings []*networking.LocalityLoadBalancerSetting_Distribute) {
	i := slices.IndexFunc(settings, func(s *networking.LocalityLoadBalancerSetting_Distribute) bool {
		return localityMatches(from, s.GetFrom())
	})
	if i < 0 {
		return
	}
	taken := make([]bool, len(groups))
	for _, pattern := range slices.Sorted(maps.Keys(settings[i].GetTo())) {
		var matched []int
		var total uint64
		for j, g := range groups {
			if !taken[j] && localityMatches(g.GetLocality(), pattern) {
				taken[j] = true
				matched = append(matched, j)
				total += uint64(weightOr1(g))
			}
		}
		// Where a wildcard covers several localities they share its weight by their own.
		for _, j := range matched {
			share := float64(weightOr1(groups[j])) * float64(settings[i].GetTo()[pattern]) / float64(total)
			if share > 0 {
				groups[j].LoadBalancingWeight = wrapperspb.UInt32(uint32(math.Ceil(share)))
			}
		}
	}
	for j, g := range groups {
		if !taken[j] {
			g.LbEndpoints = nil
		}
	}
}

func weightOr1(g *endpointv3.LocalityLbEndpoints) uint32 {
	if g.GetLoadBalancingWeight() == nil {
		return 1
	}
	return g.GetLoadBalancingWeight().GetValue()
}

// localityMatches tells whether a locality is covered by a pattern, region/zone/subzone with a * for anything from there on.
func localityMatches(l *corev3.Locality, pattern string) bool {
	for i, want := range strings.SplitN(pattern, "/", 3) {
		if want == "*" {
			return true
		}
		if have := [...]string{l.GetRegion(), l.GetZone(), l.GetSubZone()}[i]; want != "" && have != want {
			return false
		}
	}
	return true
}

// farthest are the distances of another region, and of one that the failover setting does not name.
const (
	otherRegion   = 3
	unnamedRegion = 4
	distances     = 5
)

// failOver orders localities by their distance from the proxy's: own subzone, zone, region, the region to fail over to, all others. Priorities
// given before come first.
func failOver(groups []*endpointv3.LocalityLbEndpoints, from *corev3.Locality, settings []*networking.LocalityLoadBalancerSetting_Failover) {
	for _, g := range groups {
		d := distance(from, g.GetLocality())
		if d == otherRegion {
			i := slices.IndexFunc(settings, func(s *networking.LocalityLoadBalancerSetting_Failover) bool { return s.GetFrom() == from.GetRegion() })
			if i >= 0 && g.GetLocality().GetRegion() != settings[i].GetTo() {
				d = unnamedRegion
			}
		}
		g.Priority = g.GetPriority()*distances + d
	}
	closeRanks(groups)
}

func distance(a, b *corev3.Locality) uint32 {
	switch {
	case a.GetRegion() != b.GetRegion():
		return otherRegion
	case a.GetZone() != b.GetZone():
		return 2
	case a.GetSubZone() != b.GetSubZone():
		return 1
	}
	return 0
}

// closeRanks numbers priorities from 0 without gaps, which Envoy insists on.
func closeRanks(groups []*endpointv3.LocalityLbEndpoints) {
	ranks := make([]uint32, len(groups))
	for i, g := range groups {
		ranks[i] = g.GetPriority()
	}
	slices.Sort(ranks)
	ranks = slices.Compact(ranks)
	for _, g := range groups {
		rank, _ := slices.BinarySearch(ranks, g.GetPriority())
		g.Priority = uint32(rank)
	}
}

// splitByLabels splits each locality by how many of the labels, in their order, its endpoints have in common with the proxy.
func (b *builder) splitByLabels(groups []*localityGroup, labels []string) []*endpointv3.LocalityLbEndpoints {
	var out []*endpointv3.LocalityLbEndpoints
	for _, g := range groups {
		split := map[uint32]*localityGroup{}
		for i, e := range g.endpoints {
			p := b.labelPriority(e, labels)
			if split[p] == nil {
				split[p] = &localityGroup{locality: g.locality}
			}
			split[p].add(e, g.lb[i])
		}
		for _, p := range slices.Sorted(maps.Keys(split)) {
			m := split[p].message()
			m.Priority = p
			out = append(out, m)
		}
	}
	closeRanks(out)
	return out
}

// labelPriority is 0 for an endpoint with all labels as the proxy has them (or as the setting writes them, label=value), and the larger the
// earlier the first difference comes.
func (b *builder) labelPriority(e *model.Endpoint, labels []string) uint32 {
	own := b.topologyLabels()
	for i, label := range labels {
		name, want, given := strings.Cut(label, "=")
		if !given {
			want = own[name]
		}
		if want != e.Labels[name] {
			return uint32(len(labels) - i)
		}
	}
	return 0
}

// topologyLabels are the proxy's labels with those of where it is.
func (b *builder) topologyLabels() map[string]string {
	if b.proxy.Located != nil {
		return b.proxy.Located
	}
	return b.proxy.Labels
}
