package compile

import (
	"slices"
	"strings"
	"sync"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// client is what of a sidecar decides over its routes, beside what its scope holds.
type client struct {
	// labels are those by which routes tell proxies apart, as labelsAmong writes them.
	labels string
	// attempts and forwarded are what countsAttempts and forwardsHost say; allocated tells that addresses count which istiod allocates.
	attempts, forwarded, allocated bool
	// ipv6 is the family of its own address.
	ipv6 bool
}

// newOutboundTable returns what makes the routes of sidecars like this one. It holds a stand-in with nothing of the sidecar but its scope and
// what client says.
func (b *builder) newOutboundTable() *outboundTable {
	c := client{
		labels:   labelsAmong(b.proxy.Labels, b.scope.RoutingLabels),
		attempts: b.countsAttempts(), forwarded: b.forwardsHost(), allocated: b.allocatesAddresses(),
		ipv6: b.ipv6(),
	}
	proxy := &model.Proxy{Type: b.proxy.Type, Namespace: b.proxy.Namespace, Labels: labelsFrom(c.labels)}
	if c.ipv6 {
		proxy.IP = "::"
	}
	like := b.standIn(proxy)
	scope := *b.scope
	scope.Proxy = like.proxy
	like.scope, like.ownConfig = &scope, c.proxyConfig()
	return &outboundTable{
		builder: like, sidecar: b, client: c, owners: map[*model.EgressListener]map[string]*model.VirtualService{},
		hosts:   map[portOfEgress][]*routev3.VirtualHost{},
		aliases: b.serviceAliases(),
	}
}

// proxyConfig is the part of ProxyConfig that decides over routes.
func (c client) proxyConfig() *meshconfig.ProxyConfig {
	config := &meshconfig.ProxyConfig{ProxyHeaders: &meshconfig.ProxyConfig_ProxyHeaders{
		AttemptCount:   &meshconfig.ProxyConfig_ProxyHeaders_AttemptCount{Disabled: wrapperspb.Bool(!c.attempts)},
		XForwardedHost: &meshconfig.ProxyConfig_ProxyHeaders_XForwardedHost{Enabled: wrapperspb.Bool(c.forwarded)},
	}}
	if c.allocated {
		config.ProxyMetadata = map[string]string{dnsCapture: "true"}
	}
	return config
}

// tableKey is all that a route configuration depends on. An egress listener belongs to one scope.
type tableKey struct {
	egress *model.EgressListener
	name   string
	client
}

// table returns the route configuration of a name, nil for a name that means nothing.
func (t *outboundTable) table(name string) *routev3.RouteConfiguration {
	port, _, ok := portOfRoutes(name)
	if !ok {
		return nil
	}
	egress := t.egressListener(port, name)
	if egress == nil {
		return nil
	}
	return shareOnce(t.sidecar, tableKey{egress, name, t.client}, func(keep keeper) *routev3.RouteConfiguration {
		rc := t.configuration(name, egress)
		keep(t.sources, rc)
		return rc
	})
}

// routesKey is what the routes of a VirtualService depend on, beside what is known of its destinations.
type routesKey struct {
	vs        *model.VirtualService
	port      uint32
	forwarded bool
	// namespace and labels are set where matches ask for those of the client.
	namespace, labels string
}

// routeVariants are the routes of one VirtualService, which differ with what clients know of its destinations.
type routeVariants struct {
	mu       sync.Mutex
	variants []routeVariant
}

type routeVariant struct {
	destinations []destination
	routes       []*routev3.Route
}

// destination is what a client knows of where a route leads.
type destination struct {
	cluster string
	policy  translate.DestinationPolicy
}

// mostVariants bounds how many variants are looked through.
const mostVariants = 64

// sharedRoutes returns the routes of a VirtualService on a port, the same messages for all clients for which they are equal.
func (t *outboundTable) sharedRoutes(vs *model.VirtualService, services map[string]*model.Service, port uint32) []*routev3.Route {
	opts := t.sidecarRouteOptions(services, port)
	key := routesKey{vs: vs, port: port, forwarded: t.forwarded}
	if asksForSource(vs) {
		key.namespace, key.labels = t.proxy.Namespace, t.labels
	}
	variants := shareOnce(t.builder, key, func(keeper) *routeVariants { return &routeVariants{} })
	known := destinationsOf(vs, opts)
	variants.mu.Lock()
	defer variants.mu.Unlock()
	for _, v := range variants.variants {
		if slices.Equal(v.destinations, known) {
			return v.routes
		}
	}
	opts.Sources = provenance.Over(&t.shared.sources)
	routes := translate.HTTPRoutes(vs, opts)
	if len(variants.variants) >= mostVariants {
		t.sources.Absorb(opts.Sources)
		return routes
	}
	t.shared.sources.Absorb(opts.Sources)
	variants.variants = append(variants.variants, routeVariant{known, routes})
	return routes
}

// asksForSource tells whether a match asks who the client is.
func asksForSource(vs *model.VirtualService) bool {
	return slices.ContainsFunc(vs.Spec.GetHttp(), func(h *networking.HTTPRoute) bool {
		return slices.ContainsFunc(h.GetMatch(), func(m *networking.HTTPMatchRequest) bool {
			return len(m.GetSourceLabels()) > 0 || m.GetSourceNamespace() != ""
		})
	})
}

// destinationsOf lists all that the options say of destinations of the VirtualService, in its order.
func destinationsOf(vs *model.VirtualService, opts translate.RouteOptions) []destination {
	var out []destination
	add := func(d *networking.Destination) {
		out = append(out, destination{opts.Cluster(d), opts.Destination(d)})
	}
	for _, h := range vs.Spec.GetHttp() {
		for _, to := range h.GetRoute() {
			add(to.GetDestination())
		}
		add(h.GetMirror())
		for _, m := range h.GetMirrors() {
			add(m.GetDestination())
		}
	}
	return out
}

// defaultRoute is what the route of a port of a service without VirtualService depends on.
type defaultRoute struct {
	cluster, operation string
	policy             translate.DestinationPolicy
	port               resource.Source
	forwarded          bool
}

func (t *outboundTable) sharedDefault(key defaultRoute, opts translate.RouteOptions) *routev3.Route {
	return shareOnce(t.builder, key, func(keep keeper) *routev3.Route {
		opts.Sources = provenance.New()
		r := translate.DefaultRoute(key.cluster, key.operation, opts, key.policy)
		opts.Sources.Add(r, key.port)
		keep(opts.Sources)
		return r
	})
}

// hostKey is what tells virtual hosts apart.
type hostKey struct {
	name, domains string
	// first stands for all routes: equal lists are the same messages.
	first    *routev3.Route
	routes   int
	attempts bool
	from     [2]resource.Source
}

// sharedHost returns the virtual host that equals h and that other tables may hold as well. Most tables of a mesh differ in few hosts.
func (t *outboundTable) sharedHost(h *routev3.VirtualHost) *routev3.VirtualHost {
	from := t.sources.Of(h)
	key := hostKey{name: h.Name, domains: strings.Join(h.Domains, "\x00"), routes: len(h.Routes), attempts: h.IncludeRequestAttemptCount}
	if len(h.Routes) == 0 || copy(key.from[:], from) < len(from) {
		return h
	}
	key.first = h.Routes[0]
	host := shareOnce(t.builder, key, func(keep keeper) *routev3.VirtualHost {
		sources := provenance.New()
		sources.Add(h, from...)
		keep(sources, h)
		return h
	})
	t.sources.Forget(h)
	return host
}
