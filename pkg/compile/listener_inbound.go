package compile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	originalsrcv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_src/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	rawBuffer    = "raw_buffer"
	tlsTransport = "tls"
)

// inboundPort is a port of the workload for which chains are built; the zero port stands for all that no other names.
type inboundPort struct {
	// number is what the workload listens on, and what the connection was made to.
	number uint32
	// servicePort is the number by which clients know it.
	servicePort uint32
	protocol    model.Protocol
	hostname    string
	cluster     string
	// statPrefix names connections in statistics.
	statPrefix string
	address    string
	bindToPort bool
	// passthrough marks ports that no service and no Sidecar names.
	passthrough bool
	sidecar     *resource.Resource
	sources     []resource.Source
}

// inboundListeners returns virtualInbound, which all inbound connections are redirected to, and the listeners that a Sidecar binds itself.
func (b *builder) inboundListeners() []*listenerv3.Listener {
	mtls := b.mesh.MTLSFor(b.proxy.Namespace, b.proxy.Labels)
	var own []*listenerv3.Listener
	var chains []*listenerv3.FilterChain
	for _, port := range b.inboundPorts() {
		built := b.inboundChains(port, mtls)
		if port.bindToPort {
			own = append(own, b.inboundListener(listenerName(port.address, port.number), port.address, port.number, true, built))
		} else {
			chains = append(chains, built...)
		}
	}
	if b.interception() == interceptNone {
		return own
	}
	all := append(b.passthroughChains(mtls), chains...)
	return append([]*listenerv3.Listener{b.inboundListener("virtualInbound", b.wildcard(), b.inboundPort(), false, all)}, own...)
}

func (b *builder) inboundListener(name, address string, port uint32, bindToPort bool, chains []*listenerv3.FilterChain) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                                 name,
		Address:                              socketAddress(address, port),
		TrafficDirection:                     corev3.TrafficDirection_INBOUND,
		ContinueOnListenerFiltersTimeout:     true,
		ListenerFiltersTimeout:               b.detectionTimeout(),
		MaxConnectionsToAcceptPerSocketEvent: wrapperspb.UInt32(1),
		AccessLog:                            b.accessLogs(inbound, listenerLogger),
		FilterChains:                         chains,
	}
	transparent := b.interception() == interceptTProxy && !bindToPort
	if !bindToPort {
		l.ListenerFilters = append(l.ListenerFilters, b.listenerFilter("envoy.filters.listener.original_dst", &originaldstv3.OriginalDst{}))
	}
	if transparent {
		l.Transparent = wrapperspb.Bool(true)
		l.ListenerFilters = append(l.ListenerFilters, b.listenerFilter("envoy.filters.listener.original_src", &originalsrcv3.OriginalSrc{
			Mark: originalSourceMark,
		}))
	}
	l.ListenerFilters = append(l.ListenerFilters, b.inspectors(chains)...)
	for _, c := range chains {
		b.sources.Add(l, b.sources.Of(c)...)
	}
	return l
}

// originalSourceMark is the mark by which Istio's iptables rules let the proxy's own packets pass.
const originalSourceMark = 1337

// inspectors are the listener filters that find out what chains match by. Ports for which no chain needs one are left out, since looking at a
// client's first bytes holds up protocols in which the server speaks first.
func (b *builder) inspectors(chains []*listenerv3.FilterChain) []*listenerv3.ListenerFilter {
	needTLS, needHTTP := map[uint32]bool{}, map[uint32]bool{}
	for _, c := range chains {
		m := c.GetFilterChainMatch()
		port := m.GetDestinationPort().GetValue()
		needTLS[port] = needTLS[port] || m.GetTransportProtocol() == tlsTransport
		needHTTP[port] = needHTTP[port] || slices.Equal(m.GetApplicationProtocols(), alpnPlaintextHTTP())
	}
	var filters []*listenerv3.ListenerFilter
	if busy, idle := portsByNeed(needTLS); len(busy) > 0 {
		filter := b.tlsInspector()
		filter.FilterDisabled = onPorts(idle)
		if !needTLS[0] {
			// What no chain names a port for is plaintext: a TLS handshake there is passed on unread.
			filter.FilterDisabled = notOn(busy)
		}
		filters = append(filters, filter)
	}
	if busy, idle := portsByNeed(needHTTP); len(busy) > 0 {
		filter := b.httpInspector()
		filter.FilterDisabled = onPorts(idle)
		filters = append(filters, filter)
	}
	return filters
}

