package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// gatewayChain is a filter chain of a gateway's listener.
type gatewayChain struct {
	// serverNames are those of the TLS handshake that the chain is for; with "*" among them, all.
	serverNames []string
	alpn        []string
	tls         *tlsv3.DownstreamTlsContext
	filters     []*listenerv3.Filter
	sources     []resource.Source
}

// gatewayListener is a listener while its chains are gathered from the ports of the same address and number.
type gatewayListener struct {
	key     gatewayPortKey
	chains  []gatewayChain
	servers []*gatewayServer
}

// gatewayListeners returns the listeners of a gateway proxy, one for each address and port that its Gateways open. A port without any chain
// (a TCP server that no VirtualService routes) has none, since Envoy refuses such a listener.
func (b *builder) gatewayListeners(merged *mergedGateways) []*listenerv3.Listener {
	byName := map[string]*gatewayListener{}
	var gathered []*gatewayListener
	for _, port := range merged.ports {
		name := b.gatewayListenerName(port.key)
		l := byName[name]
		if l == nil {
			l = &gatewayListener{key: port.key}
			byName[name] = l
			gathered = append(gathered, l)
		}
		l.chains = append(l.chains, b.gatewayChains(merged, port)...)
		l.servers = append(l.servers, port.servers...)
	}
	var listeners []*listenerv3.Listener
	for _, l := range gathered {
		l.keepDistinct(merged)
		if len(l.chains) > 0 {
			listeners = append(listeners, b.gatewayListener(l))
		}
	}
	return listeners
}

// keepDistinct takes from each chain the server names that one before it matches already, and leaves out the chains that have none left:
// Envoy refuses a listener that cannot choose. Ports are kept apart by the bind that a server writes, and an empty one is 0.0.0.0 to Envoy.
func (l *gatewayListener) keepDistinct(merged *mergedGateways) {
	taken := map[string]bool{}
	var kept []gatewayChain
	for _, c := range l.chains {
		names := c.serverNames
		if len(names) == 0 || slices.Contains(names, "*") {
			names = []string{"*"}
		}
		alpn := strings.Join(c.alpn, ",")
		free := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return taken[name+"|"+alpn] })
		if len(free) < len(names) {
			merged.conflict(c.sources[0], fmt.Sprintf("another server of port %d takes the same connections already", l.key.number))
			if len(free) == 0 {
				continue
			}
			c.serverNames = free
		}
		for _, name := range free {
			taken[name+"|"+alpn] = true
		}
		kept = append(kept, c)
	}
	l.chains = kept
}

func (b *builder) gatewayListenerName(key gatewayPortKey) string {
	return listenerName(b.gatewayAddress(key), key.number)
}

// gatewayAddress is where a port is opened: all addresses, unless the server's bind says otherwise.
func (b *builder) gatewayAddress(key gatewayPortKey) string {
	if key.bind != "" {
		return key.bind
	}
	return b.wildcard()
}

func (b *builder) gatewayListener(l *gatewayListener) *listenerv3.Listener {
	out := &listenerv3.Listener{
		Name:                                 b.gatewayListenerName(l.key),
		Address:                              socketAddress(b.gatewayAddress(l.key), l.key.number),
		TrafficDirection:                     corev3.TrafficDirection_OUTBOUND,
		ListenerFilters:                      b.gatewayListenerFilters(l),
		AccessLog:                            b.accessLogs(gateway, listenerLogger),
		MaxConnectionsToAcceptPerSocketEvent: wrapperspb.UInt32(1),
	}
	for _, chain := range l.chains {
		out.FilterChains = append(out.FilterChains, b.gatewayFilterChain(chain))
	}
	for _, s := range l.servers {
		b.sources.Add(out, s.source())
	}
	return out
}

