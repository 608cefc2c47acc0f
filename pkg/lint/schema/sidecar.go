package schema

import (
	"net/netip"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func sidecar(c *check) {
	s, ok := c.Object.(*networking.Sidecar)
	if !ok || s == nil {
		return
	}
	if sel := s.GetWorkloadSelector(); sel != nil {
		if len(sel.GetLabels()) == 0 {
			c.warnf(Ineffective, "spec.workloadSelector", "the workloadSelector has no labels, so the Sidecar counts for every workload of the namespace: name labels or leave it out")
		}
		c.selectorLabels("spec.workloadSelector.labels", sel.GetLabels())
	}
	c.connectionPool("spec.inboundConnectionPool", s.GetInboundConnectionPool())
	if len(s.GetIngress())+len(s.GetEgress()) == 0 && s.GetOutboundTrafficPolicy() == nil && s.GetInboundConnectionPool() == nil && s.GetWorkloadSelector() == nil {
		c.errorf(MissingField, "spec", "the Sidecar says nothing: name ingress, egress or outboundTrafficPolicy")
	}
	ports := map[uint32]bool{}
	for i, in := range s.GetIngress() {
		c.ingress(resource.Index("spec.ingress", i), in, ports)
	}
	c.egress(s.GetEgress())
	c.outboundPolicy(s.GetOutboundTrafficPolicy())
}

func (c *check) ingress(path string, in *networking.IstioIngressListener, ports map[uint32]bool) {
	if in.GetPort() == nil {
		c.errorf(MissingField, path+".port", "an ingress listener needs a port")
		return
	}
	c.sidecarPort(path+".port", in.GetPort(), false)
	if ports[in.GetPort().GetNumber()] {
		c.errorf(Duplicate, path+".port.number", "two ingress listeners have port %d", in.GetPort().GetNumber())
	}
	ports[in.GetPort().GetNumber()] = true
	if b := in.GetBind(); b != "" && !isIP(b) {
		c.errorf(InvalidValue, path+".bind", "%q is no IP address", b)
	}
	c.defaultEndpoint(path+".defaultEndpoint", in.GetDefaultEndpoint())
	c.ingressTLS(path, in)
	if pool := in.GetConnectionPool(); pool != nil {
		c.connectionPool(path+".connectionPool", pool)
		if kind, _ := protocolKind(in.GetPort().GetProtocol()); pool.GetHttp() != nil && kind != "http" {
			c.warnf(Ineffective, path+".connectionPool.http", "port %d is not HTTP: of its connectionPool only tcp counts", in.GetPort().GetNumber())
		}
	}
}

func (c *check) sidecarPort(path string, p *networking.SidecarPort, unix bool) {
	if !unix {
		c.port(path+".number", p.GetNumber())
	}
	if p.GetName() != "" {
		c.portName(path+".name", p.GetName())
	}
	c.protocol(path+".protocol", p.GetProtocol())
}

func (c *check) ingressTLS(path string, in *networking.IstioIngressListener) {
	tls := in.GetTls()
	if tls == nil {
		return
	}
	at := path + ".tls"
	switch tls.GetMode() {
	case networking.ServerTLSSettings_ISTIO_MUTUAL, networking.ServerTLSSettings_AUTO_PASSTHROUGH:
		c.errorf(InvalidValue, at+".mode", "mode %s is not for a sidecar's ingress: SIMPLE or MUTUAL is (PeerAuthentication governs the mesh's own mTLS)", tls.GetMode())
	}
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"httpsRedirect", tls.GetHttpsRedirect()}, {"subjectAltNames", len(tls.GetSubjectAltNames()) > 0}, {"tlsCertificates", len(tls.GetTlsCertificates()) > 0},
		{"credentialNames", len(tls.GetCredentialNames()) > 0},
	} {
		if f.set {
			c.errorf(InvalidValue, at+"."+f.field, "%s is not supported in a sidecar's ingress", f.field)
		}
	}
	if kind, _ := protocolKind(in.GetPort().GetProtocol()); kind != "tls" {
		c.errorf(ConflictingFields, at, "port %d has protocol %s: TLS settings need HTTPS or TLS", in.GetPort().GetNumber(), in.GetPort().GetProtocol())
	}
	c.serverTLS(at, tls)
}