// portsByNeed lists the ports that need a filter and those that do not, in order; 0 stands for those that no chain names.
func portsByNeed(need map[uint32]bool) (busy, idle []uint32) {
	for _, port := range slices.Sorted(maps.Keys(need)) {
		if need[port] {
			busy = append(busy, port)
		} else {
			idle = append(idle, port)
		}
	}
	return busy, idle
}

// notOn is true for connections to none of the ports.
func notOn(ports []uint32) *listenerv3.ListenerFilterChainMatchPredicate {
	return &listenerv3.ListenerFilterChainMatchPredicate{
		Rule: &listenerv3.ListenerFilterChainMatchPredicate_NotMatch{NotMatch: onPorts(ports)},
	}
}

// onPorts is true for connections to one of the ports; nil for none.
func onPorts(ports []uint32) *listenerv3.ListenerFilterChainMatchPredicate {
	var rules []*listenerv3.ListenerFilterChainMatchPredicate
	for _, p := range ports {
		rules = append(rules, &listenerv3.ListenerFilterChainMatchPredicate{
			Rule: &listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange{
				DestinationPortRange: &typev3.Int32Range{Start: int32(p), End: int32(p) + 1},
			},
		})
	}
	switch len(rules) {
	case 0:
		return nil
	case 1:
		return rules[0]
	}
	return &listenerv3.ListenerFilterChainMatchPredicate{Rule: &listenerv3.ListenerFilterChainMatchPredicate_OrMatch{
		OrMatch: &listenerv3.ListenerFilterChainMatchPredicate_MatchSet{Rules: rules},
	}}
}

// inboundPorts are the ports of services that select the workload, or, where the proxy's Sidecar has ingress listeners, those alone.
// Ordered by number.
func (b *builder) inboundPorts() []inboundPort {
	var ports []inboundPort
	if s := b.scope.Sidecar; s != nil && len(s.Spec.GetIngress()) > 0 {
		ports = b.ingressPorts(s)
	} else if b.interception() != interceptNone {
		ports = b.servicePorts()
	}
	slices.SortStableFunc(ports, func(x, y inboundPort) int { return cmp.Compare(x.number, y.number) })
	// Of services that share a port the first decides how it is read.
	return slices.CompactFunc(ports, func(x, y inboundPort) bool { return x.number == y.number })
}

func (b *builder) servicePorts() []inboundPort {
	var ports []inboundPort
	for _, t := range b.mesh.ServiceTargets(b.proxy) {
		if t.TargetPort == 0 || b.reservedPort(b.wildcard(), t.TargetPort, t.Port.Protocol) {
			continue
		}
		cluster := translate.InboundCluster(t.TargetPort)
		ports = append(ports, inboundPort{
			number: t.TargetPort, servicePort: t.Port.Number, protocol: t.Port.Protocol, hostname: t.Service.Hostname,
			cluster: cluster, statPrefix: b.inboundStatPrefix(cluster, t.Service, t.Port, t.TargetPort),
			address: b.wildcard(), sources: []resource.Source{t.Port.Source},
		})
	}
	return ports
}

// inboundStatPrefix is the name of connections in statistics: the cluster's, or what MeshConfig's pattern makes of the service. What no service
// names has nothing to put into the pattern but port 0, and a name it must have.
func (b *builder) inboundStatPrefix(cluster string, service *model.Service, port *model.Port, target uint32) string {
	name := statName(cluster, b.mesh.Settings.Mesh.GetInboundClusterStatName(), service, port, "", target)
	return cmp.Or(strings.TrimSuffix(name, ";"), cluster)
}

// ingressPorts are those of a Sidecar's ingress listeners
// (https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioIngressListener).
func (b *builder) ingressPorts(s *resource.Of[*networking.Sidecar]) []inboundPort {
	var ports []inboundPort
	hostname := s.Name + "." + s.Namespace
	for i, in := range s.Spec.GetIngress() {
		number, protocol := in.GetPort().GetNumber(), model.ParseProtocol(in.GetPort().GetProtocol())
		if b.reservedPort(in.GetBind(), number, protocol) {
			continue
		}
		cluster := translate.InboundCluster(number)
		ports = append(ports, inboundPort{
			number: number, servicePort: number, protocol: protocol,
			hostname: hostname, cluster: cluster,
			statPrefix: b.inboundStatPrefix(cluster, &model.Service{Hostname: hostname}, &model.Port{Number: number, Name: in.GetPort().GetName()}, number),
			address:    cmp.Or(in.GetBind(), b.proxy.IP, b.wildcard()),
			bindToPort: in.GetCaptureMode() == networking.CaptureMode_NONE ||
				in.GetCaptureMode() == networking.CaptureMode_DEFAULT && b.interception() == interceptNone,
			sidecar: s.Resource, sources: []resource.Source{s.At(resource.Index("spec.ingress", i))},
		})
	}
	return ports
}

