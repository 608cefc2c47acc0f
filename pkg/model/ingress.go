package model

import (
	knetworking "k8s.io/api/networking/v1"

	"github.com/meshc/meshc/pkg/model/ingress"
)

// ingressWorld is what the conversion of Ingresses reads.
func (m *Mesh) ingressWorld() *ingress.World {
	return &ingress.World{
		Ingresses: All[*knetworking.Ingress](m), Classes: All[*knetworking.IngressClass](m), Mesh: m.Settings.Mesh, DomainSuffix: m.Settings.DomainSuffix,
		// istiod makes the Gateways in the namespace that it is installed in by default, whatever the root namespace.
		GatewayNamespace: systemNamespace, Find: m.Find,
	}
}
