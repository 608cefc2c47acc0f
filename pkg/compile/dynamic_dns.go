package compile

import (
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	dfpclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dynamic_forward_proxy/v3"
	dfpcommonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/dynamic_forward_proxy/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	snidfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// A ServiceEntry with resolution DYNAMIC_DNS names hosts by a wildcard; the proxy resolves whichever a request asks for. In Envoy that takes
// a filter that resolves and a cluster of its own kind, which share a cache.
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/dynamic_forward_proxy_filter)

// dnsCache is the cache that filter and cluster share. Envoy refuses two of one name that are not alike.
func (b *builder) dnsCache(svc *model.Service) *dfpcommonv3.DnsCacheConfig {
	return &dfpcommonv3.DnsCacheConfig{Name: svc.Hostname + "_dfp_dns_cache", DnsLookupFamily: b.lookupFamily()}
}

// setDynamicDNS makes the cluster one of names that requests ask for.
func (b *clusterBuilder) setDynamicDNS(c *clusterv3.Cluster, t outboundTarget) {
	config := &dfpclusterv3.ClusterConfig{
		ClusterImplementationSpecifier: &dfpclusterv3.ClusterConfig_DnsCacheConfig{DnsCacheConfig: b.dnsCache(t.service)},
		AllowInsecureClusterOptions:    t.policy.tls.value.GetInsecureSkipVerify().GetValue(),
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.clusters.dynamic_forward_proxy", TypedConfig: b.sources.Pack(config),
	}}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
}

// namesOfDynamicDNS are the options without which Envoy takes no such cluster: certificates are checked against the name that was resolved,
// unless the rule says that they are not checked at all.
func namesOfDynamicDNS(tls *networking.ClientTLSSettings) *corev3.UpstreamHttpProtocolOptions {
	return &corev3.UpstreamHttpProtocolOptions{AutoSni: true, AutoSanValidation: !tls.GetInsecureSkipVerify().GetValue()}
}

// dynamicDNSFilters resolve the hosts of requests on a port for the services that ask for it.
func (b *builder) dynamicDNSFilters(routeName string) []*hcmv3.HttpFilter {
	if b.proxy.Type != model.Sidecar || routeName == "" {
		return nil
	}
	var filters []*hcmv3.HttpFilter
	for _, svc := range b.scope.Services {
		if svc.Resolution != model.DynamicDNS {
			continue
		}
		for _, port := range svc.Ports {
			if !port.Protocol.IsTLS() && routeOfPort(routeName, svc, port) {
				config := &dfpv3.FilterConfig{ImplementationSpecifier: &dfpv3.FilterConfig_DnsCacheConfig{DnsCacheConfig: b.dnsCache(svc)}}
				filter := &hcmv3.HttpFilter{
					Name:       "envoy.filters.http.dynamic_forward_proxy",
					ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.sources.Pack(config)},
				}
				b.sources.Add(filter, port.Source)
				filters = append(filters, filter)
			}
		}
	}
	return filters
}

// sniDynamicDNSFilters resolve the server name of TLS connections that a sidecar hands on to a cluster of such names as they are.
func (b *builder) sniDynamicDNSFilters(cluster string) []*listenerv3.Filter {
	_, number, _, host, ok := translate.SplitCluster(cluster)
	if !ok || b.proxy.Type != model.Sidecar {
		return nil
	}
	svc := b.scope.Service(host)
	if svc == nil || svc.Resolution != model.DynamicDNS || svc.Port(number) == nil || !svc.Port(number).Protocol.IsTLS() {
		return nil
	}
	return []*listenerv3.Filter{b.networkFilter("envoy.filters.network.sni_dynamic_forward_proxy", &snidfpv3.FilterConfig{
		DnsCacheConfig: b.dnsCache(svc),
		PortSpecifier:  &snidfpv3.FilterConfig_PortValue{PortValue: number},
	}, svc.Port(number).Source)}
}

// routeOfPort tells whether a sidecar's route configuration, named by a port or by HOST:PORT, is one in which the service's port stands.
func routeOfPort(routeName string, svc *model.Service, port *model.Port) bool {
	host, number, found := strings.Cut(routeName, ":")
	if !found {
		host, number = svc.Hostname, routeName
	}
	return host == svc.Hostname && number == strconv.FormatUint(uint64(port.Number), 10)
}