// gatewayListenerFilters read what comes before the first byte of a chain's protocol: the PROXY header where a load balancer in front
// sends one, and the TLS handshake where a chain looks at it.
func (b *builder) gatewayListenerFilters(l *gatewayListener) []*listenerv3.ListenerFilter {
	var filters []*listenerv3.ListenerFilter
	if b.proxyConfig().GetGatewayTopology().GetProxyProtocol() != nil {
		filters = append(filters, b.listenerFilter("envoy.filters.listener.proxy_protocol", &proxyprotocolv3.ProxyProtocol{}))
	}
	looksAtTLS := func(c gatewayChain) bool { return len(c.serverNames) > 0 || c.tls != nil }
	if slices.ContainsFunc(l.chains, looksAtTLS) {
		filters = append(filters, b.tlsInspector())
	}
	return filters
}

func (b *builder) gatewayFilterChain(chain gatewayChain) *listenerv3.FilterChain {
	out := &listenerv3.FilterChain{
		Filters:                       chain.filters,
		TransportSocketConnectTimeout: durationpb.New(15 * time.Second),
	}
	match := &listenerv3.FilterChainMatch{ApplicationProtocols: chain.alpn}
	if !slices.Contains(chain.serverNames, "*") {
		match.ServerNames = slices.Sorted(slices.Values(chain.serverNames))
	}
	if len(match.ServerNames) > 0 || len(match.ApplicationProtocols) > 0 {
		out.FilterChainMatch = match
	}
	if chain.tls != nil {
		out.TransportSocket = b.serverTLSSocket(chain.tls, chain.sources...)
	}
	b.sources.Add(out, chain.sources...)
	return out
}

// gatewayChains returns the chains of a port: one for all plaintext HTTP servers, else those of each server.
func (b *builder) gatewayChains(merged *mergedGateways, port *gatewayPort) []gatewayChain {
	if port.protocol.IsHTTP() {
		var sources []resource.Source
		for _, s := range port.servers {
			sources = append(sources, s.source())
		}
		return []gatewayChain{{filters: b.gatewayHTTP(port, port.routeName, "", port.protocol, sources), sources: sources}}
	}
	var chains []gatewayChain
	for _, s := range port.servers {
		sources := []resource.Source{s.source()}
		switch {
		case s.endsHTTPS():
			chains = append(chains, gatewayChain{
				serverNames: s.serverNames(),
				tls:         b.gatewayTLS(s),
				filters:     b.gatewayHTTP(port, s.routeName, s.spec.GetName(), s.protocol, sources),
				sources:     sources,
			})
		case s.spec.GetTls().GetMode() == networking.ServerTLSSettings_AUTO_PASSTHROUGH:
			chains = append(chains, b.autoPassthroughChains(s)...)
		case s.passesThrough():
			chains = append(chains, b.sniChains(merged, s, port.key.number)...)
		default:
			chains = append(chains, b.gatewayTCPChains(s)...)
		}
	}
	return chains
}

// gatewayHTTP reads HTTP and leaves the rest to the route configuration. A server's own name, where it has one, is its statistics' name.
func (b *builder) gatewayHTTP(port *gatewayPort, routeName, serverName string, protocol model.Protocol, sources []resource.Source) []*listenerv3.Filter {
	m := b.connectionManager(httpConnection{
		direction:  gateway,
		port:       port.key.number,
		statPrefix: "outbound_" + b.gatewayListenerName(port.key),
		routeName:  routeName,
		protocol:   protocol,
		sources:    sources,
	})
	if serverName != "" {
		m.StatPrefix = serverName
	}
	return []*listenerv3.Filter{b.networkFilter(httpConnectionManagerName, m, sources...)}
}

