package compile

import (
	udpa "github.com/cncf/xds/go/udpa/type/v1"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	grpcstatsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	grpcwebv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	alpn "istio.io/api/envoy/config/filter/http/alpn/v2alpha1"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
)

// httpFilters are the filters of a connection manager, in Istio's order: who the peer is, whether it may call with what extensions add to that, what the
// protocol asks for, the protocol to the upstream, what routes configure (fault, cors), and the router.
func (b *builder) httpFilters(c httpConnection) []*hcmv3.HttpFilter {
	direction, protocol := c.direction, c.protocol
	var filters []*hcmv3.HttpFilter
	add := func(name string, config proto.Message) {
		filters = append(filters, &hcmv3.HttpFilter{
			Name:       name,
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.sources.Pack(config)},
		})
	}
	if b.target == IstioProxy {
		add(metadataExchangeName, b.peerMetadata(direction))
	}
	filters = append(filters, b.extendHTTP(b.securityHTTP(direction), direction, c.port)...)
	if protocol == model.GRPCWeb {
		add("envoy.filters.http.grpc_web", &grpcwebv3.GrpcWeb{})
	}
	add("envoy.filters.http.grpc_stats", &grpcstatsv3.FilterConfig{
		EmitFilterState:        true,
		PerMethodStatSpecifier: &grpcstatsv3.FilterConfig_StatsForAllMethods{StatsForAllMethods: wrapperspb.Bool(false)},
	})
	if b.target == IstioProxy && direction != inbound {
		add("istio.alpn", alpnOverrides())
	}
	add("envoy.filters.http.fault", &faultv3.HTTPFault{})
	add("envoy.filters.http.cors", &corsv3.Cors{})
	filters = append(filters, b.httpStats(direction)...)
	add("envoy.filters.http.router", &routerv3.Router{
		SuppressEnvoyHeaders: b.proxyConfig().GetProxyHeaders().GetEnvoyDebugHeaders().GetDisabled().GetValue(),
	})
	return filters
}

// peerMetadata configures Istio's exchange of workload names in headers: inbound it reads and answers the caller, outbound the callee.
// Where ProxyConfig asks for it, callees outside the mesh are not told.
func (b *builder) peerMetadata(direction direction) *udpa.TypedStruct {
	side := "upstream"
	propagated := &structpb.Struct{}
	mode := b.proxyConfig().GetProxyHeaders().GetMetadataExchangeHeaders().GetMode()
	if direction == inbound {
		side = "downstream"
	} else if mode == meshconfig.ProxyConfig_ProxyHeaders_IN_MESH {
		propagated = &structpb.Struct{Fields: map[string]*structpb.Value{"skip_external_clusters": structpb.NewBoolValue(true)}}
	}
	method := func(name string, settings *structpb.Struct) *structpb.Value {
		return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{name: structpb.NewStructValue(settings)}})
	}
	list := func(values ...*structpb.Value) *structpb.Value {
		return structpb.NewListValue(&structpb.ListValue{Values: values})
	}
	return &udpa.TypedStruct{
		TypeUrl: "type.googleapis.com/io.istio.http.peer_metadata.Config",
		Value: &structpb.Struct{Fields: map[string]*structpb.Value{
			side + "_discovery":   list(method("istio_headers", &structpb.Struct{}), method("workload_discovery", &structpb.Struct{})),
			side + "_propagation": list(method("istio_headers", propagated)),
		}},
	}
}

// alpnOverrides makes the upstream connection's ALPN say both what the mesh speaks and what HTTP version the request has.
func alpnOverrides() *alpn.FilterConfig {
	override := func(protocol alpn.FilterConfig_Protocol, names ...string) *alpn.FilterConfig_AlpnOverride {
		return &alpn.FilterConfig_AlpnOverride{UpstreamProtocol: protocol, AlpnOverride: names}
	}
	return &alpn.FilterConfig{AlpnOverride: []*alpn.FilterConfig_AlpnOverride{
		override(alpn.FilterConfig_HTTP10, "istio-http/1.0", "istio", "http/1.0"),
		override(alpn.FilterConfig_HTTP11, "istio-http/1.1", "istio", "http/1.1"),
		override(alpn.FilterConfig_HTTP2, "istio-h2", "istio", "h2"),
	}}
}
