package compile

import (
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	unixPrefix    = "unix://"
	localhostIPv4 = "127.0.0.1"
	localhostIPv6 = "::1"
	// longestSeconds keeps Envoy from ever forgetting an original destination: its largest interval, about 292 years.
	longestSeconds = (math.MaxInt64 - 999999999) / int64(time.Second)
)

// inboundTarget is a port of the proxy's own workload.
type inboundTarget struct {
	// number is the port in the cluster's name: the one that the workload (or the Sidecar's listener) listens on.
	number uint32
	// services are those behind the port, the one that decides first.
	services []model.ServiceTarget
	// address and port are where the cluster leads; the address is empty for the original destination.
	address string
	port    uint32
	source  resource.Source
}

// inboundClusters are those to the ports of the proxy's own workload: what the Sidecar's ingress listeners lead to, or else the target
// ports of the services that select the workload.
func (b *clusterBuilder) inboundClusters() []*clusterv3.Cluster {
	targets := b.ingressTargets()
	if targets == nil {
		targets = b.serviceTargets()
	}
	out := make([]*clusterv3.Cluster, len(targets))
	for i, t := range targets {
		out[i] = b.inboundCluster(t)
	}
	return out
}

// serviceTargets groups the ports of the services by the port of the workload.
func (b *clusterBuilder) serviceTargets() []inboundTarget {
	address := ""
	if b.mesh.Settings.Mesh.GetInboundTrafficPolicy().GetMode() == meshconfig.MeshConfig_InboundTrafficPolicy_LOCALHOST {
		address = localhostIPv4
		if b.ipv6() {
			address = localhostIPv6
		}
	}
	var out []inboundTarget
	at := map[uint32]int{}
	for _, t := range b.mesh.ServiceTargets(b.proxy) {
		i, ok := at[t.TargetPort]
		if !ok {
			i = len(out)
			at[t.TargetPort] = i
			out = append(out, inboundTarget{number: t.TargetPort, address: address, port: t.TargetPort, source: t.Port.Source})
		}
		out[i].services = append(out[i].services, t)
	}
	return out
}

// ingressTargets are the Sidecar's ingress listeners, nil where it has none.
// (https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioIngressListener)
func (b *clusterBuilder) ingressTargets() []inboundTarget {
	if b.scope.Sidecar == nil {
		return nil
	}
	services := b.mesh.ServiceTargets(b.proxy)
	var out []inboundTarget
	for i, l := range b.scope.Sidecar.Spec.GetIngress() {
		address, port, ok := b.defaultEndpoint(l.GetDefaultEndpoint())
		if !ok {
			continue
		}
		from := b.scope.Sidecar.At(resource.Index("spec.ingress", i))
		out = append(out, inboundTarget{
			number: l.GetPort().GetNumber(), address: address, port: port, source: from,
			services: []model.ServiceTarget{ingressService(services, l, from)},
		})
	}
	return out
}

// ingressService is the service whose target port the listener takes, with the listener's port in place of its own; without a service where
// there is none.
func ingressService(services []model.ServiceTarget, l *networking.IstioIngressListener, from resource.Source) model.ServiceTarget {
	listener := &model.Port{
		Name: l.GetPort().GetName(), Number: l.GetPort().GetNumber(), Source: from,
		Protocol: model.ParseProtocol(l.GetPort().GetProtocol()),
	}
	for _, t := range services {
		if t.TargetPort == listener.Number {
			return model.ServiceTarget{Service: t.Service, Port: listener, TargetPort: t.TargetPort}
		}
	}
	return model.ServiceTarget{Port: listener, TargetPort: listener.Number}
}

// defaultEndpoint reads where an ingress listener leads: a Unix domain socket, a port of the loopback address, or, for 0.0.0.0, of the
// workload's own address. The address is empty for the original destination; ok is false for anything else.
func (b *clusterBuilder) defaultEndpoint(endpoint string) (address string, port uint32, ok bool) {
	if endpoint == "" {
		return "", 0, true
	}
	if strings.HasPrefix(endpoint, unixPrefix) {
		return endpoint, 0, true
	}
	host, text, err := net.SplitHostPort(endpoint)
	if err != nil {
		return "", 0, false
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, false
	}
	localhost := localhostIPv4
	if b.ipv6() {
		localhost = localhostIPv6
	}
	switch host {
	case "0.0.0.0":
		address = b.proxy.IP
		if address == "" || b.ipv6() {
			address = localhostIPv4
		}
	case "::":
		address = b.proxy.IP
		if !b.ipv6() {
			address = localhostIPv6
		}
	case localhostIPv4, localhostIPv6:
		address = localhost
	default:
		return "", 0, true
	}
	return address, uint32(number), true
}

