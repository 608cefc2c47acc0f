package emit

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshc/meshc/pkg/compile"
)

// Ports at which Istio's proxies answer Prometheus and probes, which redirection leaves alone
// (https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio).
const (
	prometheusPort = 15090
	statusPort     = 15021
)

// defaultAdminPort is where Istio's proxies serve Envoy's admin interface, unless ProxyConfig.proxyAdminPort says otherwise.
const defaultAdminPort = 15000

// adminCluster is the name of the admin interface as a cluster, in Istio's bootstraps too.
const adminCluster = "prometheus_stats"

func (a *assembly) adminPort() uint32 {
	if port := a.cfg.ProxyConfig.GetProxyAdminPort(); port > 0 && port <= 65535 {
		return uint32(port)
	}
	return defaultAdminPort
}

// localhost and wildcard are of the family of the proxy's address.
func (a *assembly) localhost() string {
	if a.ipv6() {
		return "::1"
	}
	return "127.0.0.1"
}

func (a *assembly) wildcard() string {
	if a.ipv6() {
		return "::"
	}
	return "0.0.0.0"
}

func (a *assembly) ipv6() bool {
	ip, err := netip.ParseAddr(a.cfg.Proxy.IP)
	return err == nil && ip.Is6() && !ip.Is4In6()
}

// serveAdmin adds what lets a scraper and a probe reach the admin interface, which listens on the loopback alone: statistics as Istio's
// proxies give them, and readiness, which in Istio's is asked of the agent beside Envoy. Under target istio-proxy the bootstrap holds what
// istiod sends and not what is static in a proxy.
func (a *assembly) serveAdmin(b *bootstrapv3.Bootstrap) {
	if a.cfg.Target == compile.IstioProxy {
		return
	}
	open := false
	for _, l := range []*listenerv3.Listener{
		a.adminListener("stats", prometheusPort, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/stats/prometheus"}},
			Action: toAdmin(&routev3.RouteAction{}),
		}),
		// A prefix would let a path with dots in it reach other parts of the interface.
		a.adminListener("agent", statusPort, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/healthz/ready"}},
			Action: toAdmin(&routev3.RouteAction{PrefixRewrite: "/ready"}),
		}),
	} {
		if a.taken(l) {
			continue
		}
		// Behind the others, whose places source maps name.
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, l)
		open = true
	}
	if open {
		b.StaticResources.Clusters = sorted(append(b.StaticResources.Clusters, a.adminAsCluster()), (*clusterv3.Cluster).GetName)
	}
}

// taken tells whether the configuration has a listener at the port already, which Envoy would refuse to share.
func (a *assembly) taken(l *listenerv3.Listener) bool {
	port := l.GetAddress().GetSocketAddress().GetPortValue()
	return slices.ContainsFunc(a.cfg.Listeners, func(own *listenerv3.Listener) bool {
		binds := own.GetBindToPort() == nil || own.GetBindToPort().GetValue()
		return own.GetName() == l.GetName() || binds && own.GetAddress().GetSocketAddress().GetPortValue() == port
	})
}

func toAdmin(action *routev3.RouteAction) *routev3.Route_Route {
	action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: adminCluster}
	return &routev3.Route_Route{Route: action}
}

// adminListener serves one route at a port. Limits on connections do not hold there, so that a busy proxy can still be watched.
func (a *assembly) adminListener(name string, port uint32, route *routev3.Route) *listenerv3.Listener {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix: name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			VirtualHosts: []*routev3.VirtualHost{{Name: "backend", Domains: []string{"*"}, Routes: []*routev3.Route{route}}},
		}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: a.pack(&routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name:                  a.wildcard() + "_" + strconv.Itoa(int(port)),
		Address:               socketAddress(a.wildcard(), port),
		IgnoreGlobalConnLimit: true,
		BypassOverloadManager: true,
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: a.pack(manager)},
		}}}},
	}
}

func (a *assembly) adminAsCluster() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 adminCluster,
		AltStatName:          adminCluster + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(250 * time.Millisecond),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: adminCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: socketAddress(a.localhost(), a.adminPort())},
			}}},
		}}},
	}
}
