package model

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// buildScope computes what proxies of a namespace see, through a Sidecar where one applies.
func (m *Mesh) buildScope(namespace string, router bool, sidecar *resource.Of[*networking.Sidecar]) *Scope {
	size := len(m.services().hosts)
	s := &Scope{Sidecar: sidecar, mesh: m, services: make(map[string]*Service, size), rules: map[string][]*DestinationRule{}}
	b := &scopeBuilder{scope: s, mesh: m, namespace: namespace, at: make(map[string]int, size)}
	if router {
		b.everything()
	} else {
		b.throughEgress(sidecar)
	}
	if sidecar != nil {
		s.OutboundTrafficPolicy = sidecar.Spec.GetOutboundTrafficPolicy()
	}
	if s.OutboundTrafficPolicy == nil {
		s.OutboundTrafficPolicy = &networking.OutboundTrafficPolicy{
			Mode: networking.OutboundTrafficPolicy_Mode(m.Settings.Mesh.GetOutboundTrafficPolicy().GetMode()),
		}
	}
	for _, svc := range s.Services {
		s.services[svc.Hostname] = svc
		if rules := m.rulesFor(namespace, svc); len(rules) > 0 {
			s.rules[svc.Hostname] = rules
		}
	}
	slices.SortStableFunc(s.Services, func(a, b *Service) int {
		return cmp.Or(cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.Namespace, b.Namespace))
	})
	s.RoutingLabels = m.routingLabels(namespace, s.EgressListeners)
	return s
}

// routingLabels are the names of labels that the VirtualServices of the listeners match, or that rules of the namespace select proxies by.
func (m *Mesh) routingLabels(namespace string, listeners []*EgressListener) []string {
	names := map[string]bool{}
	add := func(labels map[string]string) {
		for name := range labels {
			names[name] = true
		}
	}
	for _, l := range listeners {
		for _, v := range l.VirtualServices {
			for _, h := range v.Spec.GetHttp() {
				for _, match := range h.GetMatch() {
					add(match.GetSourceLabels())
				}
			}
			for _, t := range v.Spec.GetTcp() {
				for _, match := range t.GetMatch() {
					add(match.GetSourceLabels())
				}
			}
			for _, t := range v.Spec.GetTls() {
				for _, match := range t.GetMatch() {
					add(match.GetSourceLabels())
				}
			}
		}
	}
	for _, selector := range m.rules().selectors[namespace] {
		add(selector)
	}
	return sortedKeys(names)
}

// scopeBuilder collects services for a scope, one a hostname.
type scopeBuilder struct {
	scope     *Scope
	mesh      *Mesh
	namespace string
	at        map[string]int // hostname → index in scope.Services
}

// everything is a gateway's scope: all that is exported to its namespace.
func (b *scopeBuilder) everything() {
	for _, s := range b.mesh.services().visibleIn(b.namespace) {
		b.add(s)
	}
	b.scope.EgressListeners = []*EgressListener{{
		Services:        slices.Clone(b.scope.Services),
		VirtualServices: b.mesh.virtualServices().boundTo(MeshGateway, b.namespace),
	}}
}

// add takes a service in. The first one of a hostname stays, except that a Kubernetes Service displaces any other kind, so that nobody can
// take over a Service's name; further ports of the same service are added.
func (b *scopeBuilder) add(s *Service) {
	i, ok := b.at[s.Hostname]
	if !ok {
		b.at[s.Hostname] = len(b.scope.Services)
		b.scope.Services = append(b.scope.Services, s)
		return
	}
	have := b.scope.Services[i]
	switch {
	case have == s || have.Kubernetes && !s.Kubernetes:
	case s.Kubernetes && !have.Kubernetes:
		b.scope.Services[i] = s
	case have.mergesWith(s):
		b.scope.Services[i] = have.withPorts(s.Ports)
	}
}

// mergesWith tells whether two services of one hostname differ in their ports alone.
func (s *Service) mergesWith(o *Service) bool {
	return s.Namespace == o.Namespace && s.Resolution == o.Resolution && s.Kubernetes == o.Kubernetes && maps.Equal(s.Labels, o.Labels) &&
		maps.Equal(s.Selector, o.Selector) && maps.Equal(s.ExportTo, o.ExportTo)
}

// withPorts returns the service together with ports that it lacks.
func (s *Service) withPorts(more []*Port) *Service {
	merged := s
	for _, p := range more {
		if merged.Port(p.Number) == nil {
			merged = merged.narrowed(append(slices.Clip(merged.Ports), p))
		}
	}
	return merged
}