// passthroughChains end loops, and take in what no service names.
func (b *builder) passthroughChains(mtls model.MTLS) []*listenerv3.FilterChain {
	chains := []*listenerv3.FilterChain{b.blackHole("virtualInbound-blackhole", b.inboundPort(), append(b.metadataExchange(), b.tcpStats(inbound)...)...)}
	for _, number := range append([]uint32{0}, slices.Sorted(maps.Keys(mtls.Ports))...) {
		if number != 0 && b.isInboundPort(number) {
			continue
		}
		chains = append(chains, b.inboundChains(inboundPort{
			number: number, protocol: model.Unsupported, cluster: translate.InboundPassthroughCluster, passthrough: true,
			statPrefix: b.inboundStatPrefix(translate.InboundPassthroughCluster, &model.Service{}, &model.Port{Name: "virtualInbound"}, number),
		}, mtls)...)
	}
	return chains
}

func (b *builder) isInboundPort(number uint32) bool {
	return slices.ContainsFunc(b.inboundPorts(), func(p inboundPort) bool { return p.number == number })
}

// inboundChains are the chains of one port: one for each way in which a connection may come that its mTLS mode and its protocol allow.
func (b *builder) inboundChains(port inboundPort, mtls model.MTLS) []*listenerv3.FilterChain {
	sources := slices.Clone(port.sources)
	if from, ok := mtls.PortFrom[port.number]; ok {
		sources = append(sources, from)
	} else {
		sources = append(sources, mtls.From...)
	}
	var chains []*listenerv3.FilterChain
	for _, way := range inboundWays(mtls.ForPort(port.number), trafficOf(port.protocol)) {
		chain := &listenerv3.FilterChain{
			Name: port.chainName(way.http),
			FilterChainMatch: &listenerv3.FilterChainMatch{
				TransportProtocol: way.transport, ApplicationProtocols: way.alpn,
			},
		}
		if port.number > 0 {
			chain.FilterChainMatch.DestinationPort = wrapperspb.UInt32(port.number)
		}
		if way.http {
			chain.Filters = b.inboundHTTP(port)
		} else {
			chain.Filters = b.inboundTCP(port)
		}
		if way.mtls {
			alpn := alpnTCPWithPeerData()
			if way.http {
				alpn = alpnHTTP()
			}
			chain.TransportSocket = b.serverTLSSocket(b.meshServerTLS(alpn), sources...)
		}
		if port.sidecar != nil {
			chain.Metadata = translate.ConfigMetadata(port.sidecar)
		}
		b.sources.Add(chain, sources...)
		chains = append(chains, chain)
	}
	return chains
}

func (p inboundPort) chainName(http bool) string {
	switch {
	case !p.passthrough:
		return listenerName(p.address, p.number)
	case http:
		return "virtualInbound-catchall-http"
	default:
		return "virtualInbound"
	}
}

// inboundWay is one way in which a connection may come.
type inboundWay struct {
	transport string
	alpn      []string
	// mtls is set where the proxy ends the mesh's TLS; TLS of another kind is passed on.
	mtls bool
	http bool
}

// inboundWays lists, for a mode and what a port carries, the ways in which connections may come; Envoy takes the most specific match. A
// sidecar says by the ALPN of its mTLS that it is one, and whether HTTP is inside.
func inboundWays(mode security.PeerAuthentication_MutualTLS_Mode, carries traffic) []inboundWay {
	switch mode {
	case security.PeerAuthentication_MutualTLS_DISABLE:
		return plaintextWays(carries)
	case security.PeerAuthentication_MutualTLS_STRICT:
		return strictWays(carries)
	default:
		return permissiveWays(carries)
	}
}

