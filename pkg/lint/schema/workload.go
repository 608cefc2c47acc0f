package schema

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	networkingv1beta1 "istio.io/api/networking/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

func workloadEntry(c *check) {
	e, ok := c.Object.(*networking.WorkloadEntry)
	if !ok || e == nil {
		return
	}
	c.workload("spec", e, false)
}

// workload judges a WorkloadEntry, or the template of a WorkloadGroup, which has no address.
func (c *check) workload(path string, e *networking.WorkloadEntry, template bool) {
	a := e.GetAddress()
	switch {
	case template:
	case a == "" && e.GetNetwork() == "":
		c.errorf(MissingField, path+".address", "a WorkloadEntry needs an address (or the network whose gateway leads to it)")
	case a == "":
		c.warnf(Ineffective, path, "the address is missing: traffic goes to the gateway of network %q, which must know the way", e.GetNetwork())
	case strings.HasPrefix(a, "unix://"):
		c.bad(path+".address", a, absoluteSocket(a))
		if len(e.GetPorts()) > 0 {
			c.errorf(ConflictingFields, path+".ports", "a workload on a Unix domain socket has no ports")
		}
	case !isIP(a) && hostName(a) != "":
		c.errorf(InvalidValue, path+".address", "%q is no IP address or host name", a)
	}
	for name, number := range e.GetPorts() {
		at := resource.Key(path+".ports", name)
		c.portName(at, name)
		c.port(at, number)
	}
	c.labels(path+".labels", e.GetLabels())
}

func workloadGroup(c *check) {
	g, ok := c.Object.(*networking.WorkloadGroup)
	if !ok || g == nil {
		return
	}
	if g.GetTemplate() == nil {
		c.errorf(MissingField, "spec.template", "a WorkloadGroup needs a template for its workloads")
		return
	}
	c.workload("spec.template", g.GetTemplate(), true)
	c.labels("spec.metadata.labels", g.GetMetadata().GetLabels())
	p := g.GetProbe()
	if p == nil {
		return
	}
	switch {
	case p.GetHttpGet() != nil:
		c.port("spec.probe.httpGet.port", p.GetHttpGet().GetPort())
		if path := p.GetHttpGet().GetPath(); path != "" && !strings.HasPrefix(path, "/") {
			c.errorf(InvalidValue, "spec.probe.httpGet.path", "%q: a path begins with /", path)
		}
		if s := p.GetHttpGet().GetScheme(); s != "" && s != "HTTP" && s != "HTTPS" {
			c.errorf(InvalidValue, "spec.probe.httpGet.scheme", "%q: the scheme must be HTTP or HTTPS", s)
		}
	case p.GetTcpSocket() != nil:
		c.port("spec.probe.tcpSocket.port", p.GetTcpSocket().GetPort())
	case p.GetExec() != nil:
		if len(p.GetExec().GetCommand()) == 0 {
			c.errorf(MissingField, "spec.probe.exec.command", "a probe by exec needs a command")
		}
	case p.GetGrpc() != nil:
		c.port("spec.probe.grpc.port", p.GetGrpc().GetPort())
	default:
		c.errorf(MissingField, "spec.probe", "the probe probes nothing: say httpGet, tcpSocket, exec or grpc")
	}
}

func proxyConfig(c *check) {
	p, ok := c.Object.(*networkingv1beta1.ProxyConfig)
	if !ok || p == nil {
		return
	}
	c.matchLabels("spec.selector", p.GetSelector())
}
