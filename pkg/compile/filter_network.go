package compile

import (
	"net"
	"slices"
	"strconv"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	mongov3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/mongo_proxy/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	tcpProxyName         = "envoy.filters.network.tcp_proxy"
	metadataExchangeName = "istio.metadata_exchange"
)

// networkFilter packs the configuration of a network filter and records what shaped it.
func (b *builder) networkFilter(name string, config proto.Message, sources ...resource.Source) *listenerv3.Filter {
	filter := &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: b.sources.Pack(config)}}
	b.sources.Add(filter, sources...)
	return filter
}

// tcpProxyTo is a TCP proxy to one cluster. Callers may set timeouts and hash policies before they pack it with networkFilter.
func (b *builder) tcpProxyTo(d direction, statPrefix, cluster string) *tcpv3.TcpProxy {
	return &tcpv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster},
		AccessLog:        b.accessLogs(d, tcpLogger),
	}
}

// tcpForward says where TCP connections go, and how.
type tcpForward struct {
	statPrefix string
	// clusters holds one without a weight, or several with theirs.
	clusters []weightedCluster
	protocol model.Protocol
	// rule is that of the (first) destination, nil for none; subset the one that a single destination names.
	rule   *model.DestinationRule
	subset string
	// opaque connections go on as they came, for their destination to judge: neither the rule's tunnel nor the gateway's policies are theirs.
	opaque bool
	// port is the one that clients connect to.
	port uint32
}

// tcpForwardFilters are the network filters that carry it out: at a gateway those that judge the connection, what the protocol asks for, and the
// TCP proxy.
func (b *builder) tcpForwardFilters(f *tcpForward, sources ...resource.Source) []*listenerv3.Filter {
	var tcp *tcpv3.TcpProxy
	if len(f.clusters) == 1 {
		tcp = b.tcpProxyTo(b.outward(), f.statPrefix, f.clusters[0].name)
	} else {
		tcp = b.tcpProxyToWeighted(f.statPrefix, f.clusters)
	}
	if f.rule != nil {
		applyTCPPolicy(tcp, f.rule.Spec, f.subset)
		if f.opaque {
			tcp.TunnelingConfig = nil
		}
		if f.rule.PolicyFrom.Resource != nil {
			sources = append(slices.Clone(sources), f.rule.PolicyFrom)
		}
	}
	var judges []*listenerv3.Filter
	if b.proxy.Type == model.Router && !f.opaque {
		judges = b.securityNetwork()
	}
	filters := b.extendNetwork(judges, b.outward(), f.port)
	filters = append(filters, b.tcpStats(b.outward())...)
	filters = append(filters, b.protocolFilters(f.protocol, f.statPrefix, sources...)...)
	if len(f.clusters) == 1 {
		filters = append(filters, b.sniDynamicDNSFilters(f.clusters[0].name)...)
	}
	return append(filters, b.networkFilter(tcpProxyName, tcp, sources...))
}

// applyTCPPolicy sets what a DestinationRule asks of the connection from the client: how long it may be idle and last, that clients stay
// with their endpoint, and tunnels.
func applyTCPPolicy(tcp *tcpv3.TcpProxy, rule *networking.DestinationRule, subset string) {
	pool := rule.GetTrafficPolicy().GetConnectionPool().GetTcp()
	tcp.IdleTimeout = pool.GetIdleTimeout()
	tcp.MaxDownstreamConnectionDuration = pool.GetMaxConnectionDuration()
	bySource := rule.GetTrafficPolicy().GetLoadBalancer().GetConsistentHash().GetUseSourceIp()
	tunnel := rule.GetTrafficPolicy().GetTunnel()
	for _, s := range rule.GetSubsets() {
		if s.GetName() != subset {
			continue
		}
		if lb := s.GetTrafficPolicy().GetLoadBalancer(); lb != nil {
			bySource = lb.GetConsistentHash().GetUseSourceIp()
		}
		if own := s.GetTrafficPolicy().GetTunnel(); own != nil {
			tunnel = own
		}
		break
	}
	if bySource {
		tcp.HashPolicy = []*typev3.HashPolicy{{PolicySpecifier: &typev3.HashPolicy_SourceIp_{SourceIp: &typev3.HashPolicy_SourceIp{}}}}
	}
	if tunnel != nil {
		tcp.TunnelingConfig = &tcpv3.TcpProxy_TunnelingConfig{
			Hostname: net.JoinHostPort(tunnel.GetTargetHost(), strconv.FormatUint(uint64(tunnel.GetTargetPort()), 10)),
			UsePost:  tunnel.GetProtocol() == "POST",
		}
	}
}

// weightedCluster is one destination of a TCP proxy and its share.
type weightedCluster struct {
	name   string
	weight uint32
}

// tcpProxyToWeighted is a TCP proxy that spreads connections over clusters; one destination alone is a plain cluster.
func (b *builder) tcpProxyToWeighted(statPrefix string, clusters []weightedCluster) *tcpv3.TcpProxy {
	tcp := &tcpv3.TcpProxy{StatPrefix: statPrefix, AccessLog: b.accessLogs(b.outward(), tcpLogger)}
	weighted := &tcpv3.TcpProxy_WeightedCluster{}
	for _, c := range clusters {
		if c.weight > 0 {
			weighted.Clusters = append(weighted.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: c.name, Weight: c.weight})
		}
	}
	tcp.ClusterSpecifier = &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
	return tcp
}

// passthroughTCP are the filters of a TCP proxy to PassthroughCluster, BlackHoleCluster or InboundPassthroughCluster, whose statistics bear the
// cluster's name.
func (b *builder) passthroughTCP(cluster string) []*listenerv3.Filter {
	return append(b.tcpStats(outbound), b.networkFilter(tcpProxyName, b.tcpProxyTo(outbound, cluster, cluster)))
}

// protocolFilters are those that a protocol puts before the TCP proxy.
func (b *builder) protocolFilters(protocol model.Protocol, statPrefix string, sources ...resource.Source) []*listenerv3.Filter {
	if protocol != model.Mongo {
		return nil
	}
	return []*listenerv3.Filter{
		b.networkFilter("envoy.filters.network.mongo_proxy", &mongov3.MongoProxy{StatPrefix: statPrefix}, sources...),
	}
}

// metadataExchange are the network filters by which Istio's proxies tell each other who they are; none for stock Envoy, which lacks them.
func (b *builder) metadataExchange() []*listenerv3.Filter {
	if b.target != IstioProxy {
		return nil
	}
	return []*listenerv3.Filter{b.networkFilter(metadataExchangeName, &udpa.TypedStruct{
		TypeUrl: "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange",
		Value: &structpb.Struct{Fields: map[string]*structpb.Value{
			"enable_discovery": structpb.NewBoolValue(true),
			"protocol":         structpb.NewStringValue("istio-peer-exchange"),
		}},
	})}
}
