package compile

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshc/meshc/pkg/compile/translate"
)

// passthroughIdle is how long an idle connection through a passthrough cluster is kept.
const passthroughIdle = 5 * time.Minute

// blackHole is where traffic goes that may go nowhere: a cluster without endpoints.
func (b *clusterBuilder) blackHole() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 translate.BlackHoleCluster,
		AltStatName:          translate.BlackHoleCluster + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       b.mesh.Settings.Mesh.GetConnectTimeout(),
	}
}

// passthrough sends traffic on to where the client meant it to go.
func (b *clusterBuilder) passthrough() *clusterv3.Cluster {
	c := b.originalDestination(translate.PassthroughCluster)
	c.Filters = b.metadataExchangeFilters()
	return c
}

// inboundPassthrough sends traffic that came in on a port of no service to the workload. It binds to an address that the redirection to the
// proxy leaves alone.
func (b *clusterBuilder) inboundPassthrough() *clusterv3.Cluster {
	c := b.originalDestination(translate.InboundPassthroughCluster)
	c.UpstreamBindConfig = b.inboundBind()
	return c
}

func (b *clusterBuilder) originalDestination(name string) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name: name,
		// istiod gives both clusters one name in statistics.
		AltStatName:                   translate.PassthroughCluster + ";",
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST},
		LbPolicy:                      clusterv3.Cluster_CLUSTER_PROVIDED,
		TypedExtensionProtocolOptions: map[string]*anypb.Any{translate.HTTPOptionsKey: b.passthroughOptions()},
	}
	b.setConnectionPool(c, trafficPolicy{})
	return c
}

func (b *clusterBuilder) passthroughOptions() *anypb.Any {
	if b.passthroughOf == nil {
		b.passthroughOf = b.sources.Pack(b.passthroughHTTPOptions())
	}
	return b.passthroughOf
}

// passthroughHTTPOptions speak the client's version of HTTP to hosts of which nothing is known.
func (b *clusterBuilder) passthroughHTTPOptions() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(passthroughIdle)},
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
			UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
				HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
			},
		},
	}
}

// inboundBind is the source address of connections from the proxy to its own workload.
func (b *builder) inboundBind() *corev3.BindConfig {
	address := "127.0.0.6"
	if b.ipv6() {
		address = "::6"
	}
	return &corev3.BindConfig{SourceAddress: &corev3.SocketAddress{
		Address:       address,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 0},
	}}
}