func (c *check) defaultEndpoint(path, endpoint string) {
	if endpoint == "" {
		return
	}
	if strings.HasPrefix(endpoint, "unix://") {
		c.bad(path, endpoint, absoluteSocket(endpoint))
		return
	}
	colon := strings.LastIndexByte(endpoint, ':')
	if colon < 0 {
		c.errorf(InvalidValue, path, "%q: a defaultEndpoint is ADDRESS:PORT or unix:///path", endpoint)
		return
	}
	host, number := endpoint[:colon], endpoint[colon+1:]
	if port, err := strconv.Atoi(number); err != nil || port < 1 || port > 65535 {
		c.errorf(InvalidValue, path, "%q: %q is no port number", endpoint, number)
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if host != "" && (err != nil || !addr.IsLoopback() && !addr.IsUnspecified()) {
		c.errorf(InvalidValue, path, "%q: the address must be 127.0.0.1, [::1], 0.0.0.0 or [::], the workload itself", endpoint)
	}
}

func (c *check) egress(listeners []*networking.IstioEgressListener) {
	ports, sockets := map[uint32]bool{}, map[string]bool{}
	catchAll := false
	for i, e := range listeners {
		at := resource.Index("spec.egress", i)
		p := e.GetPort()
		unix := strings.HasPrefix(e.GetBind(), "unix://")
		switch {
		case p == nil && i != len(listeners)-1:
			c.errorf(ConflictingFields, at, "a listener without port takes what the others leave, so it must be the last of the list")
		case p == nil && catchAll:
			c.errorf(Duplicate, at, "only one egress listener may be without port")
		case p == nil && e.GetBind() != "":
			c.errorf(MissingField, at+".port", "an egress listener with bind needs a port")
		case p != nil && p.GetNumber() == 0 && !unix:
			c.errorf(MissingField, at+".port.number", "port 0 is for Unix domain sockets (bind: unix:///path): name a port")
		case p != nil:
			c.sidecarPort(at+".port", p, unix && p.GetNumber() == 0)
			if !unix && ports[p.GetNumber()] {
				c.errorf(Duplicate, at+".port.number", "two egress listeners have port %d", p.GetNumber())
			}
			ports[p.GetNumber()] = ports[p.GetNumber()] || !unix
		}
		catchAll = catchAll || p == nil
		c.egressBind(at, e, unix, sockets)
		c.egressHosts(at, e.GetHosts())
	}
}

func (c *check) egressBind(path string, e *networking.IstioEgressListener, unix bool, sockets map[string]bool) {
	bind := e.GetBind()
	switch {
	case bind == "":
	case unix:
		c.bad(path+".bind", bind, absoluteSocket(bind))
		if e.GetCaptureMode() == networking.CaptureMode_IPTABLES {
			c.errorf(ConflictingFields, path+".captureMode", "iptables can't capture a Unix domain socket: captureMode must be DEFAULT or NONE")
		}
		if e.GetPort() != nil && e.GetPort().GetNumber() != 0 {
			c.errorf(ConflictingFields, path+".port.number", "a listener on a Unix domain socket has no port number: write 0")
		}
		if sockets[bind] {
			c.errorf(Duplicate, path+".bind", "two egress listeners have the socket %s", bind)
		}
		sockets[bind] = true
	case !isIP(bind):
		c.errorf(InvalidValue, path+".bind", "%q is no IP address or unix:// path", bind)
	}
}

func (c *check) egressHosts(path string, hosts []string) {
	if len(hosts) == 0 {
		c.errorf(MissingField, path+".hosts", `an egress listener needs hosts: "./*" for the own namespace, "*/*" for all`)
	}
	namespaces := map[string]map[string]bool{}
	for i, h := range hosts {
		at := resource.Index(path+".hosts", i)
		namespace, name, qualified := strings.Cut(h, "/")
		if !qualified {
			c.errorf(InvalidValue, at, `%q: write NAMESPACE/HOST, as in "./*", "shop/cart.shop.svc.cluster.local" or "*/api.example.com"`, h)
			continue
		}
		if namespace != "*" && namespace != "." && namespace != "~" && !isLabel(strings.TrimPrefix(namespace, "~")) {
			c.errorf(InvalidValue, at, "%q: %q is no namespace", h, namespace)
		}
		if name != "*" && partialWildcard(name) {
			c.errorf(InvalidValue, at, "%q: a * stands for whole labels, as in *.example.com", name)
		} else {
			c.bad(at, name, wildcardName(name))
		}
		if namespaces[namespace][name] {
			c.errorf(Duplicate, at, "%q is there twice", h)
		}
		if namespaces[namespace] == nil {
			namespaces[namespace] = map[string]bool{}
		}
		namespaces[namespace][name] = true
	}
	c.redundantHosts(path+".hosts", hosts, namespaces)
}

// redundantHosts warns where a wildcard makes the other hosts pointless.
func (c *check) redundantHosts(path string, hosts []string, namespaces map[string]map[string]bool) {
	switch {
	case len(hosts) < 2:
	case namespaces["*"]["*"]:
		c.warnf(Ineffective, path, `"*/*" imports everything: the hosts beside it have no effect`)
	case namespaces["~"]["*"]:
		c.warnf(Ineffective, path, `"~/*" imports nothing: no other host can stand beside it`)
	default:
		for namespace, names := range namespaces {
			if names["*"] && len(names) > 1 {
				c.warnf(Ineffective, path, `"%s/*" imports the whole namespace: its other hosts have no effect`, namespace)
				return
			}
		}
	}
}

func (c *check) outboundPolicy(p *networking.OutboundTrafficPolicy) {
	proxy := p.GetEgressProxy()
	if proxy == nil {
		return
	}
	path := "spec.outboundTrafficPolicy.egressProxy"
	if p.GetMode() != networking.OutboundTrafficPolicy_ALLOW_ANY {
		c.errorf(ConflictingFields, path, "egressProxy takes traffic to unknown hosts, which only mode ALLOW_ANY lets out")
		return
	}
	c.destination(path, proxy)
	if proxy.GetPort() == nil {
		c.errorf(MissingField, path+".port", "the egressProxy needs a port")
	}
}
