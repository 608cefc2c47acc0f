package compile

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// tcpChains plans the chains of a port that does not carry HTTP: those of the VirtualServices for the host, and the way straight to the
// service where they leave it open.
func (p *outboundPlan) tcpChains(o outboundPort, subnets []string) []*outboundChain {
	rules := virtualServicesFor(o.egress.VirtualServices, o.service.Hostname)
	if o.port.Protocol.IsTLS() {
		return p.tlsChains(o, subnets, rules)
	}
	return p.plainChains(o, subnets, rules)
}

// virtualServicesFor are those with routes that are not for HTTP of which a host is the hostname, covers it, or is covered by it.
func virtualServicesFor(all []*model.VirtualService, hostname string) []*model.VirtualService {
	var out []*model.VirtualService
	for _, vs := range all {
		if len(vs.Spec.GetTcp()) == 0 && len(vs.Spec.GetTls()) == 0 {
			continue
		}
		if slices.ContainsFunc(vs.Spec.GetHosts(), func(h string) bool {
			return model.HostMatches(h, hostname) || model.HostMatches(hostname, h)
		}) {
			out = append(out, vs)
		}
	}
	return out
}

// tlsChains plans chains by server name, as the tls routes of VirtualServices say
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#TLSRoute).
func (p *outboundPlan) tlsChains(o outboundPort, subnets []string, rules []*model.VirtualService) []*outboundChain {
	var chains []*outboundChain
	seen := map[string]bool{}
	for _, vs := range rules {
		for i, route := range vs.Spec.GetTls() {
			if leadsNowhere(route.GetRoute()) {
				continue
			}
			for j, match := range route.GetMatch() {
				if !p.b.matchesTLS(match, o.port.Number) {
					continue
				}
				if len(match.GetDestinationSubnets()) > 0 && o.port.Number > 0 {
					// From here on, also for later matches: istiod forgets the service's own subnets.
					subnets = match.GetDestinationSubnets()
				}
				// Matches that differ only in what is settled here (labels, ports) would be the same to Envoy: the first counts.
				key := strings.Join(match.GetSniHosts(), ",") + "|" + strings.Join(match.GetDestinationSubnets(), ",")
				if seen[key] {
					continue
				}
				seen[key] = true
				chains = append(chains, &outboundChain{
					serverNames: match.GetSniHosts(), subnets: subnets, virtualService: vs,
					tcp:     p.b.routedForward(route.GetRoute(), o.port, vs),
					sources: []resource.Source{vs.At(resource.Index(resource.Index("spec.tls", i)+".match", j)), o.port.Source},
				})
			}
		}
	}
	if len(chains) > 0 {
		return chains
	}
	c := &outboundChain{subnets: subnets, tcp: p.b.directForward(o.service, o.port), sources: []resource.Source{o.port.Source}}
	vip := o.vip
	if strings.Contains(vip, "/") {
		vip = ""
	}
	if len(subnets) > 0 || vip == "" || (vip == p.b.wildcard() && o.address == p.b.wildcard()) {
		c.serverNames = p.namesOf(o.service.Hostname)
	}
	return []*outboundChain{c}
}

// namesOf are the names by which clients mean the service in a TLS handshake: its own, and those of its aliases as they may be shortened.
func (p *outboundPlan) namesOf(hostname string) []string {
	short := &domains{namespace: p.b.proxy.Namespace, cluster: ".svc." + p.b.mesh.Settings.DomainSuffix}
	names := []string{hostname}
	for _, alias := range p.b.serviceAliases()[hostname] {
		names = append(names, alias)
		names = append(names, short.variants(alias, 0)...)
	}
	return names
}

// plainChains plans chains by destination address, as the tcp routes of VirtualServices say; the first route that asks for no subnet ends
// the search (https://istio.io/latest/docs/reference/config/networking/virtual-service/#TCPRoute).
func (p *outboundPlan) plainChains(o outboundPort, subnets []string, rules []*model.VirtualService) []*outboundChain {
	var chains []*outboundChain
	open := true
	for _, vs := range rules {
		for i, route := range vs.Spec.GetTcp() {
			if leadsNowhere(route.GetRoute()) {
				continue
			}
			c := &outboundChain{
				tcp: p.b.routedForward(route.GetRoute(), o.port, vs), subnets: subnets, virtualService: vs,
				sources: []resource.Source{vs.At(resource.Index("spec.tcp", i)), o.port.Source},
			}
			asked, terminal := p.b.matchTCP(route.GetMatch(), o.port.Number)
			if terminal {
				return append(chains, c)
			}
			if len(asked) == 0 {
				continue
			}
			slices.Sort(asked)
			c.subnets, c.virtualService = asked, nil
			chains = append(chains, c)
			open = open && !slices.Equal(asked, subnets)
		}
	}
	if open {
		chains = append(chains, &outboundChain{
			subnets: subnets, tcp: p.b.directForward(o.service, o.port), sources: []resource.Source{o.port.Source},
		})
	}
	return chains
}

