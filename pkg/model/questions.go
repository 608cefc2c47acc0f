package model

import (
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Services returns every service of the mesh, ordered by hostname then namespace.
func (m *Mesh) Services() []*Service { panic("unfinished") }

// Endpoints returns the addresses behind a port of the service, ordered by address then port: from EndpointSlices and Endpoints, else from
// Pods, else from workloads that the selector picks (with made-up addresses); for ServiceEntries from endpoints, WorkloadEntries and selected Pods.
func (m *Mesh) Endpoints(svc *Service, port *Port) []*Endpoint { panic("unfinished") }

// Workloads returns every workload, ordered by namespace then name then kind.
func (m *Mesh) Workloads() []*Workload { panic("unfinished") }

// WorkloadsMatching returns the workloads of a namespace ("" for all) whose labels include all of the selector; an empty selector picks all.
func (m *Mesh) WorkloadsMatching(namespace string, selector map[string]string) []*Workload {
	panic("unfinished")
}

// Proxies returns those of the proxies file, or, without one, those that the input describes: a sidecar a workload and gateways by
// selector. Ordered by namespace then name.
func (m *Mesh) Proxies() []*Proxy { panic("unfinished") }

// ServiceTargets returns the ports of services that select the proxy, ordered by target port then hostname.
func (m *Mesh) ServiceTargets(p *Proxy) []ServiceTarget { panic("unfinished") }

// GatewaysFor returns the Istio Gateways whose selector picks the proxy, oldest first.
func (m *Mesh) GatewaysFor(p *Proxy) []resource.Of[*networking.Gateway] { panic("unfinished") }

// ResolveHost writes out a host as a resource of the namespace means it: a name without dots is a service of that namespace; FQDNs and
// wildcards stay. (https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination)
func (m *Mesh) ResolveHost(host, namespace string) string { panic("unfinished") }

// HostMatches tells whether a host pattern (exact, or with a leading *) covers another pattern or name.
func HostMatches(pattern, host string) bool { panic("unfinished") }

// Visible tells whether something of namespace owner with the exportTo set is visible in namespace ns.
func Visible(exportTo map[string]bool, owner, ns string) bool { panic("unfinished") }

// MTLS is the effective PeerAuthentication of a workload.
type MTLS struct {
	// Mode is never UNSET.
	Mode security.PeerAuthentication_MutualTLS_Mode
	// Ports holds modes for target ports that have their own.
	Ports map[uint32]security.PeerAuthentication_MutualTLS_Mode
	// From are the policies that decided, mesh level first; PortFrom those of the ports.
	From     []resource.Source
	PortFrom map[uint32]resource.Source
}

// ForPort returns the mode of a target port.
func (t MTLS) ForPort(port uint32) security.PeerAuthentication_MutualTLS_Mode {
	if mode, ok := t.Ports[port]; ok {
		return mode
	}
	return t.Mode
}

// MTLSFor returns what PeerAuthentications ask of a workload with the labels: mesh level, then namespace, then workload; PERMISSIVE where
// nothing is said. (https://istio.io/latest/docs/reference/config/security/peer_authentication/)
func (m *Mesh) MTLSFor(namespace string, labels map[string]string) MTLS { panic("unfinished") }
