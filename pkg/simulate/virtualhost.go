package simulate

import (
	"cmp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// routeTable is a route configuration with its virtual hosts indexed by domain.
type routeTable struct {
	config *routev3.RouteConfiguration
	exact  map[string]*virtualHost
	// suffixes are the domains *REST by REST, prefixes REST* by REST; the lengths of the rests go from the longest down.
	suffixes, prefixes           map[string]*virtualHost
	suffixLengths, prefixLengths []int
	any                          *virtualHost
}

type virtualHost struct {
	*routev3.VirtualHost
	// routes are compiled when first asked for.
	routes []*route
}

// table returns the index of a route configuration.
func (s *Simulator) table(config *routev3.RouteConfiguration) *routeTable {
	if t := s.tables[config]; t != nil {
		return t
	}
	t := &routeTable{
		config: config, exact: map[string]*virtualHost{}, suffixes: map[string]*virtualHost{}, prefixes: map[string]*virtualHost{},
	}
	for _, vh := range config.GetVirtualHosts() {
		host := &virtualHost{VirtualHost: vh}
		for _, domain := range vh.GetDomains() {
			t.add(strings.ToLower(domain), host)
		}
	}
	t.suffixLengths, t.prefixLengths = lengths(t.suffixes), lengths(t.prefixes)
	s.tables[config] = t
	return t
}

func (t *routeTable) add(domain string, host *virtualHost) {
	index, key := t.exact, domain
	switch {
	case domain == "*":
		if t.any == nil {
			t.any = host
		}
		return
	case strings.HasPrefix(domain, "*"):
		index, key = t.suffixes, domain[1:]
	case strings.HasSuffix(domain, "*"):
		index, key = t.prefixes, domain[:len(domain)-1]
	}
	if index[key] == nil {
		index[key] = host
	}
}

func lengths(index map[string]*virtualHost) []int {
	var all []int
	for key := range index {
		if !slices.Contains(all, len(key)) {
			all = append(all, len(key))
		}
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Compare(b, a) })
	return all
}

// find returns the virtual host for a Host header: the domain itself, the longest *.suffix, the longest prefix.*, then *
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-virtualhost).
func (t *routeTable) find(host string) (found *virtualHost, why string) {
	if t.config.GetIgnorePortInHostMatching() {
		host, _ = splitPort(host)
	}
	host = lowerASCII(host)
	if vh := t.exact[host]; vh != nil {
		return vh, "has the domain " + host
	}
	for _, n := range t.suffixLengths {
		if n < len(host) {
			if vh := t.suffixes[host[len(host)-n:]]; vh != nil {
				return vh, "has the domain *" + host[len(host)-n:]
			}
		}
	}
	for _, n := range t.prefixLengths {
		if n < len(host) {
			if vh := t.prefixes[host[:n]]; vh != nil {
				return vh, "has the domain " + host[:n] + "*"
			}
		}
	}
	return t.any, "has the domain *"
}

// lowerASCII lowers ASCII letters alone, as Envoy does.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// route finds the virtual host and the route of the request, and does what the route says.
func (w *walk) route(m *hcmv3.HttpConnectionManager) {
	config := m.GetRouteConfig()
	if config == nil {
		if config = w.sim.routes[w.out.RouteConfig]; config == nil {
			w.step(StageVirtualHost, by(m), "there is no route configuration %s", w.out.RouteConfig)
			w.fail(NoVirtualHost)
			return
		}
	}
	vh, why := w.sim.table(config).find(w.request.host)
	if vh == nil {
		w.step(StageVirtualHost, by(config), "no virtual host of %s is for host %q", config.GetName(), w.request.host)
		w.fail(NoVirtualHost)
		return
	}
	w.routeTable, w.virtualHost, w.manager = config, vh.VirtualHost, w.managerOf(m)
	w.out.VirtualHost = vh.GetName()
	w.step(StageVirtualHost, by(vh.VirtualHost), "%s %s", vh.GetName(), why)
	if w.request.headers["x-forwarded-proto"] == "" {
		w.step(StageRoute, by(vh.VirtualHost), "Envoy finds no route for a request whose X-Forwarded-Proto is empty")
		w.fail(NoRoute)
		return
	}
	if w.redirectsToTLS(vh.VirtualHost) {
		return
	}
	for i, r := range w.sim.routesOf(vh) {
		met, miss := r.matches(w.request)
		if met {
			w.out.Route = r.GetName()
			w.step(StageRoute, by(r.Route, r.GetMatch()), "route %d%s matches", i+1, inBrackets(r.GetName()))
			w.act(r)
			return
		}
		if w.explaining {
			w.step(StageRoute, by(r.Route), "route %d%s does not match: %s", i+1, inBrackets(r.GetName()), miss)
		}
	}
	w.step(StageRoute, by(vh.VirtualHost), "no route of %s matches", vh.GetName())
	w.fail(NoRoute)
}

// redirectsToTLS sends plaintext requests to https where the virtual host requires TLS.
func (w *walk) redirectsToTLS(vh *routev3.VirtualHost) bool {
	r := w.request
	if vh.GetRequireTls() == routev3.VirtualHost_NONE || r.headers["x-forwarded-proto"] == "https" {
		return false
	}
	if vh.GetRequireTls() == routev3.VirtualHost_EXTERNAL_ONLY && r.headers["x-envoy-internal"] == "true" {
		return false
	}
	w.step(StageVirtualHost, by(vh), "the virtual host requires TLS, so the client is sent to https")
	w.out.Redirect = &Redirect{Status: 301, Location: "https://" + r.host + r.path}
	w.fail(TLSRedirect)
	return true
}
