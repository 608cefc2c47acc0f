package schema

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func virtualService(c *check) {
	vs, ok := c.Object.(*networking.VirtualService)
	if !ok || vs == nil {
		return
	}
	delegate := len(vs.GetHosts()) == 0
	mesh, gateways := c.boundTo(vs.GetGateways())
	c.virtualHosts(vs.GetHosts(), mesh)
	if len(vs.GetHttp())+len(vs.GetTls())+len(vs.GetTcp()) == 0 {
		c.errorf(MissingField, "spec", "the VirtualService has no routes: at least one of http, tls and tcp is needed")
	}
	for i, route := range vs.GetHttp() {
		c.httpRoute(resource.Index("spec.http", i), route, delegate, gateways)
	}
	for i, route := range vs.GetTls() {
		c.tlsRoute(resource.Index("spec.tls", i), route, vs.GetHosts())
	}
	for i, route := range vs.GetTcp() {
		c.tcpRoute(resource.Index("spec.tcp", i), route)
	}
	c.exportTo(vs.GetExportTo(), false)
	c.unreachable(vs)
}

// boundTo judges the names of gateways and tells what they are.
func (c *check) boundTo(names []string) (mesh, gateways bool) {
	for i, name := range names {
		if name == "mesh" {
			mesh = true
			continue
		}
		gateways = true
		c.gatewayName(resource.Index("spec.gateways", i), name)
	}
	return mesh || len(names) == 0, gateways
}

func (c *check) gatewayName(path, name string) {
	namespace, short, qualified := strings.Cut(name, "/")
	switch {
	case !qualified && strings.Contains(name, ".") && hostName(name) == "":
		c.warnf(Deprecated, path, "%q is the old way to name a gateway of another namespace: write NAMESPACE/NAME", name)
		c.findings[len(c.findings)-1].Aliases = []string{"IST0133", "KIA1108"}
	case !qualified:
		if !isLabel(name) {
			c.errorf(InvalidValue, path, "%q is no name of a gateway: write NAME, NAMESPACE/NAME, or mesh for all sidecars", name)
		}
	case !isLabel(namespace) && namespace != "." || hostName(short) != "":
		c.errorf(InvalidValue, path, "%q is no name of a gateway: write NAMESPACE/NAME", name)
	}
}

func (c *check) virtualHosts(hosts []string, mesh bool) {
	fine := true
	for i, h := range hosts {
		path := resource.Index("spec.hosts", i)
		p := wildcardName(h)
		switch {
		case p != "" && isIP(h):
		case p != "":
			fine = false
			c.bad(path, h, p)
		case mesh && h == "*":
			c.errorf(InvalidValue, path, `"*" would take all traffic of every sidecar: name hosts, or bind the VirtualService to gateways`)
		}
	}
	for i := 0; fine && i < len(hosts); i++ {
		for j := i + 1; j < len(hosts); j++ {
			if overlap(hosts[i], hosts[j]) {
				c.errorf(Duplicate, resource.Index("spec.hosts", j), "the hosts %s and %s overlap: one VirtualService may name a host once", hosts[i], hosts[j])
			}
		}
	}
}

// overlap tells whether one host covers the other.
func overlap(a, b string) bool { return covers(a, b) || covers(b, a) }

// covers tells whether a pattern stands for everything that the other one does.
func covers(pattern, host string) bool {
	if pattern == host || pattern == "*" {
		return true
	}
	suffix, wild := strings.CutPrefix(pattern, "*")
	return wild && strings.HasSuffix(strings.TrimPrefix(host, "*"), suffix) && len(host) >= len(suffix)
}

func (c *check) tlsRoute(path string, route *networking.TLSRoute, hosts []string) {
	if len(route.GetMatch()) == 0 {
		c.errorf(MissingField, path+".match", "a tls route needs a match with sniHosts: without them no connection can be told apart")
	}
	for i, m := range route.GetMatch() {
		at := resource.Index(path+".match", i)
		if len(m.GetSniHosts()) == 0 {
			c.errorf(MissingField, at+".sniHosts", "a match of a tls route needs sniHosts")
		}
		for j, sni := range m.GetSniHosts() {
			c.sni(resource.Index(at+".sniHosts", j), sni, hosts)
		}
		c.layer4(at, m.GetDestinationSubnets(), m.GetPort(), m.GetSourceLabels(), m.GetGateways())
	}
	c.routeDestinations(path, route.GetRoute(), "tls")
}

