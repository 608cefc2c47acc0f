package compile

import (
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// destinationCluster names the cluster that a destination means: on its own port, else on the only one of its service, else on the port that
// the request came in on. The service, where known, is the destination's.
func destinationCluster(d *networking.Destination, svc *model.Service, listenPort uint32) string {
	if d.GetHost() == "" {
		// The Gateway API's converter leaves the host out where a backend does not exist.
		return "UnknownService"
	}
	host := d.GetHost()
	if svc != nil && svc.ExternalName != "" {
		host = svc.ExternalName
	}
	port := listenPort
	if d.GetPort() != nil {
		port = d.GetPort().GetNumber()
	} else if svc != nil && len(svc.Ports) == 1 {
		port = svc.Ports[0].Number
	}
	return translate.OutboundCluster(port, d.GetSubset(), host)
}

// destinationPolicy returns what the DestinationRule of a destination asks of routes to it: of its consistent-hash settings, the subset's
// for the port, the subset's, the rule's for the port, or the rule's. Port settings count only where the destination names a port.
func (b *builder) destinationPolicy(d *networking.Destination) translate.DestinationPolicy {
	svc := b.scope.Service(d.GetHost())
	if svc == nil {
		return translate.DestinationPolicy{}
	}
	rule := b.scope.DestinationRule(svc)
	if rule == nil {
		return translate.DestinationPolicy{}
	}
	var port uint32
	if d.GetPort() != nil {
		port = d.GetPort().GetNumber()
	}
	if subset, from := rule.Subset(d.GetSubset()); subset != nil {
		from.Path += ".trafficPolicy"
		if policy := hashIn(subset.GetTrafficPolicy(), port, from); policy.Hash != nil {
			return policy
		}
	}
	return hashIn(rule.Spec.GetTrafficPolicy(), port, rule.PolicyFrom)
}

// servicePolicy is destinationPolicy for a port of a service that no VirtualService routes to.
func (b *builder) servicePolicy(svc *model.Service, port uint32) translate.DestinationPolicy {
	rule := b.scope.DestinationRule(svc)
	if rule == nil {
		return translate.DestinationPolicy{}
	}
	return hashIn(rule.Spec.GetTrafficPolicy(), port, rule.PolicyFrom)
}

// hashIn returns the consistent-hash setting of a traffic policy that stands at from: the port's, else the general one.
func hashIn(policy *networking.TrafficPolicy, port uint32, from resource.Source) translate.DestinationPolicy {
	for i, p := range policy.GetPortLevelSettings() {
		if port != 0 && p.GetPort().GetNumber() == port {
			if hash := p.GetLoadBalancer().GetConsistentHash(); hash != nil {
				from.Path = resource.Index(from.Path+".portLevelSettings", i) + ".loadBalancer.consistentHash"
				return translate.DestinationPolicy{Hash: hash, HashFrom: from}
			}
			break
		}
	}
	if hash := policy.GetLoadBalancer().GetConsistentHash(); hash != nil {
		from.Path += ".loadBalancer.consistentHash"
		return translate.DestinationPolicy{Hash: hash, HashFrom: from}
	}
	return translate.DestinationPolicy{}
}

// routeOptions are those that routes of this proxy share; the caller says how destinations become clusters.
func (b *builder) routeOptions(port uint32, gateways ...string) translate.RouteOptions {
	return translate.RouteOptions{
		ListenPort:  port,
		Gateways:    gateways,
		Labels:      b.proxy.Labels,
		Namespace:   b.proxy.Namespace,
		Retries:     b.mesh.Settings.Mesh.GetDefaultHttpRetryPolicy(),
		Destination: b.destinationPolicy,
		Sources:     b.sources,

		ForwardedHost: b.forwardsHost(),
	}
}

// countsAttempts tells whether the proxy says in X-Envoy-Attempt-Count how many times it has tried a request.
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-ProxyHeaders)
func (b *builder) countsAttempts() bool {
	return !b.proxyConfig().GetProxyHeaders().GetAttemptCount().GetDisabled().GetValue()
}

// forwardsHost tells whether the proxy says in X-Forwarded-Host which host a rewrite has replaced.
func (b *builder) forwardsHost() bool {
	return b.proxyConfig().GetProxyHeaders().GetXForwardedHost().GetEnabled().GetValue()
}
