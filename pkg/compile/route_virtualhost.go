package compile

import (
	"maps"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// hostGroup is a set of routes and whom they are for on one port: services, and host names that no service has.
type hostGroup struct {
	port     uint32
	routes   []*routev3.Route
	services []*model.Service
	hosts    []string
	vs       *model.VirtualService // nil for services without one
}

// outboundHosts returns the virtual hosts of a port for what an egress listener imports. Port 0 stands for a proxy port or socket through
// which all ports are reached.
func (t *outboundTable) outboundHosts(egress *model.EgressListener, port uint32) []*routev3.VirtualHost {
	if strings.EqualFold(egress.Spec.GetPort().GetProtocol(), "HTTP_PROXY") {
		port = 0
	}
	services := servicesOn(egress.Services, port)
	groups := t.virtualServiceGroups(egress, services, port)
	for _, g := range groups {
		for _, svc := range g.services {
			delete(services, svc.Hostname)
		}
	}
	groups = append(groups, t.serviceGroups(services, port)...)

	taken := t.newDomains(groups, port)
	byPort := map[uint32][]*routev3.VirtualHost{}
	for _, g := range groups {
		for _, host := range g.hosts {
			if vh := t.virtualHost(taken, g, strings.ToLower(host), nil); vh != nil {
				byPort[g.port] = append(byPort[g.port], vh)
			}
		}
		for _, svc := range g.services {
			if vh := t.virtualHost(taken, g, svc.Hostname, svc); vh != nil {
				byPort[g.port] = append(byPort[g.port], vh)
			}
		}
	}
	if port != 0 {
		return byPort[port]
	}
	return mergePorts(byPort)
}

// servicesOn returns the services by hostname that have the port, each narrowed to it; all of them for port 0.
func servicesOn(services []*model.Service, port uint32) map[string]*model.Service {
	out := map[string]*model.Service{}
	for _, svc := range services {
		if port == 0 {
			out[svc.Hostname] = svc
			continue
		}
		if p := svc.Port(port); p != nil {
			narrowed := *svc
			narrowed.Hostname = strings.ToLower(svc.Hostname)
			narrowed.Ports = []*model.Port{p}
			out[narrowed.Hostname] = &narrowed
		}
	}
	return out
}

// carriesHTTP tells whether requests on the port can be routed: HTTP is declared, or may turn out at run time.
func carriesHTTP(p *model.Port) bool { return p.Protocol.IsHTTP() || p.Protocol.IsUnsupported() }

// virtualServiceGroups returns the routes of the VirtualServices, and for which services and names.
func (t *outboundTable) virtualServiceGroups(egress *model.EgressListener, services map[string]*model.Service, port uint32) []*hostGroup {
	owners := t.ownersIn(egress)
	var hostnames []string // of services, sorted, once a wildcard asks for them
	var groups []*hostGroup
	for _, vs := range egress.VirtualServices {
		if hostnames == nil && slices.ContainsFunc(vs.Spec.GetHosts(), isWildcard) {
			hostnames = slices.Sorted(maps.Keys(services))
		}
		names, matched := splitHosts(vs, services, hostnames, owners)
		if translate.FromGatewayAPI(vs) && !t.mayRoute(vs, matched) {
			continue
		}
		byPort := byHTTPPort(matched)
		if len(byPort) == 0 {
			if port != 80 {
				continue
			}
			// Names without a service can be reached on plain HTTP's port.
			byPort[80] = nil
		}
		routes := t.sharedRoutes(vs, services, port)
		if len(routes) == 0 {
			continue
		}
		for _, number := range slices.Sorted(maps.Keys(byPort)) {
			groups = append(groups, &hostGroup{port: number, routes: routes, services: byPort[number], hosts: names, vs: vs})
		}
	}
	return groups
}

// byHTTPPort groups services by those of their ports on which requests can be routed.
func byHTTPPort(services []*model.Service) map[uint32][]*model.Service {
	out := map[uint32][]*model.Service{}
	for _, svc := range services {
		for _, p := range svc.Ports {
			if carriesHTTP(p) {
				out[p.Number] = append(out[p.Number], svc)
			}
		}
	}
	return out
}

// sidecarRouteOptions names clusters by the services at hand, since on one port a service has that port only.
func (t *outboundTable) sidecarRouteOptions(services map[string]*model.Service, port uint32) translate.RouteOptions {
	opts := t.routeOptions(port, translate.MeshGateway)
	opts.Cluster = func(d *networking.Destination) string {
		return destinationCluster(d, services[d.GetHost()], port)
	}
	return opts
}

// ownersIn is wildcardOwners, asked once for all ports.
func (t *outboundTable) ownersIn(egress *model.EgressListener) map[string]*model.VirtualService {
	owners, ok := t.owners[egress]
	if !ok {
		owners = wildcardOwners(egress)
		t.owners[egress] = owners
	}
	return owners
}

// wildcardOwners tells which VirtualService's host is the most specific one for each service that any covers. Of those with equal hosts
// the first counts.
func wildcardOwners(egress *model.EgressListener) map[string]*model.VirtualService {
	exact := map[string]*model.VirtualService{}
	wild := map[string]*model.VirtualService{}
	for _, vs := range egress.VirtualServices {
		for _, h := range vs.Spec.GetHosts() {
			into := exact
			if strings.HasPrefix(h, "*") {
				into = wild
			}
			if _, ok := into[h]; !ok {
				into[h] = vs
			}
		}
	}
	owners := map[string]*model.VirtualService{}
	if len(wild) == 0 {
		return owners
	}
	patterns := slices.SortedFunc(maps.Keys(wild), func(x, y string) int {
		if len(x) != len(y) {
			return len(y) - len(x)
		}
		return strings.Compare(x, y)
	})
	for _, svc := range egress.Services {
		if vs, ok := exact[svc.Hostname]; ok {
			owners[svc.Hostname] = vs
			continue
		}
		for _, p := range patterns {
			if model.HostMatches(p, svc.Hostname) {
				owners[svc.Hostname] = wild[p]
				break
			}
		}
	}
	return owners
}

// splitHosts parts the hosts of a VirtualService into services and names that no service has. A wildcard stands for the services for
// which no other VirtualService has a more specific host; hostnames are those of the services in order.
func splitHosts(vs *model.VirtualService, services map[string]*model.Service, hostnames []string, owners map[string]*model.VirtualService) (names []string, matched []*model.Service) {
	for _, h := range vs.Spec.GetHosts() {
		if isWildcard(h) {
			continue
		}
		if svc, ok := services[h]; ok {
			matched = append(matched, svc)
		} else {
			names = append(names, h)
		}
	}
	for _, h := range vs.Spec.GetHosts() {
		if !isWildcard(h) {
			continue
		}
		covers := false
		for _, hostname := range hostnames {
			if !overlap(h, hostname) || translate.FromGatewayAPI(vs) {
				continue
			}
			covers = true
			if owner := owners[hostname]; owner != nil && owner.Resource == vs.Resource {
				matched = append(matched, services[hostname])
			}
		}
		if !covers {
			names = append(names, h)
		}
	}
	return names, matched
}

func isWildcard(host string) bool { return strings.HasPrefix(host, "*") }

// overlap tells whether two host patterns have names in common.
func overlap(a, b string) bool { return model.HostMatches(a, b) || model.HostMatches(b, a) }

// mayRoute tells whether a route of the Gateway API counts: it does in its own namespace, for the services there and for the proxies there
// (https://gateway-api.sigs.k8s.io/mesh/#mesh-routes-and-namespaces).
func (t *outboundTable) mayRoute(vs *model.VirtualService, services []*model.Service) bool {
	return slices.ContainsFunc(services, func(svc *model.Service) bool {
		return svc.Namespace == vs.Namespace || t.proxy.Namespace == vs.Namespace
	})
}

// serviceGroups returns the default routes of services without VirtualService.
func (t *outboundTable) serviceGroups(services map[string]*model.Service, port uint32) []*hostGroup {
	var groups []*hostGroup
	opts := t.routeOptions(port, translate.MeshGateway)
	for _, hostname := range slices.Sorted(maps.Keys(services)) {
		svc := services[hostname]
		for _, p := range svc.Ports {
			// Another name of a service is one of that service's domains.
			if !carriesHTTP(p) || svc.Resolution == model.Alias {
				continue
			}
			cluster := translate.OutboundCluster(p.Number, "", hostname)
			r := t.sharedDefault(defaultRoute{cluster, translate.Operation(hostname, p.Number, "/*"), t.servicePolicy(svc, p.Number), p.Source, t.forwarded}, opts)
			groups = append(groups, &hostGroup{port: p.Number, routes: []*routev3.Route{r}, services: []*model.Service{svc}})
		}
	}
	return groups
}

// virtualHost makes the virtual host of a service or, without one, of a plain name; nil where all its domains are taken already.
func (t *outboundTable) virtualHost(taken *domains, g *hostGroup, host string, svc *model.Service) *routev3.VirtualHost {
	names := taken.claim(host, g.port, svc)
	if len(names) == 0 {
		return nil
	}
	vh := &routev3.VirtualHost{
		Name:                       hostPort(host, g.port),
		Domains:                    names,
		Routes:                     g.routes,
		IncludeRequestAttemptCount: t.countsAttempts(),
	}
	if g.vs != nil {
		t.sources.Add(vh, servedHost(g.vs, host))
	}
	if svc != nil {
		t.sources.Add(vh, svc.Source)
	}
	return vh
}

// servedHost is where a VirtualService names the host: as it is written, else by the pattern that covers it.
func servedHost(vs *model.VirtualService, host string) resource.Source {
	i := slices.IndexFunc(vs.Spec.GetHosts(), func(h string) bool { return strings.EqualFold(h, host) })
	if i < 0 {
		i = slices.IndexFunc(vs.Spec.GetHosts(), func(pattern string) bool { return model.HostMatches(pattern, host) })
	}
	if i < 0 {
		return vs.At("spec.hosts")
	}
	return vs.At(resource.Index("spec.hosts", i))
}

// mergePorts puts the virtual hosts of all ports into one list. Those of port 80 keep all domains; others only those with a port,
// which alone tell them apart.
func mergePorts(byPort map[uint32][]*routev3.VirtualHost) []*routev3.VirtualHost {
	var out []*routev3.VirtualHost
	for _, port := range slices.Sorted(maps.Keys(byPort)) {
		for _, vh := range byPort[port] {
			if port != 80 {
				vh.Domains = slices.DeleteFunc(vh.Domains, func(d string) bool { return !strings.Contains(d, ":") })
			}
			if len(vh.Domains) > 0 {
				out = append(out, vh)
			}
		}
	}
	return out
}
