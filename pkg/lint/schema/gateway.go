package schema

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func gateway(c *check) {
	gw, ok := c.Object.(*networking.Gateway)
	if !ok || gw == nil {
		return
	}
	if len(gw.GetServers()) == 0 {
		c.errorf(MissingField, "spec.servers", "the Gateway has no servers: it would listen nowhere")
	}
	names := map[string]bool{}
	for i, s := range gw.GetServers() {
		at := resource.Index("spec.servers", i)
		c.server(at, s)
		if p := s.GetPort(); p != nil {
			if names[p.GetName()] {
				c.errorf(Duplicate, at+".port.name", "two servers call their port %q: the names must differ", p.GetName())
			}
			names[p.GetName()] = true
		}
	}
	if c.has("spec.selector") {
		c.selectorLabels("spec.selector", gw.GetSelector())
	}
}

func (c *check) server(path string, s *networking.Server) {
	if len(s.GetHosts()) == 0 {
		c.errorf(MissingField, path+".hosts", "a server needs hosts: write \"*\" for all")
	}
	for i, h := range s.GetHosts() {
		c.gatewayHost(resource.Index(path+".hosts", i), h)
	}
	c.serverPort(path, s)
	c.serverTLS(path+".tls", s.GetTls())
	if s.GetPort() == nil {
		return
	}
	kind, _ := protocolKind(s.GetPort().GetProtocol())
	switch tls := s.GetTls(); {
	case kind == "tls" && tls == nil:
		c.errorf(MissingField, path+".tls", "a server of protocol %s needs tls", s.GetPort().GetProtocol())
	case kind != "tls" && kind != "hbone" && tls != nil && (c.has(path+".tls.mode") || tls.GetCredentialName() != "" || !tls.GetHttpsRedirect()):
		c.errorf(ConflictingFields, path+".tls", "a server of protocol %s speaks plain text: TLS settings need HTTPS or TLS (httpsRedirect alone is fine)", s.GetPort().GetProtocol())
	case tls.GetHttpsRedirect() && kind != "http":
		c.warnf(Ineffective, path+".tls.httpsRedirect", "httpsRedirect answers plain HTTP requests: it has no effect on protocol %s", s.GetPort().GetProtocol())
	}
}

func (c *check) serverPort(path string, s *networking.Server) {
	p := s.GetPort()
	if p == nil {
		c.errorf(MissingField, path+".port", "a server needs a port")
		return
	}
	if p.GetName() == "" {
		c.errorf(MissingField, path+".port.name", "the port of a server needs a name")
	}
	if p.GetProtocol() == "" {
		c.errorf(MissingField, path+".port.protocol", "the port of a server needs a protocol")
	} else {
		c.protocol(path+".port.protocol", p.GetProtocol())
	}
	if strings.HasPrefix(s.GetBind(), "unix://") {
		if p.GetNumber() != 0 {
			c.errorf(ConflictingFields, path+".port.number", "a server bound to a Unix domain socket has no port number: write 0")
		}
		c.bad(path+".bind", s.GetBind(), absoluteSocket(s.GetBind()))
		return
	}
	if s.GetBind() != "" && !isIP(s.GetBind()) {
		c.errorf(InvalidValue, path+".bind", "%q is no IP address or unix:// path", s.GetBind())
	}
	c.port(path+".port.number", p.GetNumber())
}

// gatewayHost judges NAMESPACE/HOST, HOST, or either part as a *.
func (c *check) gatewayHost(path, host string) {
	namespace, name, qualified := strings.Cut(host, "/")
	if !qualified {
		name = host
	} else if namespace != "*" && namespace != "." && !isLabel(namespace) {
		c.errorf(InvalidValue, path, "%q: before the / stands a namespace, \".\" for the Gateway's own or \"*\" for all", host)
		return
	}
	switch {
	case isIP(name):
	case partialWildcard(name):
		c.errorf(InvalidValue, path, "%q: a * stands for whole labels, as in *.example.com", name)
	case c.bad(path, name, wildcardName(name)):
	case name != "*" && !strings.Contains(name, "."):
		c.errorf(InvalidValue, path, "%q is a short name: a Gateway needs the full host name", name)
	}
}