func (c *check) sni(path, sni string, hosts []string) {
	if isIP(sni) {
		c.warnf(Ineffective, path, "%q is an IP address: clients send names in SNI, so this matches next to nothing", sni)
		return
	}
	if c.bad(path, sni, wildcardName(sni)) {
		return
	}
	for _, h := range hosts {
		if covers(h, sni) {
			return
		}
	}
	if len(hosts) > 0 {
		c.errorf(InvalidValue, path, "%q is none of the VirtualService's hosts (%s): add it there or mend it", sni, strings.Join(hosts, ", "))
	}
}

func (c *check) tcpRoute(path string, route *networking.TCPRoute) {
	for i, m := range route.GetMatch() {
		at := resource.Index(path+".match", i)
		c.layer4(at, m.GetDestinationSubnets(), m.GetPort(), m.GetSourceLabels(), m.GetGateways())
		if s := m.GetSourceSubnet(); s != "" && !isSubnet(s) {
			c.errorf(InvalidValue, at+".sourceSubnet", "%q is no IP address or CIDR", s)
		}
	}
	c.routeDestinations(path, route.GetRoute(), "tcp")
}

func (c *check) layer4(path string, subnets []string, port uint32, labels map[string]string, gateways []string) {
	for i, s := range subnets {
		if !isSubnet(s) {
			c.errorf(InvalidValue, resource.Index(path+".destinationSubnets", i), "%q is no IP address or CIDR", s)
		}
	}
	if port != 0 {
		c.port(path+".port", port)
	}
	c.labels(path+".sourceLabels", labels)
	for i, g := range gateways {
		if g != "mesh" {
			c.gatewayName(resource.Index(path+".gateways", i), g)
		}
	}
}

// labels judges labels as Kubernetes takes them.
func (c *check) labels(path string, labels map[string]string) {
	for k, v := range labels {
		at := resource.Key(path, k)
		prefix, name, qualified := strings.Cut(k, "/")
		if !qualified {
			name = k
		}
		if name == "" || len(name) > 63 || !labelKey().MatchString(name) || (qualified && hostName(prefix) != "") {
			c.errorf(InvalidValue, at, "%q is no key for a label", k)
		}
		if len(v) > 63 || !labelValue().MatchString(v) {
			c.errorf(InvalidValue, at, "%q is no value for a label", v)
		}
	}
}

func (c *check) routeDestinations(path string, routes []*networking.RouteDestination, kind string) {
	if len(routes) == 0 {
		c.errorf(MissingField, path+".route", "a %s route needs destinations under route", kind)
	}
	weights := make([]int32, len(routes))
	for i, r := range routes {
		c.destination(resource.Index(path+".route", i)+".destination", r.GetDestination())
		weights[i] = r.GetWeight()
	}
	c.weights(path+".route", weights)
}

// weights judges the weights of a route's destinations.
func (c *check) weights(path string, weights []int32) {
	total := int64(0)
	for i, w := range weights {
		if w < 0 {
			c.errorf(InvalidValue, resource.Index(path, i)+".weight", "%d is no weight: it must be 0 or more", w)
			return
		}
		total += int64(w)
	}
	if len(weights) > 1 && total == 0 {
		c.errorf(InvalidValue, path, "the weights of the %d destinations add up to 0: no request could go anywhere", len(weights))
	}
}

func (c *check) destination(path string, d *networking.Destination) {
	if d == nil {
		c.errorf(MissingField, path, "destination is missing: it must name the host that requests go to")
		return
	}
	if d.GetHost() == "*" {
		c.errorf(InvalidValue, path+".host", `"*" is no host to route to`)
	} else if d.GetHost() == "" {
		c.errorf(MissingField, path+".host", "the destination names no host")
	} else if !isIP(d.GetHost()) {
		c.bad(path+".host", d.GetHost(), wildcardName(d.GetHost()))
	}
	if s := d.GetSubset(); s != "" && !isLabel(s) {
		c.errorf(InvalidValue, path+".subset", "%q is no name for a subset: it must be a DNS label", s)
	}
	if p := d.GetPort(); p != nil {
		c.port(path+".port.number", p.GetNumber())
	}
}
