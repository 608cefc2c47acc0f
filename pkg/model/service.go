package model

import (
	"time"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Protocol is an application protocol as Istio tells them apart
// (https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/).
type Protocol string

const (
	HTTP    Protocol = "HTTP"
	HTTP2   Protocol = "HTTP2"
	GRPC    Protocol = "GRPC"
	GRPCWeb Protocol = "GRPC-Web"
	HTTPS   Protocol = "HTTPS"
	TLS     Protocol = "TLS"
	TCP     Protocol = "TCP"
	UDP     Protocol = "UDP"
	Mongo   Protocol = "Mongo"
	MySQL   Protocol = "MySQL"
	Redis   Protocol = "Redis"
	HBONE   Protocol = "HBONE"
	// Unsupported is a port whose protocol nobody declared: proxies look at the first bytes.
	Unsupported Protocol = "UnsupportedProtocol"
)

// IsHTTP reports whether proxies route the protocol by its requests; gRPC is HTTP too. The groups are those of Istio's pkg/config/protocol.
func (p Protocol) IsHTTP() bool {
	return p == HTTP || p == HTTP2 || p == GRPC || p == GRPCWeb
}

// IsHTTP2 reports whether the protocol runs over HTTP/2, as gRPC does.
func (p Protocol) IsHTTP2() bool { return p == HTTP2 || p == GRPC || p == GRPCWeb }

// IsGRPC reports whether the protocol is gRPC proper.
func (p Protocol) IsGRPC() bool { return p == GRPC }

// IsTLS reports whether connections begin with TLS that the application speaks.
func (p Protocol) IsTLS() bool { return p == HTTPS || p == TLS }

// IsTCP reports whether proxies treat the protocol as bytes: TLS and the databases' protocols are among these.
func (p Protocol) IsTCP() bool {
	return p == TCP || p == HTTPS || p == TLS || p == Mongo || p == MySQL || p == Redis
}

// IsUnsupported reports whether nobody declared the protocol.
func (p Protocol) IsUnsupported() bool { return p == Unsupported }

// Resolution is how a proxy finds the endpoints of a service.
type Resolution int

const (
	// ClientSideLB: the proxy is told the endpoints and chooses among them.
	ClientSideLB Resolution = iota
	// DNSLB: the proxy resolves names and chooses among all addresses.
	DNSLB
	// Passthrough: the connection goes on to the address it was made to (headless services, resolution NONE).
	Passthrough
	// DNSRoundRobinLB: the proxy resolves names and uses the first address.
	DNSRoundRobinLB
	// DynamicDNS: the proxy resolves the name that the request asks for (wildcard hosts).
	DynamicDNS
	// Alias: an ExternalName service, another name for a host.
	Alias
)

// Service is a host that the mesh can route to: a Kubernetes Service, or one host of a ServiceEntry.
type Service struct {
	// Hostname is the FQDN of a Kubernetes Service (reviews.default.svc.cluster.local) or the ServiceEntry's host.
	Hostname  string
	Name      string // of a Kubernetes Service; the hostname for a ServiceEntry
	Namespace string
	Labels    map[string]string
	Ports     []*Port
	// Addresses are the virtual addresses: ClusterIPs, the ServiceEntry's addresses or CIDRs; made up where the manifests lack a ClusterIP.
	// Empty for headless services and ServiceEntries without addresses.
	Addresses []string
	// AutoAddress is the address that istiod would allocate to a ServiceEntry without addresses, "" where none.
	AutoAddress string
	Resolution  Resolution
	// MeshExternal is true for ServiceEntries with location MESH_EXTERNAL (the default) and ExternalName services.
	MeshExternal bool
	ExternalName string
	Headless     bool
	// Kubernetes tells a Kubernetes Service from a ServiceEntry.
	Kubernetes bool
	// NodePort, LoadBalancer addresses, trafficDistribution etc. are read from Source's object where needed.
	Selector map[string]string
	// ExportTo holds namespaces, "*", "." (as the own namespace) or "~"; already defaulted from MeshConfig.
	ExportTo map[string]bool
	// SubjectAltNames are those that a ServiceEntry asks for, or that a Service's annotations name.
	SubjectAltNames []string
	// Assumed says why meshc made the service up (a gateway that an IstioOperator installs), "" for one that the input holds.
	Assumed string
	// FromReference marks an assumed service that exists only because configuration names its host: good enough to show what that
	// configuration does, no proof that the host exists.
	FromReference bool
	// Source is the Service, or the ServiceEntry's spec.hosts[i].
	Source resource.Source

	// namespaceDistribution is what the namespace's annotation wants of services that say nothing themselves.
	namespaceDistribution string

	created time.Time
}

// Port is a port of a service.
type Port struct {
	Name     string
	Number   uint32
	Protocol Protocol
	// TargetPort is the number that the workload listens on where the service itself says it; named target ports are found
	// out per workload (see ServiceTargets).
	TargetPort     uint32
	TargetPortName string
	Source         resource.Source // spec.ports[i]
}

// Port returns the port with the number, nil if there is none: proxies do not take UDP, so its ports do not count.
func (s *Service) Port(number uint32) *Port {
	for _, p := range s.Ports {
		if p.Number == number && p.Protocol != UDP {
			return p
		}
	}
	return nil
}

// Endpoint is one address behind a port of a service.
type Endpoint struct {
	Address string // IP, host name, or unix:///path
	Port    uint32
	Labels  map[string]string
	// TLSMode is "istio" where a sidecar accepts mTLS there, else "disabled".
	TLSMode        string
	ServiceAccount string // SPIFFE identity, spiffe://TRUST/ns/NS/sa/SA
	Locality       string // region/zone/subzone
	Network        string
	Weight         uint32 // 0: unset
	WorkloadName   string
	Namespace      string
	// HostName and SubDomain are set for pods of a StatefulSet behind a headless service.
	HostName  string
	SubDomain string
	// Ready is false for endpoints that an EndpointSlice lists as not ready; Health then says in what way.
	Ready  bool
	Health Health
	// Node is the Kubernetes node that the endpoint runs on, "" where that is not known.
	Node   string
	Source resource.Source
}

// Health is what an EndpointSlice says of an endpoint.
type Health int

const (
	// Healthy endpoints are ready.
	Healthy Health = iota
	// Unhealthy ones are not, and nothing says that they are about to end.
	Unhealthy
	// Draining ones are about to end and still serve the sessions that they have.
	Draining
	// Terminating ones are about to end.
	Terminating
)

// identity tells services apart whose ports a Sidecar may have narrowed.
func (s *Service) identity() serviceKey { return serviceKey{s.Hostname, s.Namespace} }

// serviceKey is what endpoints are kept by: services of one hostname and namespace share them, whichever registry they come from.
type serviceKey struct{ hostname, namespace string }

// narrowed returns a copy that has only the given ports.
func (s *Service) narrowed(ports []*Port) *Service {
	c := *s
	c.Ports = ports
	return &c
}
