package schema

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func serviceEntry(c *check) {
	se, ok := c.Object.(*networking.ServiceEntry)
	if !ok || se == nil {
		return
	}
	if sel := se.GetWorkloadSelector(); sel != nil {
		c.serviceEntrySelector(se, sel)
	}
	c.serviceEntryHosts(se)
	subnet := c.serviceEntryAddresses(se)
	names := c.serviceEntryPorts(se)
	c.resolution(se, names, subnet)
	c.exportTo(se.GetExportTo(), true)
	c.serviceEntryTCP(se)
}

func (c *check) serviceEntrySelector(se *networking.ServiceEntry, sel *networking.WorkloadSelector) {
	if len(se.GetEndpoints()) > 0 {
		c.errorf(ConflictingFields, "spec.endpoints", "workloadSelector and endpoints both say where the service runs: keep one")
	}
	if len(sel.GetLabels()) == 0 {
		c.warnf(Ineffective, "spec.workloadSelector", "the workloadSelector has no labels, so every workload of the namespace is taken for the service")
	} else if se.GetResolution() == networking.ServiceEntry_NONE {
		c.warnf(Ineffective, "spec.workloadSelector", "with resolution NONE connections go where the caller says: the workloadSelector has no effect (STATIC uses it)")
	}
	c.selectorLabels("spec.workloadSelector.labels", sel.GetLabels())
}

func (c *check) serviceEntryHosts(se *networking.ServiceEntry) {
	if len(se.GetHosts()) == 0 {
		c.errorf(MissingField, "spec.hosts", "a ServiceEntry needs at least one host")
	}
	if n := len(se.GetHosts()); n > 256 {
		c.errorf(InvalidValue, "spec.hosts", "%d hosts are too many: a ServiceEntry takes 256", n)
	}
	for i, h := range se.GetHosts() {
		path := resource.Index("spec.hosts", i)
		switch {
		case h == "*":
			c.errorf(InvalidValue, path, `"*" is too wide for a ServiceEntry: name a domain, as in *.example.com`)
		case partialWildcard(h):
			c.warnf(Ineffective, path, "%q: a * stands for whole labels, as in *.example.com", h)
		default:
			c.bad(path, h, wildcardName(h))
		}
		if se.GetResolution() == networking.ServiceEntry_DYNAMIC_DNS && !strings.HasPrefix(h, "*") {
			c.errorf(InvalidValue, path, "%q: resolution DYNAMIC_DNS is for wildcard hosts (DNS resolves fixed ones)", h)
		}
	}
}

// serviceEntryAddresses tells whether one of the addresses is a range.
func (c *check) serviceEntryAddresses(se *networking.ServiceEntry) (subnet bool) {
	for i, a := range se.GetAddresses() {
		if !isSubnet(a) {
			c.errorf(InvalidValue, resource.Index("spec.addresses", i), "%q is no IP address or CIDR", a)
		}
		subnet = subnet || strings.Contains(a, "/")
	}
	return subnet
}

// serviceEntryPorts returns the names of the ports.
func (c *check) serviceEntryPorts(se *networking.ServiceEntry) map[string]bool {
	names, numbers := map[string]bool{}, map[uint32]bool{}
	for i, p := range se.GetPorts() {
		at := resource.Index("spec.ports", i)
		if names[p.GetName()] {
			c.errorf(Duplicate, at+".name", "two ports are called %q: the names must differ", p.GetName())
		}
		if numbers[p.GetNumber()] {
			c.errorf(Duplicate, at+".number", "port %d is there twice", p.GetNumber())
		}
		names[p.GetName()], numbers[p.GetNumber()] = true, true
		c.portName(at+".name", p.GetName())
		c.port(at+".number", p.GetNumber())
		if p.GetTargetPort() != 0 {
			c.port(at+".targetPort", p.GetTargetPort())
		}
		c.protocol(at+".protocol", p.GetProtocol())
	}
	return names
}

func (c *check) resolution(se *networking.ServiceEntry, names map[string]bool, subnet bool) {
	endpoints := se.GetEndpoints()
	mode := se.GetResolution()
	if subnet && mode != networking.ServiceEntry_NONE && mode != networking.ServiceEntry_STATIC {
		c.errorf(ConflictingFields, "spec.addresses", "ranges (CIDR) go with resolution NONE or STATIC only")
	}
	switch mode {
	case networking.ServiceEntry_NONE:
		if len(endpoints) > 0 {
			c.errorf(ConflictingFields, "spec.endpoints", "with resolution NONE (the default) connections go where the caller says: endpoints need resolution STATIC or DNS")
		}
	case networking.ServiceEntry_STATIC:
		c.staticEndpoints(se, names)
	case networking.ServiceEntry_DNS, networking.ServiceEntry_DNS_ROUND_ROBIN:
		c.dnsEndpoints(se, names)
	case networking.ServiceEntry_DYNAMIC_DNS:
		c.dynamicDNS(se)
	}
}