// throughEgress is a sidecar's scope: what its egress listeners import, and what the VirtualServices among that lead to. Without a Sidecar,
// or without egress in it, one listener imports all that is exported to the namespace.
func (b *scopeBuilder) throughEgress(sidecar *resource.Of[*networking.Sidecar]) {
	l := &networking.IstioEgressListener{Hosts: []string{"*/*"}}
	switch {
	case sidecar == nil:
		b.scope.EgressListeners = []*EgressListener{b.listener(l, nil, resource.Source{})}
	case len(sidecar.Spec.GetEgress()) == 0:
		b.scope.EgressListeners = []*EgressListener{b.listener(l, nil, sidecar.At("spec"))}
	default:
		for i, spec := range sidecar.Spec.GetEgress() {
			b.scope.EgressListeners = append(b.scope.EgressListeners, b.listener(spec, spec, sidecar.At(resource.Index("spec.egress", i))))
		}
	}
	for _, l := range b.scope.EgressListeners {
		for _, s := range l.Services {
			b.add(s)
		}
		for _, v := range l.VirtualServices {
			for _, d := range v.destinations(b.namespace) {
				b.addDestination(d, l.Spec)
			}
		}
	}
	slices.SortStableFunc(b.scope.EgressListeners, func(x, y *EgressListener) int {
		return cmp.Compare(rank(x), rank(y))
	})
}

// rank puts listeners with a port before the catch-all.
func rank(l *EgressListener) int {
	if l.Spec.GetPort().GetNumber() != 0 || strings.HasPrefix(l.Spec.GetBind(), "unix:") {
		return 0
	}
	return 1
}

// addDestination takes in a service that no host of the Sidecar names but a VirtualService leads to.
func (b *scopeBuilder) addDestination(d hostPorts, listener *networking.IstioEgressListener) {
	var found *Service
	for _, s := range b.mesh.services().hosts[d.host] {
		switch {
		case s.Namespace == b.namespace:
			if found == nil || found.Namespace != b.namespace || s.Kubernetes && !found.Kubernetes {
				found = s
			}
		case !Visible(s.ExportTo, s.Namespace, b.namespace):
		case found == nil || found.Namespace != b.namespace && s.Namespace < found.Namespace:
			found = s
		}
	}
	if found == nil {
		return
	}
	if number := portOf(listener); number != 0 {
		d.ports = map[uint32]bool{number: true}
	}
	if d.ports != nil {
		var ports []*Port
		for _, p := range found.Ports {
			if d.ports[p.Number] {
				ports = append(ports, p)
			}
		}
		switch len(ports) {
		case len(found.Ports):
		case 0:
			return // nothing could be routed there
		default:
			found = found.narrowed(ports)
		}
	}
	b.add(found)
}

// portOf is the port that a listener's services must have, 0 for any.
func portOf(l *networking.IstioEgressListener) uint32 {
	if strings.EqualFold(l.GetPort().GetProtocol(), "HTTP_PROXY") {
		return 0
	}
	return l.GetPort().GetNumber()
}

// imports are the hosts that an egress listener names, by namespace.
type imports map[string][]string

func importsOf(hosts []string, namespace string) imports {
	out := imports{}
	for _, h := range hosts {
		ns, name, ok := strings.Cut(h, "/")
		if !ok || strings.Contains(name, "/") || ns == exportNone {
			continue
		}
		if ns == exportPrivate {
			ns = namespace
		}
		out[ns] = append(out[ns], name)
	}
	return out
}

// take tells whether something of the namespace is imported, by the hosts for that namespace or those for all.
func (im imports) take(namespace string, matches func(pattern string) bool) bool {
	return slices.ContainsFunc(im[namespace], matches) || slices.ContainsFunc(im[exportPublic], matches)
}

// listener works out what an egress listener imports.
func (b *scopeBuilder) listener(spec, shown *networking.IstioEgressListener, source resource.Source) *EgressListener {
	im := importsOf(spec.GetHosts(), b.namespace)
	l := &EgressListener{Spec: shown, Source: source}
	for _, v := range b.mesh.virtualServices().boundTo(MeshGateway, b.namespace) {
		taken := im.take(v.Namespace, func(pattern string) bool {
			return slices.ContainsFunc(v.Spec.GetHosts(), func(h string) bool { return HostsOverlap(pattern, h) })
		})
		if taken {
			l.VirtualServices = append(l.VirtualServices, v)
		}
	}
	var services []*Service
	for _, s := range b.mesh.services().visibleIn(b.namespace) {
		if !im.take(s.Namespace, func(pattern string) bool { return HostMatches(pattern, s.Hostname) }) {
			continue
		}
		if number := portOf(spec); number != 0 {
			port := s.Port(number)
			if port == nil {
				continue
			}
			s = s.narrowed([]*Port{port})
		}
		services = append(services, s)
	}
	l.Services = oneNamespaceEach(services, b.namespace)
	return l
}

// oneNamespaceEach keeps, of services that share a hostname, those of one namespace: the proxy's own, else that of a Kubernetes Service, else
// the first one's.
func oneNamespaceEach(services []*Service, namespace string) []*Service {
	chosen := make(map[string]*Service, len(services))
	for _, s := range services {
		have := chosen[s.Hostname]
		if have == nil || s.Namespace == namespace || !have.Kubernetes && s.Kubernetes && have.Namespace != namespace {
			chosen[s.Hostname] = s
		}
	}
	return slices.DeleteFunc(services, func(s *Service) bool { return chosen[s.Hostname].Namespace != s.Namespace })
}
