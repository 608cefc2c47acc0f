package compile

import (
	udpa "github.com/cncf/xds/go/udpa/type/v1"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	mongov3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/mongo_proxy/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

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
func (b *builder) tcpProxyTo(statPrefix, cluster string) *tcpv3.TcpProxy {
	return &tcpv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster},
		AccessLog:        b.accessLogs(),
	}
}

// weightedCluster is one destination of a TCP proxy and its share.
type weightedCluster struct {
	name   string
	weight uint32
}

// tcpProxyToWeighted is a TCP proxy that spreads connections over clusters; one destination alone is a plain cluster.
func (b *builder) tcpProxyToWeighted(statPrefix string, clusters []weightedCluster) *tcpv3.TcpProxy {
	tcp := &tcpv3.TcpProxy{StatPrefix: statPrefix, AccessLog: b.accessLogs()}
	weighted := &tcpv3.TcpProxy_WeightedCluster{}
	for _, c := range clusters {
		if c.weight > 0 {
			weighted.Clusters = append(weighted.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: c.name, Weight: c.weight})
		}
	}
	tcp.ClusterSpecifier = &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
	return tcp
}

// passthroughTCP is the TCP proxy filter to PassthroughCluster, BlackHoleCluster or InboundPassthroughCluster, whose statistics bear the
// cluster's name.
func (b *builder) passthroughTCP(cluster string) *listenerv3.Filter {
	return b.networkFilter(tcpProxyName, b.tcpProxyTo(cluster, cluster))
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
