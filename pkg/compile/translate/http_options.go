package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
)

// HTTPOptionsKey is the key of typed_extension_protocol_options under which a cluster's HTTPOptions stand.
const HTTPOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// UpstreamProtocol is the HTTP version that is spoken to a cluster's endpoints.
type UpstreamProtocol int

const (
	// HTTP1 is Envoy's default, which needs no word in the cluster.
	HTTP1 UpstreamProtocol = iota
	// HTTP2 is spoken always.
	HTTP2
	// DownstreamProtocol is the version that the client speaks.
	DownstreamProtocol
)

// UpstreamProtocolOf decides the version for a port. The client's own is spoken where the pool's useClientProtocol asks for it, and, by
// proxies that find out the protocol on the connection (sniff), where the port declares none.
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#ConnectionPoolSettings-HTTPSettings)
func UpstreamProtocolOf(protocol model.Protocol, sniff, upgrade bool, pool *networking.ConnectionPoolSettings) UpstreamProtocol {
	switch {
	case pool.GetHttp().GetUseClientProtocol():
		return DownstreamProtocol
	case protocol.IsHTTP2(), upgrade:
		return HTTP2
	case sniff && protocol.IsUnsupported():
		return DownstreamProtocol
	}
	return HTTP1
}

// UpgradesToHTTP2 tells whether requests to a service are upgraded to HTTP/2: where its rule says so, or the mesh does and the port is
// declared to be HTTP.
func UpgradesToHTTP2(protocol model.Protocol, pool *networking.ConnectionPoolSettings, mesh meshconfig.MeshConfig_H2UpgradePolicy) bool {
	switch pool.GetHttp().GetH2UpgradePolicy() {
	case networking.ConnectionPoolSettings_HTTPSettings_UPGRADE:
		return true
	case networking.ConnectionPoolSettings_HTTPSettings_DO_NOT_UPGRADE:
		return false
	}
	return protocol.IsHTTP() && mesh == meshconfig.MeshConfig_UPGRADE
}

// HTTPOptions are a cluster's HTTP settings; nil where all are Envoy's defaults. A TCP idle timeout counts where there is none for HTTP.
func HTTPOptions(protocol UpstreamProtocol, pool *networking.ConnectionPoolSettings, names *corev3.UpstreamHttpProtocolOptions) *httpv3.HttpProtocolOptions {
	common, streams := commonHTTPOptions(pool)
	if protocol == HTTP1 && common == nil && names == nil {
		return nil
	}
	out := &httpv3.HttpProtocolOptions{CommonHttpProtocolOptions: common, UpstreamHttpProtocolOptions: names}
	switch protocol {
	case HTTP2:
		out.UpstreamProtocolOptions = explicitHTTP2(streams)
	case DownstreamProtocol:
		out.UpstreamProtocolOptions = downstreamHTTP()
	default:
		out.UpstreamProtocolOptions = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
					HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
				},
			},
		}
	}
	return out
}

// commonHTTPOptions returns the options of all versions, and the number of streams that only HTTP/2 has a place for. The options are there,
// if empty, where the streams alone are set.
func commonHTTPOptions(pool *networking.ConnectionPoolSettings) (*corev3.HttpProtocolOptions, *wrapperspb.UInt32Value) {
	http, tcp := pool.GetHttp(), pool.GetTcp()
	out := &corev3.HttpProtocolOptions{
		IdleTimeout:           http.GetIdleTimeout(),
		MaxConnectionDuration: tcp.GetMaxConnectionDuration(),
	}
	if out.IdleTimeout == nil {
		out.IdleTimeout = tcp.GetIdleTimeout()
	}
	if n := http.GetMaxRequestsPerConnection(); n > 0 {
		out.MaxRequestsPerConnection = wrapperspb.UInt32(uint32(n))
	}
	var streams *wrapperspb.UInt32Value
	if n := http.GetMaxConcurrentStreams(); n > 0 {
		streams = wrapperspb.UInt32(uint32(n))
	}
	if out.IdleTimeout == nil && out.MaxConnectionDuration == nil && out.MaxRequestsPerConnection == nil && streams == nil {
		return nil, nil
	}
	return out, streams
}

func explicitHTTP2(streams *wrapperspb.UInt32Value) *httpv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	return &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{MaxConcurrentStreams: streams},
			},
		},
	}
}

func downstreamHTTP() *httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig {
	return &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
		UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
			HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
			Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
		},
	}
}
