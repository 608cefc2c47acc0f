package compile

import (
	"net"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// sidecarRoutes returns the route configurations that the sidecar's outbound HTTP listeners name.
func (b *builder) sidecarRoutes(listeners []*listenerv3.Listener) []*routev3.RouteConfiguration {
	t := b.newOutboundTable()
	var out []*routev3.RouteConfiguration
	for _, name := range b.routeNames(listeners) {
		if rc := t.table(name); rc != nil {
			out = append(out, rc)
		}
	}
	return out
}

// outboundTable makes the route configurations of one sidecar, or rather of a stand-in for all that are routed alike.
type outboundTable struct {
	*builder
	// sidecar is the builder of the sidecar itself.
	sidecar *builder
	// aliases are the other names of services, see serviceAliases.
	aliases map[string][]string
	// owners is what wildcardOwners has found.
	owners map[*model.EgressListener]map[string]*model.VirtualService
	// hosts is what hostsOn has worked out.
	hosts map[portOfEgress][]*routev3.VirtualHost
	client
}

// routeNames returns the names of the route configurations that the listeners' HTTP connection managers ask for, sorted.
func (b *builder) routeNames(listeners []*listenerv3.Listener) []string {
	var names []string
	for _, l := range listeners {
		for _, chain := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
			for _, filter := range chain.GetFilters() {
				if filter.GetName() != httpConnectionManagerName {
					continue
				}
				msg, err := b.sources.Unpack(filter.GetTypedConfig())
				if err != nil {
					continue
				}
				if hcm, ok := msg.(*hcmv3.HttpConnectionManager); ok && hcm.GetRds() != nil {
					names = append(names, hcm.GetRds().GetRouteConfigName())
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// configuration makes the route configuration of a name for what an egress listener imports.
func (t *outboundTable) configuration(name string, egress *model.EgressListener) *routev3.RouteConfiguration {
	port, sniffed, _ := portOfRoutes(name)
	hosts := t.hostsOn(egress, port)
	if sniffed {
		hosts = t.onlyHost(hosts, name)
	} else {
		hosts = append(hosts, t.catchAllHost())
	}
	rc := newRouteConfiguration(name, hosts)
	t.sources.Add(rc, egress.Source)
	return rc
}

// hostsOn returns the virtual hosts of a port for what an egress listener imports, ordered by name. They are worked out once for the port
// itself and all HOST:PORT on it.
func (t *outboundTable) hostsOn(egress *model.EgressListener, port uint32) []*routev3.VirtualHost {
	key := portOfEgress{egress, port}
	if _, ok := t.hosts[key]; !ok {
		hosts := t.outboundHosts(egress, port)
		slices.SortStableFunc(hosts, func(x, y *routev3.VirtualHost) int { return strings.Compare(x.Name, y.Name) })
		for i, h := range hosts {
			hosts[i] = t.sharedHost(h)
		}
		t.hosts[key] = slices.Clip(hosts)
	}
	return t.hosts[key]
}

type portOfEgress struct {
	egress *model.EgressListener
	port   uint32
}

// portOfRoutes reads the name of a route configuration. Names are a port; HOST:PORT for the port of one service whose protocol is found out
// at run time (sniffed); a Unix socket that a Sidecar binds an egress listener to; or http_proxy for the mesh's forward proxy port. The last
// two have port 0. ok is false for a name that means nothing.
func portOfRoutes(name string) (port uint32, sniffed, ok bool) {
	if name == httpProxyRoute || strings.HasPrefix(name, "unix:") {
		return 0, false, true
	}
	number := name
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		sniffed, number = true, name[i+1:]
	}
	n, err := strconv.ParseUint(number, 10, 16)
	return uint32(n), sniffed, err == nil
}

// httpProxyRoute names the routes of MeshConfig's proxyHttpPort.
const httpProxyRoute = "http_proxy"

// newRouteConfiguration sets what all of istiod's route configurations have in common.
func newRouteConfiguration(name string, hosts []*routev3.VirtualHost) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:                           name,
		VirtualHosts:                   hosts,
		ValidateClusters:               wrapperspb.Bool(false),
		MaxDirectResponseBodySizeBytes: wrapperspb.UInt32(1 << 20),
		IgnorePortInHostMatching:       true,
	}
}

// egressListener returns the egress listener of the Sidecar that answers for a port, or for the address of a Unix socket where the
// port is 0.
func (b *builder) egressListener(port uint32, bind string) *model.EgressListener {
	for _, e := range b.scope.EgressListeners {
		if e.Spec.GetPort() == nil {
			return e
		}
		if e.Spec.GetPort().GetNumber() == port && (port != 0 || e.Spec.GetBind() == bind) {
			return e
		}
	}
	return nil
}

// onlyHost narrows the virtual hosts of a port to that of the one service HOST:PORT, which then takes every host name: the connection
// was made to its address.
func (t *outboundTable) onlyHost(hosts []*routev3.VirtualHost, name string) []*routev3.VirtualHost {
	bare, _, _ := net.SplitHostPort(name)
	var only []*routev3.VirtualHost
	for _, h := range hosts {
		if slices.Contains(h.Domains, name) || slices.Contains(h.Domains, bare) {
			only = append(only, h)
		}
	}
	if len(only) == 1 {
		only[0] = t.sharedHost(edited(t.builder, only[0], func(h *routev3.VirtualHost) { h.Domains = []string{"*"} }))
	}
	return only
}

// catchAllHost takes the requests for hosts that the proxy does not know
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-OutboundTrafficPolicy).
func (t *outboundTable) catchAllHost() *routev3.VirtualHost {
	host := &routev3.VirtualHost{Name: "block_all", Domains: []string{"*"}, IncludeRequestAttemptCount: t.countsAttempts()}
	r := &routev3.Route{Name: "block_all", Match: translate.RouteMatch(nil, false)}
	policy := t.scope.OutboundTrafficPolicy
	if policy.GetMode() != networking.OutboundTrafficPolicy_REGISTRY_ONLY {
		cluster := translate.PassthroughCluster
		if to := policy.GetEgressProxy(); to != nil {
			cluster = translate.OutboundCluster(to.GetPort().GetNumber(), to.GetSubset(), to.GetHost())
		}
		host.Name, r.Name = "allow_any", "allow_any"
		if t.resolvesUnknownHosts() {
			cluster, host.Name, r.Name = translate.AllowAnyDynamicDNSCluster, allowAnyDynamicDNS, allowAnyDynamicDNS
		}
		action := &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}, Timeout: durationpb.New(0),
			AppendXForwardedHost: t.forwardsHost(),
		}
		//lint:ignore SA1019 istiod uses this field.
		action.MaxGrpcTimeout = durationpb.New(0)
		r.Action = &routev3.Route_Route{Route: action}
	} else {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 502}}
	}
	host.Routes = []*routev3.Route{r}
	if s := t.scope.Sidecar; s != nil && s.Spec.GetOutboundTrafficPolicy() != nil {
		t.sources.Add(host, s.At("spec.outboundTrafficPolicy"))
	}
	return host
}
