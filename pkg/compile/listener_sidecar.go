package compile

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/pkg/compile/translate"
)

// handshakeTimeout bounds how long a client may take over a TLS handshake.
const handshakeTimeout = 15 * time.Second

// tlsInspectorBuffer is how many bytes the TLS inspector reads at first.
const tlsInspectorBuffer = 512

// sidecarListeners returns virtualOutbound, virtualInbound and the outbound listeners of a sidecar.
func (b *builder) sidecarListeners() []*listenerv3.Listener {
	var listeners []*listenerv3.Listener
	for _, l := range b.outboundListeners() {
		listeners = append(listeners, b.outboundListener(l))
	}
	if proxy := b.forwardProxy(); proxy != nil {
		listeners = append(listeners, proxy)
	}
	if b.interception() != interceptNone {
		listeners = append(listeners, b.virtualOutbound())
	}
	return append(listeners, b.inboundListeners()...)
}

// forwardProxy is the listener for clients that are told to use an HTTP proxy, nil unless MeshConfig.proxyHttpPort asks for it.
func (b *builder) forwardProxy() *listenerv3.Listener {
	port := positiveOr(b.mesh.Settings.Mesh.GetProxyHttpPort(), 0)
	if port == 0 {
		return nil
	}
	l := &listenerv3.Listener{
		Name:                             listenerName(b.loopback(), port),
		Address:                          socketAddress(b.loopback(), port),
		TrafficDirection:                 corev3.TrafficDirection_OUTBOUND,
		ContinueOnListenerFiltersTimeout: true,
		ListenerFiltersTimeout:           durationpb.New(0),
	}
	m := b.connectionManager(httpConnection{direction: outbound, port: port, statPrefix: "outbound_" + l.Name, routeName: httpProxyRoute})
	m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{AllowAbsoluteUrl: wrapperspb.Bool(true)}
	l.FilterChains = []*listenerv3.FilterChain{{
		Filters:                       []*listenerv3.Filter{b.networkFilter(httpConnectionManagerName, m)},
		TransportSocketConnectTimeout: durationpb.New(handshakeTimeout),
	}}
	return l
}

// outboundListener carries out the plan of a listener.
func (b *builder) outboundListener(plan *outboundListener) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                             plan.name(),
		Address:                          socketAddress(plan.address, plan.port),
		TrafficDirection:                 corev3.TrafficDirection_OUTBOUND,
		ContinueOnListenerFiltersTimeout: true,
		ListenerFiltersTimeout:           durationpb.New(0),
	}
	if !plan.bindToPort {
		l.BindToPort = wrapperspb.Bool(false)
	}
	if slices.ContainsFunc(plan.chains, func(c *outboundChain) bool { return len(c.serverNames) > 0 }) {
		l.ListenerFilters = append(l.ListenerFilters, b.tlsInspector())
	}
	if slices.ContainsFunc(plan.chains, func(c *outboundChain) bool { return c.plaintextHTTP }) {
		l.ListenerFilters = append(l.ListenerFilters, b.httpInspector())
		l.ListenerFiltersTimeout = b.detectionTimeout()
	}
	for _, c := range plan.chains {
		chain := b.outboundChain(c, l.Name, plan.port)
		b.sources.Add(chain, c.sources...)
		b.sources.Add(l, c.sources...)
		if c.matchesAll() {
			l.DefaultFilterChain = chain
		} else {
			chain.FilterChainMatch = c.match()
			l.FilterChains = append(l.FilterChains, chain)
		}
	}
	switch {
	case len(l.FilterChains) == 0:
		l.FilterChains, l.DefaultFilterChain = []*listenerv3.FilterChain{l.DefaultFilterChain}, nil
	case l.DefaultFilterChain == nil:
		l.DefaultFilterChain = &listenerv3.FilterChain{
			Name:             "PassthroughFilterChain",
			FilterChainMatch: &listenerv3.FilterChainMatch{},
			Filters:          b.passthroughTCP(b.unknownDestination()),
		}
	}
	return l
}

func (b *builder) outboundChain(c *outboundChain, listener string, port uint32) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{TransportSocketConnectTimeout: durationpb.New(handshakeTimeout)}
	if c.virtualService != nil {
		chain.Metadata = translate.ConfigMetadata(c.virtualService.Resource)
	}
	if c.routeName != "" {
		chain.Filters = []*listenerv3.Filter{b.httpConnectionManager(httpConnection{
			direction: outbound, port: port, statPrefix: "outbound_" + listener, routeName: c.routeName, protocol: c.protocol, sources: c.sources,
		})}
	} else {
		c.tcp.port = port
		chain.Filters = b.tcpForwardFilters(c.tcp, c.sources...)
	}
	return chain
}

// match writes out what a chain matches, names and subnets in order.
func (c *outboundChain) match() *listenerv3.FilterChainMatch {
	m := &listenerv3.FilterChainMatch{}
	if c.plaintextHTTP {
		m.TransportProtocol, m.ApplicationProtocols = rawBuffer, alpnPlaintextHTTP()
	}
	if !slices.Contains(c.serverNames, "*") {
		m.ServerNames = slices.Sorted(slices.Values(c.serverNames))
	}
	for _, s := range slices.Sorted(slices.Values(c.subnets)) {
		if prefix, ok := parseSubnet(s); ok && !prefix.Addr().IsUnspecified() {
			m.PrefixRanges = append(m.PrefixRanges, &corev3.CidrRange{
				AddressPrefix: prefix.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(prefix.Bits())),
			})
		}
	}
	return m
}

// detectionTimeout is MeshConfig.protocolDetectionTimeout; zero waits for the client's first bytes without end.
func (b *builder) detectionTimeout() *durationpb.Duration {
	if t := b.mesh.Settings.Mesh.GetProtocolDetectionTimeout(); t != nil {
		return t
	}
	return durationpb.New(0)
}

func (b *builder) tlsInspector() *listenerv3.ListenerFilter {
	return b.listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{
		InitialReadBufferSize: wrapperspb.UInt32(tlsInspectorBuffer),
	})
}

func (b *builder) httpInspector() *listenerv3.ListenerFilter {
	return b.listenerFilter("envoy.filters.listener.http_inspector", &httpinspectorv3.HttpInspector{})
}

func (b *builder) listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name: name, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: b.sources.Pack(config)},
	}
}
