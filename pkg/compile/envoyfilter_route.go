package compile

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/model"
)

// patchTables applies the patches for route configurations to those that listeners name.
func (b *builder) patchTables(tables []*routev3.RouteConfiguration) []*routev3.RouteConfiguration {
	context := networking.EnvoyFilter_SIDECAR_OUTBOUND
	if b.proxy.Type == model.Router {
		context = networking.EnvoyFilter_GATEWAY
	}
	for i, rc := range tables {
		tables[i] = b.patchTable(context, rc)
	}
	return tables
}

// patchTable applies the patches for a route configuration and what is in it. Tables can only be merged into.
func (b *builder) patchTable(context networking.EnvoyFilter_PatchContext, rc *routev3.RouteConfiguration) *routev3.RouteConfiguration {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_ROUTE_CONFIGURATION) {
		if patch.Merges(p.operation) && b.matchesTable(p, context, rc) {
			rc = merged(b, p, rc)
		}
	}
	rc = b.patchHosts(context, rc)
	return rc
}

// sharedCatchAll names the virtual host for unknown hosts. istiod shares it between proxies, and what patches merge into it is lost.
const sharedCatchAll = "allow_any"

// patchHosts merges into virtual hosts, replaces, removes and adds them. As in istiod a host that is removed goes by its name, so that
// one of the same name that is added goes with it.
func (b *builder) patchHosts(context networking.EnvoyFilter_PatchContext, rc *routev3.RouteConfiguration) *routev3.RouteConfiguration {
	var here []*envoyPatch
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_VIRTUAL_HOST) {
		if b.matchesTable(p, context, rc) {
			here = append(here, p)
		}
	}
	removed := map[string]*envoyPatch{}
	hosts := slices.Clone(rc.GetVirtualHosts())
	for i, h := range hosts {
		h, by := b.patchHost(here, h)
		if by != nil {
			removed[h.GetName()] = by
			continue
		}
		hosts[i] = b.patchRoutes(context, rc, h)
	}
	for _, p := range here {
		if p.operation == networking.EnvoyFilter_Patch_ADD {
			hosts = append(hosts, inserted[*routev3.VirtualHost](b, p))
		}
	}
	if slices.Equal(hosts, rc.GetVirtualHosts()) && len(removed) == 0 {
		return rc
	}
	var kept, gone []*routev3.VirtualHost
	for _, h := range hosts {
		if removed[h.GetName()] == nil {
			kept = append(kept, h)
		} else {
			gone = append(gone, h)
		}
	}
	rc = edited(b, rc, func(rc *routev3.RouteConfiguration) { rc.VirtualHosts = kept })
	for _, h := range gone {
		b.dropped(removed[h.GetName()], rc, h)
	}
	return rc
}

// patchHost merges into a virtual host or replaces it; by is the patch that removes it instead.
func (b *builder) patchHost(here []*envoyPatch, h *routev3.VirtualHost) (out *routev3.VirtualHost, by *envoyPatch) {
	for _, p := range here {
		if !p.matchesHost(h) {
			continue
		}
		switch {
		case p.operation == networking.EnvoyFilter_Patch_REMOVE:
			return h, p
		case p.operation == networking.EnvoyFilter_Patch_REPLACE:
			h = replaced(b, p, h)
		case patch.Merges(p.operation) && h.GetName() != sharedCatchAll:
			h = merged(b, p, h)
		}
	}
	return h, nil
}

// patchRoutes merges into routes and removes them, and then puts routes in. The same route may stand in several hosts: it is copied where
// it is changed.
func (b *builder) patchRoutes(context networking.EnvoyFilter_PatchContext, rc *routev3.RouteConfiguration, h *routev3.VirtualHost) *routev3.VirtualHost {
	var here []*envoyPatch
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_HTTP_ROUTE) {
		if b.matchesTable(p, context, rc) && p.matchesHost(h) {
			here = append(here, p)
		}
	}
	if len(here) == 0 {
		return h
	}
	var routes, gone []*routev3.Route
	var by []*envoyPatch
	for _, r := range h.GetRoutes() {
		patched, p := b.patchRoute(here, r)
		if p != nil {
			gone, by = append(gone, r), append(by, p)
		} else {
			routes = append(routes, patched)
		}
	}
	for _, p := range here {
		routes = b.insertRoute(p, routes)
	}
	if slices.Equal(routes, h.GetRoutes()) {
		return h
	}
	h = edited(b, h, func(h *routev3.VirtualHost) { h.Routes = routes })
	for i, r := range gone {
		b.dropped(by[i], h, r)
	}
	return h
}

// patchRoute merges into a route; by is the patch that removes it instead.
func (b *builder) patchRoute(here []*envoyPatch, r *routev3.Route) (out *routev3.Route, by *envoyPatch) {
	for _, p := range here {
		if !p.matchesRoute(r) {
			continue
		}
		switch {
		case p.operation == networking.EnvoyFilter_Patch_REMOVE:
			return r, p
		case patch.Merges(p.operation):
			r = merged(b, p, r)
		}
	}
	return r, nil
}

// insertRoute puts a route in. One that is to be first and names a route is put in front of all, where there is such a route.
func (b *builder) insertRoute(p *envoyPatch, routes []*routev3.Route) []*routev3.Route {
	match := p.matchesRoute
	if !p.asksForRoute() {
		match = nil
	} else if p.operation == networking.EnvoyFilter_Patch_INSERT_FIRST && !slices.ContainsFunc(routes, match) {
		return routes
	}
	out, _ := patch.Insert(routes, p.operation, match, func() *routev3.Route { return inserted[*routev3.Route](b, p) })
	return out
}