// gatewayTCPChains returns the chain of a TCP server, or of a TLS server that decrypts what it forwards. The first tcp route of the
// VirtualServices bound to its Gateway that matches is taken, or the first tls route where the Gateway API's TLSRoute is the origin; without
// one there is no chain.
func (b *builder) gatewayTCPChains(s *gatewayServer) []gatewayChain {
	for _, vs := range b.scope.VirtualServicesFor(s.gatewayName()) {
		if !s.admitsAnyHost(vs) {
			continue
		}
		for i, tcp := range vs.Spec.GetTcp() {
			if len(tcp.GetRoute()) == 0 || !s.matchesL4(tcp.GetMatch()) {
				continue
			}
			return []gatewayChain{b.gatewayTCPChain(s, vs, tcp.GetRoute(), vs.At(resource.Index("spec.tcp", i)))}
		}
		if !strings.HasPrefix(vs.Annotations[routeParents], "TLSRoute/") {
			continue
		}
		for i, tls := range vs.Spec.GetTls() {
			if len(tls.GetRoute()) > 0 && slices.ContainsFunc(tls.GetMatch(), func(m *networking.TLSMatchAttributes) bool {
				return s.matchesPort(m.GetPort()) && s.matchesGateway(m.GetGateways())
			}) {
				return []gatewayChain{b.gatewayTCPChain(s, vs, tls.GetRoute(), vs.At(resource.Index("spec.tls", i)))}
			}
		}
	}
	return nil
}

// routeParents is the annotation by which the converter of the Gateway API names the routes that a VirtualService was made of.
const routeParents = "internal.istio.io/parents"

// gatewayTCPChain forwards what comes in on a server, decrypted where the server says so.
func (b *builder) gatewayTCPChain(s *gatewayServer, vs *model.VirtualService, routes []*networking.RouteDestination, from resource.Source) gatewayChain {
	chain := gatewayChain{sources: []resource.Source{s.source(), from}}
	if s.spec.GetTls() != nil {
		chain.serverNames = s.serverNames()
		chain.tls = b.gatewayTLS(s)
	}
	if s.spec.GetTls().GetMode() == networking.ServerTLSSettings_ISTIO_MUTUAL {
		chain.filters = b.metadataExchange()
	}
	chain.filters = append(chain.filters, b.routedTCP(vs, routes, s, chain.sources)...)
	return chain
}

// sniChains returns a chain for each tls match of the VirtualServices bound to a PASSTHROUGH server's Gateway. A server name that an
// earlier match took is not matched again: Envoy refuses two chains that match the same.
func (b *builder) sniChains(merged *mergedGateways, s *gatewayServer, port uint32) []gatewayChain {
	taken := merged.sniHosts[port]
	if taken == nil {
		taken = tlsNames{}
		merged.sniHosts[port] = taken
	}
	var chains []gatewayChain
	for _, vs := range b.scope.VirtualServicesFor(s.gatewayName()) {
		if !s.admitsAnyHost(vs) {
			continue
		}
		for i, tls := range vs.Spec.GetTls() {
			if len(tls.GetRoute()) == 0 {
				continue
			}
			for j, match := range tls.GetMatch() {
				if !s.matchesPort(match.GetPort()) || !s.matchesGateway(match.GetGateways()) {
					continue
				}
				at := resource.Index("spec.tls", i)
				sources := []resource.Source{s.source(), vs.At(resource.Index(at+".match", j))}
				if name := taken.claim(match.GetSniHosts(), s.spec.GetBind()); name != "" {
					merged.conflict(sources[1], fmt.Sprintf("an earlier match routes the server name %q on port %d already", name, port))
					continue
				}
				chains = append(chains, gatewayChain{
					serverNames: match.GetSniHosts(),
					filters:     b.routedTCP(vs, tls.GetRoute(), s, append(sources, vs.At(at))),
					sources:     sources,
				})
			}
		}
	}
	return chains
}

