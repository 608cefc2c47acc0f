package model

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// persistentSession and persistentSessionHeader are labels of services whose sessions outlive the draining of an endpoint.
	persistentSession       = "istio.io/persistent-session"
	persistentSessionHeader = "istio.io/persistent-session-header"
	// canonicalAccounts and kubernetesAccounts are annotations by which a Service names accounts that its endpoints run under.
	canonicalAccounts  = "alpha.istio.io/canonical-serviceaccounts"
	kubernetesAccounts = "alpha.istio.io/kubernetes-serviceaccounts"
	// trafficDistribution is the annotation that does for ServiceEntries, and did for Services, what spec.trafficDistribution does.
	trafficDistribution = "networking.istio.io/traffic-distribution"
)

// KeepsSessions tells whether a service asks that sessions go to the endpoint that they began with, even while it drains.
func (s *Service) KeepsSessions() bool {
	return s.Labels[persistentSession] != "" || s.Labels[persistentSessionHeader] != ""
}

// Distribution says which endpoints of a service are preferred.
type Distribution int

const (
	// AnyEndpoint prefers none.
	AnyEndpoint Distribution = iota
	// SameZone prefers those in the proxy's network, region and zone.
	SameZone
	// SameNode prefers those on the proxy's node, then the nearest.
	SameNode
)

// Distribution is what a service's trafficDistribution asks for, or else its annotation, or else that of its namespace, read in any case
// (https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution).
func (s *Service) Distribution() Distribution {
	if s.Source.Resource == nil {
		return AnyEndpoint
	}
	if k, ok := s.Source.Resource.Object.(*corev1.Service); ok && k.Spec.TrafficDistribution != nil {
		switch *k.Spec.TrafficDistribution {
		case "PreferClose", "PreferSameZone":
			return SameZone
		case "PreferSameNode":
			return SameNode
		}
	}
	wish := s.Source.Resource.Annotations[trafficDistribution]
	if wish == "" {
		wish = s.namespaceDistribution
	}
	switch strings.ToLower(wish) {
	case "preferclose", "prefersamezone":
		return SameZone
	case "prefersamenode":
		return SameNode
	}
	return AnyEndpoint
}

// NodeLocal tells whether a Kubernetes Service serves clients from endpoints on their own node alone
// (https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/).
func (s *Service) NodeLocal() bool {
	if s.Source.Resource == nil {
		return false
	}
	k, ok := s.Source.Resource.Object.(*corev1.Service)
	return ok && k.Spec.InternalTrafficPolicy != nil && *k.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
}

// annotatedAccounts are the identities that a Service's annotations add to those of its endpoints.
func (m *Mesh) annotatedAccounts(annotations map[string]string, namespace string) []string {
	out := splitList(annotations[canonicalAccounts])
	for _, account := range splitList(annotations[kubernetesAccounts]) {
		out = append(out, m.spiffe(namespace, account))
	}
	return out
}