func (b *clusterBuilder) inboundCluster(t inboundTarget) *clusterv3.Cluster {
	first := t.services[0]
	name := translate.InboundCluster(t.number)
	c := &clusterv3.Cluster{
		Name:                 name,
		AltStatName:          name + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST},
		LbPolicy:             clusterv3.Cluster_CLUSTER_PROVIDED,
		CommonLbConfig:       &clusterv3.Cluster_CommonLbConfig{},
	}
	b.sources.Add(c, t.source)
	if t.address == "" {
		c.CleanupInterval = &durationpb.Duration{Seconds: longestSeconds}
	} else {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: endpointAddress(t.address, t.port)},
			}}},
		}}}
	}
	if t.address != localhostIPv4 && t.address != localhostIPv6 {
		c.UpstreamBindConfig = b.inboundBind()
	}
	policy := b.describeInbound(c, t)
	b.setConnectionPool(c, policy)
	protocol := translate.UpstreamProtocolOf(first.Port.Protocol, true, false, policy.connectionPool.value)
	b.setHTTPOptions(c, protocol, policy.connectionPool, nil, first.Port.Source)
	return c
}

// describeInbound writes which services are behind the cluster and returns the connection pool that a DestinationRule asks for, which the
// server's side needs room for as well; a Sidecar's own pool takes its place.
func (b *clusterBuilder) describeInbound(c *clusterv3.Cluster, t inboundTarget) trafficPolicy {
	first := t.services[0]
	var policy trafficPolicy
	if first.Service != nil {
		c.AltStatName = statName(c.Name, b.mesh.Settings.Mesh.GetInboundClusterStatName(), first.Service, first.Port, "", t.number)
		fields := map[string]*structpb.Value{}
		if rule := b.scope.InboundDestinationRule(first.Service); rule != nil && rule.Spec.GetTrafficPolicy() != nil {
			full := policyOf(rule, first.Port)
			policy.connectionPool, policy.retryBudget = full.connectionPool, full.retryBudget
			fields["config"] = structpb.NewStringValue(translate.ConfigPath(rule.From[0].Resource))
			b.sources.Add(c, rule.PolicyFrom)
		}
		c.Metadata = b.istioMetadata(t.servicesOnPort(), fields)
	}
	if pool := b.sidecarPool(t.number); pool.value != nil {
		policy.connectionPool = pool
	}
	return policy
}

// servicesOnPort are the services whose port has the number of the first one's, each once.
func (t inboundTarget) servicesOnPort() []*model.Service {
	var out []*model.Service
	seen := map[string]bool{}
	for _, s := range t.services {
		if s.Port.Number == t.services[0].Port.Number && !seen[s.Service.Hostname] {
			seen[s.Service.Hostname] = true
			out = append(out, s.Service)
		}
	}
	return out
}

// sidecarPool is the connection pool that the Sidecar sets for an inbound port.
func (b *clusterBuilder) sidecarPool(port uint32) part[*networking.ConnectionPoolSettings] {
	if b.scope.Sidecar == nil {
		return part[*networking.ConnectionPoolSettings]{}
	}
	spec := b.scope.Sidecar.Spec
	for i, l := range spec.GetIngress() {
		if l.GetPort().GetNumber() == port && l.GetConnectionPool() != nil {
			return newPart(l.GetConnectionPool(), b.scope.Sidecar.At(resource.Index("spec.ingress", i)), "connectionPool")
		}
	}
	return newPart(spec.GetInboundConnectionPool(), b.scope.Sidecar.At("spec"), "inboundConnectionPool")
}

// endpointAddress is an address as Envoy writes it; port 0 means a Unix domain socket.
func endpointAddress(address string, port uint32) *corev3.Address {
	if port == 0 {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: strings.TrimPrefix(address, unixPrefix)}}}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       address,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
