package compile

import (
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// Ports that Envoy and Istio's agent keep for themselves (https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio).
const (
	defaultOutboundPort = 15001
	defaultInboundPort  = 15006
	statusPort          = 15021
	prometheusPort      = 15090
)

// interception is how connections reach the proxy.
type interception int

const (
	interceptRedirect interception = iota
	interceptTProxy
	// interceptNone: clients connect to the proxy's own listeners.
	interceptNone
)

// interception follows the pod's annotation, else its ProxyConfig.
func (b *builder) interception() interception {
	mode := b.proxy.Annotations["sidecar.istio.io/interceptionMode"]
	if mode == "" {
		mode = b.proxyConfig().GetInterceptionMode().String()
	}
	switch mode {
	case meshconfig.ProxyConfig_TPROXY.String():
		return interceptTProxy
	case meshconfig.ProxyConfig_NONE.String():
		return interceptNone
	default:
		return interceptRedirect
	}
}

func (b *builder) outboundPort() uint32 {
	return positiveOr(b.mesh.Settings.Mesh.GetProxyListenPort(), defaultOutboundPort)
}

func (b *builder) inboundPort() uint32 {
	return positiveOr(b.mesh.Settings.Mesh.GetProxyInboundListenPort(), defaultInboundPort)
}

func positiveOr(n int32, otherwise uint32) uint32 {
	if n > 0 {
		return uint32(n)
	}
	return otherwise
}

// reservedPort tells whether a listener on the port would stand in the way of the proxy's own. One that binds to a single address does not,
// nor does one whose address will be a service's.
func (b *builder) reservedPort(address string, port uint32, protocol model.Protocol) bool {
	if address == "" {
		if !protocol.IsHTTP() {
			return false
		}
	} else if address != b.wildcard() {
		return false
	}
	switch port {
	case b.outboundPort(), b.inboundPort(), statusPort, prometheusPort:
		return true
	}
	return false
}

// virtualOutbound is the listener to which all outbound connections are redirected. It hands them to the listener of their original
// destination; what has none goes where the outbound traffic policy says.
func (b *builder) virtualOutbound() *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                                 "virtualOutbound",
		Address:                              socketAddress(b.wildcard(), b.outboundPort()),
		UseOriginalDst:                       wrapperspb.Bool(true),
		TrafficDirection:                     corev3.TrafficDirection_OUTBOUND,
		MaxConnectionsToAcceptPerSocketEvent: wrapperspb.UInt32(1),
		AccessLog:                            b.accessLogs(outbound, listenerLogger),
		FilterChains: []*listenerv3.FilterChain{
			b.blackHole("virtualOutbound-blackhole", b.outboundPort(), b.tcpStats(outbound)...),
			{Name: "virtualOutbound-catchall-tcp", Filters: b.passthroughTCP(b.unknownDestination())},
		},
	}
	if b.resolvesUnknownHosts() {
		// Envoy does not come back from a chain of which only the transport protocol matches: what passes through has to be the default.
		l.DefaultFilterChain = l.FilterChains[1]
		l.FilterChains[1] = b.unknownHostsChain()
		l.ListenerFilters = []*listenerv3.ListenerFilter{b.httpInspector()}
		l.ListenerFiltersTimeout, l.ContinueOnListenerFiltersTimeout = b.detectionTimeout(), true
	}
	if b.interception() == interceptTProxy {
		l.Transparent = wrapperspb.Bool(true)
	}
	if b.scope.Sidecar != nil {
		b.sources.Add(l, b.scope.Sidecar.At("spec.outboundTrafficPolicy"))
	}
	return l
}

// blackHole is the chain that ends connections made to the virtual listener itself, which would come back to it for ever.
func (b *builder) blackHole(name string, port uint32, before ...*listenerv3.Filter) *listenerv3.FilterChain {
	tcp := b.tcpProxyTo(outbound, translate.BlackHoleCluster, translate.BlackHoleCluster)
	tcp.AccessLog = nil
	return &listenerv3.FilterChain{
		Name:             name,
		FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(port)},
		Filters:          append(before, b.networkFilter(tcpProxyName, tcp)),
	}
}

// unknownDestination is the cluster for what no service of the mesh explains: out as it is, to the Sidecar's egress proxy, or nowhere
// (https://istio.io/latest/docs/reference/config/networking/sidecar/#OutboundTrafficPolicy).
func (b *builder) unknownDestination() string {
	policy := b.scope.OutboundTrafficPolicy
	if policy.GetMode() == networking.OutboundTrafficPolicy_REGISTRY_ONLY {
		return translate.BlackHoleCluster
	}
	if to := policy.GetEgressProxy(); to != nil {
		return translate.OutboundCluster(to.GetPort().GetNumber(), to.GetSubset(), to.GetHost())
	}
	return translate.PassthroughCluster
}

// socketAddress is a TCP address, or for port 0 the path of a Unix socket.
func socketAddress(address string, port uint32) *corev3.Address {
	if port == 0 {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: strings.TrimPrefix(address, unixPrefix)}}}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func portString(port uint32) string { return strconv.FormatUint(uint64(port), 10) }
