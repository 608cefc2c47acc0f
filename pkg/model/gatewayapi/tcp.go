package gatewayapi

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// noBackends is where connections go for which a rule has no backend with a share: to a cluster that does not exist, which closes them.
func noBackends() []*networking.RouteDestination {
	return []*networking.RouteDestination{{Destination: &networking.Destination{
		Host: "internal.cluster.local", Subset: "zero-weight", Port: &networking.PortSelector{Number: 65535},
	}}}
}

// streamDestinations turns the backends of a rule into destinations of connections.
func (c *conversion) streamDestinations(refs []gateway.BackendRef, from route, enforce bool, path string) (out []*networking.RouteDestination, soft, hard *problem) {
	used, weights := weigh(refs)
	if len(used) == 0 {
		return noBackends(), nil, nil
	}
	for k, i := range used {
		to, bad := c.destination(refs[i], from, enforce)
		if bad.at(resource.Index(path+".backendRefs", i)); bad != nil {
			if to == nil || !isSoft(bad) {
				return nil, nil, bad
			}
			soft = bad
		}
		out = append(out, &networking.RouteDestination{Destination: to, Weight: weights[k]})
	}
	return out, soft, nil
}

// convertStreams attaches a TCPRoute or TLSRoute, converts its rules, of which the backends count, and reports its status; part makes a rule's
// route of its backends and what they lead to.
func convertStreams[T any](
	c *conversion, rt route, rules [][]gateway.BackendRef, part func([]gateway.BackendRef, []*networking.RouteDestination) T,
) ([]*attachment, sides[T]) {
	attachments := c.attach(rt)
	both := convertRules(attachments, func(enforce bool) converted[T] {
		var out converted[T]
		for n, refs := range rules {
			to, soft, hard := c.streamDestinations(refs, rt, enforce, resource.Index("spec.rules", n))
			if hard != nil {
				return converted[T]{bad: hard}
			}
			if soft != nil {
				out.bad = soft
			}
			out.parts = append(out.parts, part(refs, to))
		}
		return out
	})
	c.reportRoute(rt, attachments, both.mesh.bad, both.gateway.bad)
	for _, refs := range rules {
		c.addAncestors(rt, refs)
	}
	return attachments, both
}

func (c *conversion) convertTCPRoutes() {
	for _, r := range c.TCPRoutes {
		spec := r.Spec.Spec
		rt := route{r.Resource, spec.ParentRefs, nil, r.Spec.Status.Parents}
		var rules [][]gateway.BackendRef
		for _, rule := range spec.Rules {
			rules = append(rules, rule.BackendRefs)
		}
		attachments, both := convertStreams(c, rt, rules, func(_ []gateway.BackendRef, to []*networking.RouteDestination) *networking.TCPRoute {
			return &networking.TCPRoute{Route: to}
		})
		count := 0
		for _, a := range bound(attachments) {
			parts, hosts := both.of(a).parts, []string{"*"}
			if a.isMesh() {
				hosts = c.meshHosts(a.key)
				if a.ref.Port != nil {
					parts = tcpOnPort(parts, uint32(*a.ref.Port))
				}
			}
			for _, h := range hosts {
				c.addStreams(rt, "tcp", count, &networking.VirtualService{Hosts: []string{h}, Gateways: []string{a.internalName}, Tcp: parts})
				count++
			}
		}
	}
}

func tcpOnPort(parts []*networking.TCPRoute, port uint32) []*networking.TCPRoute {
	var out []*networking.TCPRoute
	for _, p := range parts {
		p = proto.CloneOf(p)
		p.Match = []*networking.L4MatchAttributes{{Port: port}}
		out = append(out, p)
	}
	return out
}

func (c *conversion) convertTLSRoutes() {
	for _, r := range c.TLSRoutes {
		spec := r.Spec.Spec
		rt := route{r.Resource, spec.ParentRefs, spec.Hostnames, r.Spec.Status.Parents}
		var rules [][]gateway.BackendRef
		for _, rule := range spec.Rules {
			rules = append(rules, rule.BackendRefs)
		}
		attachments, both := convertStreams(c, rt, rules, func(refs []gateway.BackendRef, to []*networking.RouteDestination) *networking.TLSRoute {
			made := &networking.TLSRoute{Route: to}
			if used, _ := weigh(refs); len(used) > 0 {
				made.Match = []*networking.TLSMatchAttributes{{SniHosts: hostnames(spec.Hostnames)}}
			}
			return made
		})
		count := 0
		for _, a := range bound(attachments) {
			parts, hosts := both.of(a).parts, hostnames(spec.Hostnames)
			if a.isMesh() {
				hosts = c.meshHosts(a.key)
			}
			for _, h := range hosts {
				own := parts
				if a.isMesh() {
					own = tlsForHost(parts, a.ref.Port, hosts, h)
				}
				c.addStreams(rt, "tls", count, &networking.VirtualService{Hosts: []string{h}, Gateways: []string{a.internalName}, Tls: own})
				count++
			}
		}
	}
}

// tlsForHost narrows the routes of a mesh to a host of the service: to its port, to its hosts where the route names none, and of several names
// to those that the host covers.
func tlsForHost(parts []*networking.TLSRoute, port *gateway.PortNumber, hosts []string, host string) []*networking.TLSRoute {
	var out []*networking.TLSRoute
	for _, p := range parts {
		p = proto.CloneOf(p)
		if len(p.Match) == 1 && slices.Equal(p.Match[0].GetSniHosts(), []string{"*"}) {
			p.Match[0].SniHosts = slices.Clone(hosts)
		}
		for _, m := range p.Match {
			if port != nil {
				m.Port = uint32(*port)
			}
		}
		if len(p.Match) == 1 && len(p.Match[0].GetSniHosts()) > 1 {
			p.Match[0].SniHosts = slices.DeleteFunc(p.Match[0].SniHosts, func(h string) bool { return !overlap(host, h) })
		}
		out = append(out, p)
	}
	return out
}

// addStreams adds a VirtualService for connections.
func (c *conversion) addStreams(r route, kind string, count int, spec *networking.VirtualService) {
	name := r.Name + "~" + kind + "~" + strconv.Itoa(count) + "~" + generated
	c.addVirtualService(name, r.Resource, r.Kind+"/"+r.Name+"."+r.Namespace, spec, func(path string) resource.Source {
		if rest, ok := strings.CutPrefix(path, "spec."+kind+"["); ok {
			if i, ok := index(path); ok {
				at := resource.Index("spec.rules", i)
				if strings.Contains(rest, "].route") {
					at += ".backendRefs"
				}
				return r.At(at)
			}
		}
		return routeOrigin(r.Resource, path)
	})
}