func (c *check) staticEndpoints(se *networking.ServiceEntry, names map[string]bool) {
	unix := false
	for i, e := range se.GetEndpoints() {
		at := resource.Index("spec.endpoints", i)
		a := e.GetAddress()
		switch {
		case strings.HasPrefix(a, "unix://"):
			unix = true
			c.bad(at+".address", a, absoluteSocket(a))
			if len(e.GetPorts()) > 0 {
				c.errorf(ConflictingFields, at+".ports", "an endpoint on a Unix domain socket has no ports")
			}
		case a != "" && !isIP(a):
			c.errorf(InvalidValue, at+".address", "%q is no IP address: resolution STATIC needs one (DNS takes names)", a)
		}
		c.endpoint(at, e, names)
	}
	if unix && len(se.GetPorts()) != 1 {
		c.errorf(ConflictingFields, "spec.ports", "a ServiceEntry with Unix domain sockets must have exactly one port")
	}
}

func (c *check) dnsEndpoints(se *networking.ServiceEntry, names map[string]bool) {
	endpoints := se.GetEndpoints()
	if len(endpoints) == 0 && se.GetWorkloadSelector() == nil {
		for i, h := range se.GetHosts() {
			if strings.Contains(h, "*") {
				c.errorf(InvalidValue, resource.Index("spec.hosts", i), "%q can't be looked up in DNS: name endpoints, or hosts without *", h)
			}
		}
	}
	if se.GetResolution() == networking.ServiceEntry_DNS_ROUND_ROBIN && len(endpoints) > 1 {
		c.errorf(ConflictingFields, "spec.endpoints", "resolution DNS_ROUND_ROBIN takes one endpoint at most, not %d", len(endpoints))
	}
	for i, e := range endpoints {
		at := resource.Index("spec.endpoints", i)
		a := e.GetAddress()
		if a != "" && !isIP(a) && hostName(a) != "" {
			c.errorf(InvalidValue, at+".address", "%q is no IP address or host name", a)
		}
		c.endpoint(at, e, names)
	}
}

func (c *check) dynamicDNS(se *networking.ServiceEntry) {
	if len(se.GetEndpoints()) > 0 {
		c.errorf(ConflictingFields, "spec.endpoints", "resolution DYNAMIC_DNS looks up the host of each request: endpoints have no place there")
	}
	if len(se.GetAddresses()) > 0 {
		c.errorf(ConflictingFields, "spec.addresses", "resolution DYNAMIC_DNS looks up the host of each request: addresses have no place there")
	}
	for i, p := range se.GetPorts() {
		if kind, _ := protocolKind(p.GetProtocol()); kind != "http" && kind != "tls" {
			c.errorf(InvalidValue, resource.Index("spec.ports", i)+".protocol", "resolution DYNAMIC_DNS needs the host from the request: the protocol must be HTTP, HTTP2, GRPC, HTTPS or TLS")
		}
	}
}

func (c *check) endpoint(path string, e *networking.WorkloadEntry, names map[string]bool) {
	if e.GetAddress() == "" && e.GetNetwork() == "" {
		c.errorf(MissingField, path+".address", "the endpoint has neither an address nor a network")
	}
	for name, number := range e.GetPorts() {
		at := resource.Key(path+".ports", name)
		if names != nil && !names[name] {
			c.errorf(InvalidValue, at, "the endpoint's port %q is none of the ServiceEntry's ports", name)
		}
		c.port(at, number)
	}
	c.labels(path+".labels", e.GetLabels())
}

// serviceEntryTCP warns of ports that nothing but an address can tell apart.
func (c *check) serviceEntryTCP(se *networking.ServiceEntry) {
	tcp := func(p *networking.ServicePort) bool {
		kind, _ := protocolKind(p.GetProtocol())
		return kind == "tcp" || kind == ""
	}
	i := slices.IndexFunc(se.GetPorts(), tcp)
	if i >= 0 && len(se.GetAddresses()) == 0 && len(se.GetHosts()) > 0 && !autoAddressed(c.Labels, se) {
		c.warnf(Ineffective, resource.Index("spec.ports", i),
			"port %s speaks TCP (or nothing stated) and the ServiceEntry has no addresses: it would take every connection to that port number", se.GetPorts()[i].GetName())
		if !c.has("status.addresses") {
			// Istio's analysis says so a second time, with a code of its own.
			c.findings[len(c.findings)-1].Aliases = []string{"IST0133", "IST0134"}
		}
	}
	tls := slices.ContainsFunc(se.GetPorts(), func(p *networking.ServicePort) bool {
		kind, _ := protocolKind(p.GetProtocol())
		return kind == "tls" || kind == "tcp"
	})
	if tls && len(se.GetHosts()) > 1 && len(se.GetAddresses()) > 0 {
		c.warnf(Ineffective, "spec.hosts", "several hosts share addresses with a TCP port: connections to it all count as the first host's")
	}
}

// autoAddressed tells whether istiod gives the ServiceEntry addresses of its own
// (https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/#address-auto-allocation): not for resolution NONE, nor for
// wildcard hosts that no lookup can answer, nor where the label switches it off.
func autoAddressed(labels map[string]string, se *networking.ServiceEntry) bool {
	if strings.EqualFold(labels["networking.istio.io/enable-autoallocate-ip"], "false") || se.GetResolution() == networking.ServiceEntry_NONE {
		return false
	}
	return !slices.ContainsFunc(se.GetHosts(), func(h string) bool { return strings.Contains(h, "*") })
}