// leadsNowhere tells whether a route has no destination, or several of which none has a share: Envoy would refuse the whole listener, so that
// such a route counts as absent.
func leadsNowhere(routes []*networking.RouteDestination) bool {
	return len(routes) == 0 || len(routes) > 1 && !slices.ContainsFunc(routes, func(r *networking.RouteDestination) bool {
		return r.GetWeight() > 0
	})
}

// matchTCP returns the subnets that the matches which apply to the proxy and the port ask for; terminal is true where one of them asks for
// none, or there are no matches at all.
func (b *builder) matchTCP(matches []*networking.L4MatchAttributes, port uint32) (subnets []string, terminal bool) {
	for _, m := range matches {
		if !b.matchesStatically(m.GetGateways(), m.GetSourceLabels(), m.GetSourceNamespace(), m.GetPort(), port) {
			continue
		}
		if len(m.GetDestinationSubnets()) == 0 || port == 0 {
			return nil, true
		}
		subnets = append(subnets, m.GetDestinationSubnets()...)
	}
	return subnets, len(matches) == 0
}

func (b *builder) matchesTLS(m *networking.TLSMatchAttributes, port uint32) bool {
	return b.matchesStatically(m.GetGateways(), m.GetSourceLabels(), m.GetSourceNamespace(), m.GetPort(), port)
}

// matchesStatically settles what is known of a sidecar beforehand: it is of the mesh gateway and has labels, a namespace and ports.
func (b *builder) matchesStatically(gateways []string, labels map[string]string, namespace string, asked, port uint32) bool {
	if len(gateways) > 0 && !slices.Contains(gateways, "mesh") {
		return false
	}
	return hasLabels(b.proxy.Labels, labels) && (asked == 0 || asked == port) &&
		(namespace == "" || namespace == b.proxy.Namespace)
}

// directForward leads to the service itself. Where a Sidecar's own port is not the service's and the service has only one, that is meant.
func (b *builder) directForward(service *model.Service, port *model.Port) *tcpForward {
	number := port.Number
	if len(service.Ports) == 1 {
		number = service.Ports[0].Number
	}
	cluster := translate.OutboundCluster(number, "", service.Hostname)
	return &tcpForward{
		statPrefix: b.tcpStatPrefix(cluster, service, &model.Port{Number: number}, ""), clusters: []weightedCluster{{name: cluster}}, protocol: port.Protocol, rule: b.scope.DestinationRule(service),
	}
}

// routedForward leads where a tcp or tls route of a VirtualService says.
func (b *builder) routedForward(routes []*networking.RouteDestination, port *model.Port, vs *model.VirtualService) *tcpForward {
	f := &tcpForward{protocol: port.Protocol, statPrefix: vs.Name + "." + vs.Namespace}
	for i, r := range routes {
		d := r.GetDestination()
		service := b.scope.Service(d.GetHost())
		if i == 0 && service != nil {
			f.rule = b.scope.DestinationRule(service)
		}
		if len(routes) == 1 {
			f.subset = d.GetSubset()
			f.statPrefix = b.tcpStatPrefix(destinationCluster(d, service, port.Number), service, port, f.subset)
		}
		f.clusters = append(f.clusters, weightedCluster{
			name: destinationCluster(d, service, port.Number), weight: uint32(max(r.GetWeight(), 0)),
		})
	}
	return f
}

// tcpStatPrefix is the name of connections in statistics: the cluster's, or what MeshConfig's pattern makes of the service.
func (b *builder) tcpStatPrefix(cluster string, service *model.Service, port *model.Port, subset string) string {
	pattern := b.mesh.Settings.Mesh.GetOutboundClusterStatName()
	if service == nil {
		pattern = ""
	}
	return strings.TrimSuffix(statName(cluster, pattern, service, port, subset, 0), ";")
}
