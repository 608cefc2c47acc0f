package compile

import (
	"cmp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// gatewayRoutes returns the route configurations that the gateway's listeners name.
func (b *builder) gatewayRoutes(merged *mergedGateways) []*routev3.RouteConfiguration {
	var configs []*routev3.RouteConfiguration
	for _, name := range merged.routeNames {
		configs = append(configs, b.gatewayRouteConfig(name, merged.routed[name]))
	}
	return configs
}

// gatewayRouteConfig returns the route configuration of the servers that share it.
func (b *builder) gatewayRouteConfig(name string, servers []*gatewayServer) *routev3.RouteConfiguration {
	t := gatewayTable{builder: b, hosts: map[string]*gatewayHost{}, translated: map[[2]string][]*routev3.Route{}}
	config := newRouteConfiguration(name, nil)
	for _, s := range servers {
		t.add(s)
		b.sources.Add(config, s.source())
	}
	if len(t.hosts) == 0 {
		config.VirtualHosts = []*routev3.VirtualHost{{
			Name:    hostPort("blackhole", servers[0].spec.GetPort().GetNumber()),
			Domains: []string{"*"},
		}}
		b.sources.Add(config.VirtualHosts[0], servers[0].source())
		return config
	}
	config.VirtualHosts = t.virtualHosts()
	return config
}

// gatewayHost is one host of a route table while VirtualServices add their routes to it.
type gatewayHost struct {
	host    string
	port    uint32
	routes  []*routev3.Route
	tlsOnly bool
	sources []resource.Source
}

// gatewayTable gathers the hosts of one route configuration.
type gatewayTable struct {
	*builder
	hosts map[string]*gatewayHost
	// translated are the routes of each VirtualService for each Gateway, by the names of both. The same messages stand in all its hosts.
	translated map[[2]string][]*routev3.Route
}

// add gathers what the VirtualServices bound to the server's Gateway say of its hosts. Where neither's host covers the other's, they have
// nothing to do with one another; where one does, the narrower host is served.
func (t *gatewayTable) add(s *gatewayServer) {
	port := s.spec.GetPort().GetNumber()
	tlsOnly := s.spec.GetTls().GetHttpsRedirect()
	for _, vs := range t.scope.VirtualServicesFor(s.gatewayName()) {
		shared := sharedHosts(s.hosts, vs)
		if len(shared) == 0 {
			continue
		}
		routes := t.routesOf(vs, s)
		if len(routes) == 0 {
			continue
		}
		for _, host := range shared {
			h := t.host(host.name, port)
			h.routes = append(h.routes, routes...)
			h.tlsOnly = h.tlsOnly || tlsOnly
			h.sources = append(h.sources, vs.At(resource.Index("spec.hosts", host.ofRoutes)), hostSource(s, host.ofServer))
		}
	}
	if !tlsOnly {
		return
	}
	// Hosts without routes are redirected too. Of NAMESPACE/HOST istiod keeps the namespace, so that such a host only is where it has routes.
	for i, name := range s.hosts {
		h := t.host(name, port)
		h.tlsOnly = true
		h.sources = append(h.sources, hostSource(s, i), s.gateway.At(resource.Index("spec.servers", s.index)+".tls.httpsRedirect"))
	}
}

func hostSource(s *gatewayServer, i int) resource.Source {
	return s.gateway.At(resource.Index(resource.Index("spec.servers", s.index)+".hosts", i))
}

// host returns the host's entry, a new one where there is none. Names are compared in lower case, as Envoy compares them.
func (t *gatewayTable) host(name string, port uint32) *gatewayHost {
	name = strings.ToLower(name)
	h, ok := t.hosts[name]
	if !ok {
		h = &gatewayHost{host: name, port: port}
		t.hosts[name] = h
	}
	return h
}

// sharedHost is a host that a server and a VirtualService have in common, and where each says so.
type sharedHost struct {
	name               string
	ofServer, ofRoutes int
}

// sharedHosts returns the hosts that the server's patterns and the VirtualService's have in common: of each pair the narrower one.
func sharedHosts(serverHosts []string, vs *model.VirtualService) []sharedHost {
	var shared []sharedHost
	seen := map[string]bool{}
	add := func(name string, i, j int) {
		if !seen[name] {
			seen[name] = true
			shared = append(shared, sharedHost{name: name, ofServer: i, ofRoutes: j})
		}
	}
	for i, pattern := range serverHosts {
		if ns, host, ok := strings.Cut(pattern, "/"); ok {
			if ns != vs.Namespace {
				continue
			}
			pattern = host
		}
		for j, host := range vs.Spec.GetHosts() {
			switch {
			case model.HostMatches(host, pattern):
				add(pattern, i, j)
			case model.HostMatches(pattern, host):
				add(host, i, j)
			}
		}
	}
	return shared
}

// routesOf returns the VirtualService's routes for requests that come through the server's Gateway.
func (t *gatewayTable) routesOf(vs *model.VirtualService, s *gatewayServer) []*routev3.Route {
	key := [2]string{s.gatewayName(), vs.Namespace + "/" + vs.Name}
	if routes, ok := t.translated[key]; ok {
		return routes
	}
	port := s.spec.GetPort().GetNumber()
	opts := t.routeOptions(port, s.gatewayName())
	opts.TLS = s.spec.GetTls() != nil
	opts.Cluster = func(d *networking.Destination) string {
		return destinationCluster(d, t.serviceMeantBy(vs, d.GetHost()), port)
	}
	routes := translate.HTTPRoutes(vs, opts)
	t.translated[key] = routes
	return routes
}

// serviceMeantBy is the service that the VirtualService means by a host which several namespaces may offer: that of its own namespace where the
// proxy can see it, else the one that the proxy sees.
func (t *gatewayTable) serviceMeantBy(vs *model.VirtualService, host string) *model.Service {
	seen := t.scope.Service(host)
	if seen != nil && seen.Namespace == vs.Namespace {
		return seen
	}
	for _, svc := range t.mesh.ServicesByHost(host) {
		if svc.Namespace == vs.Namespace && model.Visible(svc.ExportTo, svc.Namespace, t.proxy.Namespace) {
			return svc
		}
	}
	return seen
}

// virtualHosts returns the table's hosts as Envoy has them, by name. Hosts with the very same routes share one virtual host, named for the
// first of them: whoever lists a hundred hosts in a VirtualService gets its routes once.
func (t *gatewayTable) virtualHosts() []*routev3.VirtualHost {
	ordered := make([]*gatewayHost, 0, len(t.hosts))
	for _, h := range t.hosts {
		ordered = append(ordered, h)
	}
	slices.SortFunc(ordered, func(x, y *gatewayHost) int { return compareHosts(x.host, y.host) })

	// Two hosts have the same routes when these are the same messages; the first one and their number narrow the search.
	type likeness struct {
		first *routev3.Route
		count int
	}
	type kept struct {
		*gatewayHost
		out *routev3.VirtualHost
	}
	alike := map[likeness][]kept{}
	var out []*routev3.VirtualHost
	for _, h := range ordered {
		key := likeness{count: len(h.routes)}
		if len(h.routes) > 0 {
			key.first = h.routes[0]
		}
		i := slices.IndexFunc(alike[key], func(k kept) bool { return slices.Equal(k.routes, h.routes) })
		if i >= 0 && alike[key][i].tlsOnly == h.tlsOnly {
			vh := alike[key][i].out
			vh.Domains = append(vh.Domains, h.host)
			t.sources.Add(vh, h.sources...)
			continue
		}
		vh := t.virtualHost(h)
		out = append(out, vh)
		if i >= 0 {
			// As in istiod, only the latest virtual host with the routes takes further hosts.
			alike[key][i] = kept{h, vh}
		} else {
			alike[key] = append(alike[key], kept{h, vh})
		}
	}
	slices.SortStableFunc(out, func(x, y *routev3.VirtualHost) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

func (t *gatewayTable) virtualHost(h *gatewayHost) *routev3.VirtualHost {
	vh := &routev3.VirtualHost{
		Name:                       hostPort(h.host, h.port),
		Domains:                    []string{h.host},
		Routes:                     catchAllLast(h.routes),
		IncludeRequestAttemptCount: t.countsAttempts(),
	}
	if h.tlsOnly {
		vh.RequireTls = routev3.VirtualHost_ALL
	}
	t.sources.Add(vh, h.sources...)
	return vh
}

// compareHosts orders names before wildcards, longer before shorter, then by the alphabet.
func compareHosts(x, y string) int {
	wildcards := func(s string) int {
		if strings.HasPrefix(s, "*") {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(wildcards(x), wildcards(y)), cmp.Compare(len(y), len(x)), cmp.Compare(x, y))
}

// catchAllLast moves routes that take every request behind the others, so that each VirtualService of a host gets its turn.
func catchAllLast(routes []*routev3.Route) []*routev3.Route {
	sorted := slices.Clone(routes)
	slices.SortStableFunc(sorted, func(x, y *routev3.Route) int {
		rank := func(r *routev3.Route) int {
			if translate.TakesAll(r) {
				return 1
			}
			return 0
		}
		return cmp.Compare(rank(x), rank(y))
	})
	return sorted
}
