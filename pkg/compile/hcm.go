package compile

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	uuidv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const httpConnectionManagerName = "envoy.filters.network.http_connection_manager"

// direction is where a listener's traffic comes from, seen from the proxy.
type direction int

const (
	// outbound: from the workload to the mesh.
	outbound direction = iota
	// inbound: from the mesh to the workload.
	inbound
	// gateway: from outside (or from the mesh, at an egress gateway) through a gateway.
	gateway
)

// httpConnection says what one HTTP connection manager is for.
type httpConnection struct {
	direction  direction
	statPrefix string
	// routeName names a route configuration that is sent apart; routeConfig is one inline. One of them is set.
	routeName   string
	routeConfig *routev3.RouteConfiguration
	// protocol is what the port declares, "" where nothing does.
	protocol model.Protocol
	// port is the one that clients connect to, or the workload's own for inbound; 0 where nothing names it.
	port    uint32
	sources []resource.Source
}

// httpConnectionManager returns the network filter that reads HTTP.
func (b *builder) httpConnectionManager(c httpConnection) *listenerv3.Filter {
	return b.networkFilter(httpConnectionManagerName, b.connectionManager(c), c.sources...)
}

// connectionManager returns the filter's configuration, for callers that add to it before they pack it with networkFilter.
func (b *builder) connectionManager(c httpConnection) *hcmv3.HttpConnectionManager {
	filters := b.httpFilters(c)
	if c.direction == outbound {
		filters = slices.Insert(filters, len(filters)-1, b.dynamicDNSFilters(c.routeName)...)
		if b.resolvesUnknownHosts() && !forOneService(c.routeName) {
			filters = slices.Insert(filters, len(filters)-1, b.unknownHostsFilter())
		}
	}
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:         c.statPrefix + ";",
		HttpFilters:        filters,
		Tracing:            b.tracing(c.direction),
		StreamIdleTimeout:  durationpb.New(0),
		UseRemoteAddress:   wrapperspb.Bool(c.direction == gateway),
		AccessLog:          b.accessLogs(c.direction, httpLogger),
		Proxy_100Continue:  true,
		UpgradeConfigs:     []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		RequestIdExtension: b.requestID(c.direction),
	}
	b.normalizePaths(m)
	switch c.direction {
	case inbound:
		if c.protocol.IsHTTP2() {
			m.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{}
		}
	case gateway:
		m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{}
		m.XffNumTrustedHops = b.proxyConfig().GetGatewayTopology().GetNumTrustedProxies()
	}
	b.applyProxyHeaders(m, c.direction)
	if c.routeConfig != nil {
		m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: c.routeConfig}
	} else {
		m.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: c.routeName,
			ConfigSource: &corev3.ConfigSource{
				ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
				InitialFetchTimeout:   durationpb.New(0),
				ResourceApiVersion:    corev3.ApiVersion_V3,
			},
		}}
	}
	b.sources.Add(m, c.sources...)
	return m
}

// normalizePaths applies MeshConfig.pathNormalization
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ProxyPathNormalization).
func (b *builder) normalizePaths(m *hcmv3.HttpConnectionManager) {
	m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	switch b.mesh.Settings.Mesh.GetPathNormalization().GetNormalization() {
	case meshconfig.MeshConfig_ProxyPathNormalization_NONE:
		m.NormalizePath = wrapperspb.Bool(false)
	case meshconfig.MeshConfig_ProxyPathNormalization_MERGE_SLASHES:
		m.NormalizePath = wrapperspb.Bool(true)
		m.MergeSlashes = true
	case meshconfig.MeshConfig_ProxyPathNormalization_DECODE_AND_MERGE_SLASHES:
		m.NormalizePath = wrapperspb.Bool(true)
		m.MergeSlashes = true
		m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD
	default:
		m.NormalizePath = wrapperspb.Bool(true)
	}
}

// requestID marks requests with a UUID in which Envoy also keeps whether the request is traced.
func (b *builder) requestID(d direction) *hcmv3.RequestIDExtension {
	return &hcmv3.RequestIDExtension{TypedConfig: b.sources.Pack(&uuidv3.UuidRequestIdConfig{
		UseRequestIdForTraceSampling: wrapperspb.Bool(b.requestIDSamples(d)),
	})}
}

// proxyConfig is the ProxyConfig that applies to the proxy.
func (b *builder) proxyConfig() *meshconfig.ProxyConfig {
	if b.ownConfig == nil {
		b.ownConfig = b.mesh.ProxyConfigOf(b.proxy)
	}
	return b.ownConfig
}
