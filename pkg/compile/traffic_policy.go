package compile

import (
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// trafficPolicy is what of a DestinationRule counts for one port, or for one subset on that port, each part with the place where it
// stands.
type trafficPolicy struct {
	connectionPool   part[*networking.ConnectionPoolSettings]
	outlierDetection part[*networking.OutlierDetection]
	loadBalancer     part[*networking.LoadBalancerSettings]
	tls              part[*networking.ClientTLSSettings]
	proxyProtocol    part[*networking.TrafficPolicy_ProxyProtocol]
	retryBudget      part[*networking.TrafficPolicy_RetryBudget]
}

// part is a part of a policy and where it stands; both empty where the policy has none.
type part[T any] struct {
	value T
	from  resource.Source
}

// newPart is the part that stands under field.
func newPart[T comparable](value T, policy resource.Source, field string) part[T] {
	var none T
	if value == none {
		return part[T]{}
	}
	return part[T]{value: value, from: resource.Source{Resource: policy.Resource, Path: resource.Key(policy.Path, field)}}
}

// over lays a part over another: it wins where it is set.
func (p part[T]) over(base part[T]) part[T] {
	if p.from.Resource == nil {
		return base
	}
	return p
}

// policyOf is the policy of all endpoints of a port.
func policyOf(rule *model.DestinationRule, port *model.Port) trafficPolicy {
	if rule == nil {
		return trafficPolicy{}
	}
	policy, _ := portPolicy(rule.Spec.GetTrafficPolicy(), rule.PolicyFrom, port)
	return policy
}

// subsetPolicyOf is the policy of a subset: its own parts over those of the rule. Where the subset has settings for the port, these alone
// count, as everywhere that a port has settings.
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#TrafficPolicy-PortTrafficPolicy)
func subsetPolicyOf(rule *model.DestinationRule, subset *networking.Subset, from resource.Source, port *model.Port) trafficPolicy {
	base := policyOf(rule, port)
	if subset.GetTrafficPolicy() == nil {
		return base
	}
	from.Path = resource.Key(from.Path, "trafficPolicy")
	policy, portLevel := portPolicy(subset.GetTrafficPolicy(), from, port)
	policy.proxyProtocol = policy.proxyProtocol.over(base.proxyProtocol)
	policy.retryBudget = policy.retryBudget.over(base.retryBudget)
	if portLevel {
		return policy
	}
	policy.connectionPool = policy.connectionPool.over(base.connectionPool)
	policy.outlierDetection = policy.outlierDetection.over(base.outlierDetection)
	policy.loadBalancer = policy.loadBalancer.over(base.loadBalancer)
	policy.tls = policy.tls.over(base.tls)
	return policy
}

// portPolicy is what of one trafficPolicy counts for a port: the settings for the port where there are any, without anything of the level
// above, and whether there were.
func portPolicy(policy *networking.TrafficPolicy, from resource.Source, port *model.Port) (trafficPolicy, bool) {
	for i, p := range policy.GetPortLevelSettings() {
		if p.GetPort() != nil && p.GetPort().GetNumber() == port.Number {
			from.Path = resource.Index(resource.Key(from.Path, "portLevelSettings"), i)
			return trafficPolicy{
				connectionPool:   newPart(p.GetConnectionPool(), from, "connectionPool"),
				outlierDetection: newPart(p.GetOutlierDetection(), from, "outlierDetection"),
				loadBalancer:     newPart(p.GetLoadBalancer(), from, "loadBalancer"),
				tls:              newPart(p.GetTls(), from, "tls"),
			}, true
		}
	}
	return trafficPolicy{
		connectionPool:   newPart(policy.GetConnectionPool(), from, "connectionPool"),
		outlierDetection: newPart(policy.GetOutlierDetection(), from, "outlierDetection"),
		loadBalancer:     newPart(policy.GetLoadBalancer(), from, "loadBalancer"),
		tls:              newPart(policy.GetTls(), from, "tls"),
		proxyProtocol:    newPart(policy.GetProxyProtocol(), from, "proxyProtocol"),
		retryBudget:      newPart(policy.GetRetryBudget(), from, "retryBudget"),
	}, false
}

// passesThrough tells whether connections go on to the address that the client chose.
func passesThrough(lb *networking.LoadBalancerSettings) bool {
	return lb.GetSimple() == networking.LoadBalancerSettings_PASSTHROUGH
}

// ruleTLSMode is the TLS mode that a rule sets for the endpoints of a port, or of a subset on that port; nil where it sets none. Unlike in the
// cluster, settings for the port without TLS do not hide those above them: so does istiod decide which endpoints it marks for mTLS.
func ruleTLSMode(rule *model.DestinationRule, subset *networking.Subset, port *model.Port) *networking.ClientTLSSettings_TLSmode {
	if rule == nil {
		return nil
	}
	for _, policy := range []*networking.TrafficPolicy{subset.GetTrafficPolicy(), rule.Spec.GetTrafficPolicy()} {
		for _, p := range policy.GetPortLevelSettings() {
			if p.GetPort().GetNumber() == port.Number && p.GetTls() != nil {
				return p.GetTls().GetMode().Enum()
			}
		}
		if policy.GetTls() != nil {
			return policy.GetTls().GetMode().Enum()
		}
	}
	return nil
}
