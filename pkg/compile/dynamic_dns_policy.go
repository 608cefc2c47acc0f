package compile

import (
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	dfpcommonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/dynamic_forward_proxy/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// Under the outbound traffic policy ALLOW_ANY_DYNAMIC_DNS a request to a host that the mesh does not know goes where that name leads,
// whatever address the client took it for. What is not plain HTTP has no name to go by and passes through to its original address.
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-OutboundTrafficPolicy-Mode)

// allowAnyDynamicDNS names the virtual host and the route of such requests.
const allowAnyDynamicDNS = "allow_any_dynamic_dns"

// resolvesUnknownHosts tells whether that policy is the proxy's. MeshConfig alone can ask for it: a Sidecar's own policy takes its place.
func (b *builder) resolvesUnknownHosts() bool {
	return b.proxy.Type == model.Sidecar && int32(b.scope.OutboundTrafficPolicy.GetMode()) == int32(meshconfig.MeshConfig_OutboundTrafficPolicy_ALLOW_ANY_DYNAMIC_DNS)
}

// unknownHostsCache is the cache of names that the policy's filters and its cluster share.
func (b *builder) unknownHostsCache() *dfpcommonv3.DnsCacheConfig {
	return b.dnsCache(&model.Service{Hostname: allowAnyDynamicDNS})
}

// unknownHostsCluster leads to whichever host a request names; nil under other policies.
func (b *clusterBuilder) unknownHostsCluster() *clusterv3.Cluster {
	if !b.resolvesUnknownHosts() {
		return nil
	}
	tls := b.mesh.Settings.Mesh.GetOutboundTrafficPolicy().GetTls()
	t := outboundTarget{
		service: &model.Service{MeshExternal: true, Resolution: model.DynamicDNS, Hostname: allowAnyDynamicDNS},
		port:    &model.Port{Protocol: model.HTTP},
		rule:    &model.DestinationRule{Spec: &networking.DestinationRule{}},
		policy:  trafficPolicy{tls: part[*networking.ClientTLSSettings]{value: tls}},
	}
	c := &clusterv3.Cluster{
		Name:        translate.AllowAnyDynamicDNSCluster,
		AltStatName: translate.AllowAnyDynamicDNSCluster + ";",
		Filters:     b.metadataExchangeFilters(),
	}
	b.setDynamicDNS(c, t)
	b.setConnectionPool(c, trafficPolicy{})
	b.setClientTLS(c, t, translate.HTTP1)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{translate.HTTPOptionsKey: b.sources.Pack(&httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions:   b.passthroughHTTPOptions().GetCommonHttpProtocolOptions(),
		UpstreamHttpProtocolOptions: namesOfDynamicDNS(tls),
		UpstreamProtocolOptions:     b.passthroughHTTPOptions().GetUpstreamProtocolOptions(),
	})}
	return c
}

// forOneService tells whether the name of a route configuration, see outboundTable.configuration, is that of one service alone, HOST:PORT,
// which takes every request itself.
func forOneService(routeName string) bool {
	return strings.Contains(routeName, ":") && !strings.HasPrefix(routeName, "unix:")
}

// unknownHostsFilter resolves the hosts of those requests that no route to a service takes.
func (b *builder) unknownHostsFilter() *hcmv3.HttpFilter {
	config := &dfpv3.FilterConfig{ImplementationSpecifier: &dfpv3.FilterConfig_DnsCacheConfig{DnsCacheConfig: b.unknownHostsCache()}}
	return &hcmv3.HttpFilter{
		Name:       "envoy.filters.http.dynamic_forward_proxy",
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.sources.Pack(config)},
	}
}

// unknownHostsChain is the chain of virtualOutbound for plain HTTP that no listener of a service takes.
func (b *builder) unknownHostsChain() *listenerv3.FilterChain {
	table := &outboundTable{builder: b}
	routes := newRouteConfiguration("", []*routev3.VirtualHost{table.catchAllHost()})
	return &listenerv3.FilterChain{
		Name: "virtualOutbound-catchall-tcp-http",
		FilterChainMatch: &listenerv3.FilterChainMatch{
			TransportProtocol: rawBuffer, ApplicationProtocols: alpnPlaintextHTTP(),
		},
		Filters: []*listenerv3.Filter{b.httpConnectionManager(httpConnection{
			direction: outbound, statPrefix: translate.AllowAnyDynamicDNSCluster, routeConfig: routes,
		})},
	}
}
