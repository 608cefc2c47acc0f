package meshgen

import (
	"fmt"
	"slices"
	"strings"
)

// delegates draws VirtualServices without hosts, which others hand requests on to.
func (g *generator) delegates() {
	for i := range g.rand.IntN(g.size.VirtualServices/3 + 1) {
		r := reference{one(g, g.names...), fmt.Sprintf("delegate-%d", i)}
		spec := object{"http": g.httpRoutes(r.namespace, routing{mesh: true})}
		g.add(networking, "VirtualService", r.namespace, r.name, object{"spec": spec})
		g.delegated = append(g.delegated, r)
	}
}

// routing says in what surroundings routes are drawn.
type routing struct {
	// mesh and gateways tell what the VirtualService is bound to.
	mesh     bool
	gateways []string
	hosts    []string
	// root tells that routes may delegate.
	root bool
}

func (g *generator) virtualServices() {
	for i := range g.count(g.size.VirtualServices) {
		g.virtualService(fmt.Sprintf("routes-%d", i))
	}
}

func (g *generator) virtualService(name string) {
	namespace := one(g, g.names...)
	r := routing{mesh: true, root: true}
	spec := object{}
	var through *entrance
	if len(g.entrances) > 0 && g.chance(0.5) {
		through = &g.entrances[g.rand.IntN(len(g.entrances))]
		r.gateways, r.mesh = []string{through.namespace + "/" + through.name}, g.chance(0.3)
		list := []any{r.gateways[0]}
		if r.mesh {
			list = append(list, "mesh")
		}
		spec["gateways"] = list
	}
	r.hosts = g.routedHosts(namespace, through, r.mesh)
	spec["hosts"] = toAny(r.hosts)
	kind := g.rand.IntN(10)
	if kind < 8 {
		spec["http"] = g.httpRoutes(namespace, r)
	}
	if kind >= 7 && kind < 9 || through != nil && through.passthrough && g.chance(0.5) {
		spec["tls"] = g.tlsRoutes(namespace, r)
	}
	if kind == 9 {
		spec["tcp"] = g.tcpRoutes(namespace, r)
	}
	g.set(spec, optional{"exportTo", 0.2, g.exportTo})
	g.add(networking, "VirtualService", namespace, name, object{"spec": spec})
}

// routedHosts draws hosts of which none covers another.
func (g *generator) routedHosts(namespace string, through *entrance, mesh bool) []string {
	var candidates []string
	if through != nil {
		for _, h := range through.hosts {
			if h != "*" || !mesh {
				candidates = append(candidates, h)
			}
			if suffix, wild := strings.CutPrefix(h, "*."); wild {
				candidates = append(candidates, "www."+suffix)
			}
		}
		candidates = append(candidates, "shop.example.com")
	}
	if through == nil || mesh {
		for range 3 {
			candidates = append(candidates, g.hostName(g.anyService(), namespace))
		}
		candidates = append(candidates, one(g, "api.example.com", "*.example.com", "*.svc.cluster.local", "10.11.12.13"))
	}
	var out []string
	for _, h := range some(g, 2, candidates...) {
		if !slices.ContainsFunc(out, func(o string) bool { return covers(o, h) || covers(h, o) }) {
			out = append(out, h)
		}
	}
	return out
}

func covers(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	return pattern == host || wild && strings.HasSuffix(host, suffix)
}

func (g *generator) anyService() service { return one(g, append(slices.Clone(g.in), g.external...)...) }

// hostName draws one of the ways to write a service's host.
func (g *generator) hostName(s service, namespace string) string {
	if !s.external && s.namespace == namespace && g.chance(0.5) {
		return s.name
	}
	return s.host
}

// target draws a service that can be a destination.
func (g *generator) target() service {
	for {
		if s := g.anyService(); !s.wildcard {
			return s
		}
	}
}

func (g *generator) destination(namespace string) object {
	s := g.target()
	o := object{"host": g.hostName(s, namespace)}
	if len(s.ports) > 1 || len(s.ports) == 1 && g.chance(0.4) {
		o["port"] = object{"number": one(g, s.ports...).number}
	}
	if len(s.versions) > 0 && g.chance(0.4) {
		o["subset"] = one(g, s.versions...)
	}
	return o
}

func (g *generator) destinations(namespace string, each func(object)) []any {
	n := one(g, 1, 1, 2, 3)
	weights := g.split(n)
	var out []any
	for i := range n {
		o := object{"destination": g.destination(namespace)}
		if n > 1 || g.chance(0.1) {
			o["weight"] = max(weights[i], 0)
		}
		if each != nil {
			each(o)
		}
		out = append(out, o)
	}
	return out
}

func (g *generator) tlsRoutes(namespace string, r routing) []any {
	var out []any
	for range g.between(1, 2) {
		var names []any
		for _, h := range r.hosts {
			if !strings.ContainsAny(h[:1], "0123456789") {
				names = append(names, strings.Replace(h, "*.", one(g, "*.", "www."), 1))
			}
		}
		if len(names) == 0 {
			names = []any{r.hosts[0]}
		}
		match := g.layer4(object{"sniHosts": names}, r)
		out = append(out, object{"match": []any{match}, "route": g.destinations(namespace, nil)})
	}
	return out
}

func (g *generator) tcpRoutes(namespace string, r routing) []any {
	var out []any
	for range g.between(1, 2) {
		o := object{"route": g.destinations(namespace, nil)}
		if g.chance(0.6) {
			o["match"] = []any{g.set(g.layer4(object{}, r), optional{"sourceSubnet", 0, value("")})}
		}
		out = append(out, o)
	}
	return out
}

// layer4 draws what tls and tcp matches have in common.
func (g *generator) layer4(match object, r routing) object {
	return g.set(match,
		optional{"port", 0.4, g.anyOf(80, 443, 9000, 31400, 8443, 15443)},
		optional{"destinationSubnets", 0.2, value([]any{"10.96.0.0/16", "192.0.2.7"})},
		optional{"sourceLabels", 0.2, func() any { return object{"app": one(g, serviceNames[:5]...)} }},
		optional{"gateways", 0.2, func() any { return toAny(r.boundTo()) }},
	)
}

func (r routing) boundTo() []string {
	if r.mesh || len(r.gateways) == 0 {
		return append(slices.Clone(r.gateways), "mesh")
	}
	return r.gateways
}

func toAny[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}