// autoPassthroughChains returns a chain for each cluster of the mesh's own services that the server's hosts cover: callers in other
// networks name the cluster in the handshake, and only the mesh's mTLS is let through.
// (https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings-TLSmode)
func (b *builder) autoPassthroughChains(s *gatewayServer) []gatewayChain {
	covers := func(host string) bool {
		return slices.ContainsFunc(s.serverNames(), func(name string) bool { return model.HostMatches(name, host) })
	}
	var chains []gatewayChain
	for _, svc := range servicesByOrigin(b.scope.Services) {
		if svc.MeshExternal || !covers(svc.Hostname) || strings.Contains(svc.Hostname, "*") {
			// A name such as outbound_.443_._.*.example.com is one that Envoy refuses the listener for.
			continue
		}
		subsets := []string{""}
		sources := []resource.Source{svc.Source}
		rule := b.scope.DestinationRule(svc)
		if rule != nil {
			for i, subset := range rule.Spec.GetSubsets() {
				subsets = append(subsets, subset.GetName())
				sources = append(sources, rule.SubsetFrom[i])
			}
		}
		for _, port := range svc.Ports {
			if port.Protocol == model.UDP {
				continue
			}
			for i, subset := range subsets {
				name := translate.OutboundSNI(port.Number, subset, svc.Hostname)
				from := []resource.Source{s.source(), sources[i], port.Source}
				forward := &tcpForward{
					statPrefix: b.tcpStatPrefix(name, svc, port, subset), clusters: []weightedCluster{{name: name}}, protocol: port.Protocol,
					rule: rule, subset: subset, opaque: true, port: port.Number,
				}
				chains = append(chains, gatewayChain{
					serverNames: []string{name},
					alpn:        alpnMesh(),
					filters:     b.tcpForwardFilters(forward, from...),
					sources:     from,
				})
			}
		}
	}
	return chains
}

// servicesByOrigin puts Kubernetes' services before those of ServiceEntries, which is the order in which istiod meets them.
func servicesByOrigin(services []*model.Service) []*model.Service {
	sorted := slices.Clone(services)
	slices.SortStableFunc(sorted, func(x, y *model.Service) int {
		switch {
		case x.Kubernetes == y.Kubernetes:
			return 0
		case x.Kubernetes:
			return -1
		default:
			return 1
		}
	})
	return sorted
}

// admitsAnyHost tells whether one of the VirtualService's hosts is one of the server's, or may be.
func (s *gatewayServer) admitsAnyHost(vs *model.VirtualService) bool {
	for _, pattern := range s.hosts {
		if ns, host, ok := strings.Cut(pattern, "/"); ok {
			if ns != vs.Namespace {
				continue
			}
			pattern = host
		}
		for _, host := range vs.Spec.GetHosts() {
			if model.HostMatches(pattern, host) || model.HostMatches(host, pattern) {
				return true
			}
		}
	}
	return false
}

// matchesL4 tells whether a tcp route is for this server: it has no match, or one that names the server's port and Gateway or leaves them open.
func (s *gatewayServer) matchesL4(matches []*networking.L4MatchAttributes) bool {
	return len(matches) == 0 || slices.ContainsFunc(matches, func(m *networking.L4MatchAttributes) bool {
		return s.matchesPort(m.GetPort()) && s.matchesGateway(m.GetGateways())
	})
}

func (s *gatewayServer) matchesPort(port uint32) bool {
	return port == 0 || port == s.spec.GetPort().GetNumber()
}

func (s *gatewayServer) matchesGateway(gateways []string) bool {
	return len(gateways) == 0 || slices.Contains(gateways, s.gatewayName())
}

// routedTCP forwards connections as a tcp or tls route of the VirtualService says.
func (b *builder) routedTCP(vs *model.VirtualService, routes []*networking.RouteDestination, s *gatewayServer, sources []resource.Source) []*listenerv3.Filter {
	port := &model.Port{Name: s.spec.GetPort().GetName(), Number: s.spec.GetPort().GetNumber(), Protocol: s.protocol}
	forward := b.routedForward(routes, port, vs)
	forward.port = port.Number
	return b.tcpForwardFilters(forward, sources...)
}