func plaintextWays(carries traffic) []inboundWay {
	switch carries {
	case trafficHTTP:
		return []inboundWay{{transport: rawBuffer, http: true}}
	case trafficAny:
		return []inboundWay{
			{transport: rawBuffer, alpn: alpnPlaintextHTTP(), http: true},
			{transport: rawBuffer},
		}
	default:
		return []inboundWay{{transport: rawBuffer}}
	}
}

func strictWays(carries traffic) []inboundWay {
	switch carries {
	case trafficHTTP:
		return []inboundWay{{transport: tlsTransport, mtls: true, http: true}}
	case trafficAny:
		return []inboundWay{
			{transport: tlsTransport, alpn: alpnMeshHTTP(), mtls: true, http: true},
			{transport: tlsTransport, mtls: true},
		}
	default:
		return []inboundWay{{transport: tlsTransport, mtls: true}}
	}
}

func permissiveWays(carries traffic) []inboundWay {
	switch carries {
	case trafficHTTP:
		return []inboundWay{
			{transport: tlsTransport, alpn: alpnMesh(), mtls: true, http: true},
			{transport: rawBuffer, http: true},
		}
	case trafficAny:
		return []inboundWay{
			{transport: tlsTransport, alpn: alpnMeshHTTP(), mtls: true, http: true},
			{transport: rawBuffer, alpn: alpnPlaintextHTTP(), http: true},
			{transport: tlsTransport, alpn: alpnMeshTCP(), mtls: true},
			{transport: rawBuffer},
			{transport: tlsTransport},
		}
	default:
		return []inboundWay{
			{transport: tlsTransport, alpn: alpnMesh(), mtls: true},
			{transport: tlsTransport},
			{transport: rawBuffer},
		}
	}
}

// inboundTCP hands connections to the workload as they are.
func (b *builder) inboundTCP(port inboundPort) []*listenerv3.Filter {
	filters := append(b.metadataExchange(), b.extendNetwork(b.securityNetwork(), inbound, port.number)...)
	filters = append(filters, b.tcpStats(inbound)...)
	filters = append(filters, b.protocolFilters(port.protocol, port.statPrefix, port.sources...)...)
	return append(filters, b.networkFilter(tcpProxyName, b.tcpProxyTo(inbound, port.statPrefix, port.cluster), port.sources...))
}

// inboundHTTP reads requests and hands them to the workload.
func (b *builder) inboundHTTP(port inboundPort) []*listenerv3.Filter {
	statPrefix := "inbound_" + listenerName(port.address, port.number)
	if port.passthrough {
		statPrefix = port.cluster
	}
	filters := append(b.metadataExchange(), b.extendNetwork(nil, inbound, port.number)...)
	return append(filters, b.httpConnectionManager(httpConnection{
		direction: inbound, port: port.number, statPrefix: statPrefix, routeConfig: b.inboundRoutes(port), protocol: port.protocol, sources: port.sources,
	}))
}

// inboundRoutes is the route table of an inbound port: everything to the workload.
func (b *builder) inboundRoutes(port inboundPort) *routev3.RouteConfiguration {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: port.cluster},
		Timeout:          durationpb.New(0),
		MaxStreamDuration: &routev3.RouteAction_MaxStreamDuration{
			MaxStreamDuration: durationpb.New(0), GrpcTimeoutHeaderMax: durationpb.New(0),
		},
	}
	if port.protocol != model.GRPC && port.protocol != model.GRPCWeb {
		// The workload may close an idle connection just as a request is sent on it.
		action.RetryPolicy = &routev3.RetryPolicy{RetryOn: "reset-before-request", NumRetries: wrapperspb.UInt32(2)}
	}
	service := portString(port.servicePort)
	route := &routev3.Route{
		Name:      "default",
		Match:     &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action:    &routev3.Route_Route{Route: action},
		Decorator: &routev3.Decorator{Operation: port.hostname + ":" + service + "/*"},
	}
	host := &routev3.VirtualHost{Name: "inbound|http|" + service, Domains: []string{"*"}, Routes: []*routev3.Route{route}}
	table := &routev3.RouteConfiguration{
		Name: port.cluster, VirtualHosts: []*routev3.VirtualHost{host}, ValidateClusters: wrapperspb.Bool(false),
	}
	b.sources.Add(route, port.sources...)
	b.sources.Add(host, port.sources...)
	b.sources.Add(table, port.sources...)
	return b.patchTable(networking.EnvoyFilter_SIDECAR_INBOUND, table)
}
