package model

import (
	"sync"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Scope is what one proxy can see: its namespace's view through exportTo, narrowed by the Sidecar that applies to it. For a gateway only
// exportTo counts.
type Scope struct {
	Proxy *Proxy
	// Sidecar is the resource that applies; nil where none does (gateways, or no Sidecar for the namespace).
	Sidecar *resource.Of[*networking.Sidecar]
	// OutboundTrafficPolicy is the Sidecar's or else the mesh's; never nil.
	OutboundTrafficPolicy *networking.OutboundTrafficPolicy
	// EgressListeners holds at least one: the catch-all without a port. Those with ports come first, in the Sidecar's order.
	EgressListeners []*EgressListener
	// Services are those of all egress listeners together, as clusters are made for them, ordered by hostname then namespace. A hostname
	// that several namespaces offer appears once, chosen as istiod does (own namespace first, then the Kubernetes service, then the oldest/first by namespace).
	Services []*Service

	// RoutingLabels are the names, sorted, of the labels by which VirtualServices and DestinationRules tell the scope's proxies apart. Proxies
	// of one namespace and Sidecar that are equal in these are routed alike.
	RoutingLabels []string

	services map[string]*Service
	mesh     *Mesh
	// rules are those for each service's hostname, one for each workload selector.
	rules map[string][]*DestinationRule
}

// EgressListener is one egress listener of a Sidecar, or the implied one that imports everything.
type EgressListener struct {
	// Spec is nil for the implied one.
	Spec *networking.IstioEgressListener
	// Services and VirtualServices are those that the listener imports; a service whose ports the hosts narrow is a narrowed copy.
	Services        []*Service
	VirtualServices []*VirtualService
	Source          resource.Source
}

// VirtualService is one as it takes effect: short host names written out for the namespace, delegates merged in
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/).
type VirtualService struct {
	*resource.Resource
	// Spec is a private copy, safe to read concurrently.
	Spec *networking.VirtualService
	// HTTPFrom[i] tells where Spec.Http[i] came from: the root's route and, where it delegates, the delegate's after it.
	HTTPFrom [][]resource.Source
	// ExportTo is defaulted from MeshConfig.
	ExportTo map[string]bool
}

// DestinationRule is what the rules for one host amount to for one proxy (istiod merges rules of one host and namespace: the first
// one's trafficPolicy counts, subsets are collected).
type DestinationRule struct {
	// Spec is a private copy, safe to read concurrently. Host is written out.
	Spec *networking.DestinationRule
	// From are the rules that were merged, the one whose trafficPolicy counts first.
	From []resource.Of[*networking.DestinationRule]
	// SubsetFrom[i] tells where Spec.Subsets[i] stands; PolicyFrom where Spec.TrafficPolicy does.
	SubsetFrom []resource.Source
	PolicyFrom resource.Source

	exportTo map[string]bool
}

// Name and Namespace are those of the rule that Envoy's metadata names.
func (d *DestinationRule) Name() string      { return d.From[0].Name }
func (d *DestinationRule) Namespace() string { return d.From[0].Namespace }

// Subset returns the subset and where it stands, nil if there is none of that name.
func (d *DestinationRule) Subset(name string) (*networking.Subset, resource.Source) {
	if d == nil {
		return nil, resource.Source{}
	}
	for i, s := range d.Spec.GetSubsets() {
		if s.GetName() == name {
			return s, d.SubsetFrom[i]
		}
	}
	return nil, resource.Source{}
}

// Service returns the service that the hostname means for the proxy, nil if it sees none. Wildcard services (*.example.com) are found by
// their own name only.
func (s *Scope) Service(hostname string) *Service { return s.services[hostname] }

// ScopeOf returns what the proxy can see. It is computed once for all proxies that see the same; callers must not change it.
func (m *Mesh) ScopeOf(p *Proxy) *Scope {
	key := scopeKey{namespace: p.Namespace, router: p.Type == Router}
	var sidecar *resource.Of[*networking.Sidecar]
	if !key.router {
		sidecar = m.sidecarFor(p.Namespace, p.Labels)
		if sidecar != nil {
			key.sidecar = sidecar.Resource
		}
	}
	load, ok := m.scopes.Load(key)
	if !ok {
		load, _ = m.scopes.LoadOrStore(key, sync.OnceValue(func() *Scope { return m.buildScope(p.Namespace, key.router, sidecar) }))
	}
	scope := *load.(func() *Scope)()
	scope.Proxy = p
	return &scope
}

// scopeKey is what decides over a proxy's scope, but for the rules that pick proxies by label.
type scopeKey struct {
	namespace string
	router    bool
	sidecar   *resource.Resource
}

// InboundDestinationRule returns the rule from which the proxy takes settings for calls to itself as one of the service's workloads, nil if
// there is none: DestinationRule without those for some workloads, which say how these call others, and only for services that the proxy
// itself can see.
func (s *Scope) InboundDestinationRule(svc *Service) *DestinationRule {
	if svc == nil {
		return nil
	}
	return ruleForAll(s.rules[svc.Hostname])
}

// DestinationRule returns the rule that the proxy uses for the service, nil if there is none: looked for in the proxy's namespace, then the
// service's, then the root namespace, most specific host first.
func (s *Scope) DestinationRule(svc *Service) *DestinationRule {
	if svc == nil {
		return nil
	}
	return pickRule(s.rulesOf(svc), s.Proxy)
}

// rulesOf are the rules for a service, one for each workload selector.
func (s *Scope) rulesOf(svc *Service) []*DestinationRule {
	if seen := s.services[svc.Hostname]; seen != nil && seen.Namespace == svc.Namespace {
		return s.rules[svc.Hostname]
	}
	return s.mesh.rulesFor(s.Proxy.Namespace, svc)
}

// VirtualServicesFor returns those bound to a gateway ("NAMESPACE/NAME") that the proxy's namespace may see, in istiod's order: those
// private to the namespace, those exported to it by name, then everyone's, each oldest first (from files mostly by name then namespace).
func (s *Scope) VirtualServicesFor(gateway string) []*VirtualService {
	return s.mesh.virtualServices().boundTo(gateway, s.Proxy.Namespace)
}
