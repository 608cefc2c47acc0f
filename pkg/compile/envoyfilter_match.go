package compile

import (
	"slices"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
)

// A match without a part leaves that part open, so every method here is true for a patch that does not ask.

func isVirtual(listener string) bool {
	return listener == "virtualInbound" || listener == "virtualOutbound"
}

// matchesListener tells whether the patch is for the listener or something in it. For the virtual listeners, the port is that of
// the filter chain, unless it is the listener itself that is patched.
func (p *envoyPatch) matchesListener(l *listenerv3.Listener) bool {
	m := p.match.GetListener()
	if m == nil {
		return true
	}
	if m.GetName() != "" && m.GetName() != l.GetName() {
		return false
	}
	if p.to != networking.EnvoyFilter_LISTENER && isVirtual(l.GetName()) {
		return true
	}
	return m.GetPortNumber() == 0 || m.GetPortNumber() == l.GetAddress().GetSocketAddress().GetPortValue()
}

// matchesChain is for chains of a listener that matches.
func (p *envoyPatch) matchesChain(l *listenerv3.Listener, c *listenerv3.FilterChain) bool {
	m := p.match.GetListener()
	have := c.GetFilterChainMatch()
	if port := m.GetPortNumber(); port != 0 && isVirtual(l.GetName()) && have.GetDestinationPort().GetValue() != port {
		return false
	}
	want := m.GetFilterChain()
	switch {
	case want == nil:
		return true
	case want.GetName() != "" && want.GetName() != c.GetName(),
		want.GetSni() != "" && !slices.Contains(have.GetServerNames(), want.GetSni()),
		want.GetTransportProtocol() != "" && want.GetTransportProtocol() != have.GetTransportProtocol(),
		want.GetDestinationPort() != 0 && want.GetDestinationPort() != have.GetDestinationPort().GetValue():
		return false
	}
	if want.GetApplicationProtocols() == "" {
		return true
	}
	for name := range strings.SplitSeq(want.GetApplicationProtocols(), ",") {
		if !slices.Contains(have.GetApplicationProtocols(), name) {
			return false
		}
	}
	return true
}

// listenerFilter, networkFilter and httpFilter are the names of the filters that the patch asks for; ok is false where it names none.
func (p *envoyPatch) listenerFilter() (name string, ok bool) {
	name = p.match.GetListener().GetListenerFilter()
	return name, name != ""
}

func (p *envoyPatch) networkFilter() (name string, ok bool) {
	f := p.match.GetListener().GetFilterChain().GetFilter()
	return f.GetName(), f != nil
}

func (p *envoyPatch) httpFilter() (name string, ok bool) {
	name = p.match.GetListener().GetFilterChain().GetFilter().GetSubFilter().GetName()
	return name, name != ""
}

// matchesTable tells whether the patch is for the route configuration or something in it. Of a sidecar's tables the name is the port;
// those of gateways tell port, port name and Gateway by their names.
func (b *builder) matchesTable(p *envoyPatch, context networking.EnvoyFilter_PatchContext, rc *routev3.RouteConfiguration) bool {
	m := p.match.GetRouteConfiguration()
	if m == nil {
		return true
	}
	if m.GetName() != "" && m.GetName() != rc.GetName() {
		return false
	}
	if context != networking.EnvoyFilter_GATEWAY {
		return m.GetPortNumber() == 0 || m.GetPortNumber() == tablePort(rc.GetName())
	}
	port, portName, gateway := gatewayTableName(rc.GetName())
	if m.GetPortName() != "" && m.GetPortName() != portName || m.GetGateway() != "" && m.GetGateway() != gateway {
		return false
	}
	if m.GetPortNumber() == 0 {
		return true
	}
	// The name has the port that the proxy opens, and the patch means that of the Gateway's server.
	if servers, ok := b.serverPorts[port]; ok {
		return servers[m.GetPortNumber()]
	}
	return port == m.GetPortNumber()
}

// tablePort is the port in the name of a sidecar's route configuration, 0 for none: 8080, or inbound|8080||.
func tablePort(name string) uint32 {
	if direction, port, _, _, ok := translate.SplitCluster(name); ok && direction == "inbound" {
		return port
	}
	n, err := strconv.ParseUint(name, 10, 16)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// gatewayTableName takes the name of a gateway's route configuration apart: http.8080, or https.443.PORTNAME.GATEWAY.NAMESPACE, of
// which the Gateway is NAMESPACE/GATEWAY. The shared table of plaintext servers belongs to no Gateway.
func gatewayTableName(name string) (port uint32, portName, gateway string) {
	parts := strings.Split(name, ".")
	if len(parts) < 2 {
		return 0, "", ""
	}
	if n, err := strconv.ParseUint(parts[1], 10, 16); err == nil {
		port = uint32(n)
	}
	if parts[0] == "https" && len(parts) >= 5 {
		portName, gateway = parts[2], parts[4]+"/"+parts[3]
	}
	return port, portName, gateway
}

func (p *envoyPatch) matchesHost(h *routev3.VirtualHost) bool {
	m := p.match.GetRouteConfiguration().GetVhost()
	return m == nil || (m.GetName() == "" || m.GetName() == h.GetName()) &&
		(m.GetDomainName() == "" || slices.Contains(h.GetDomains(), m.GetDomainName()))
}

// asksForRoute tells whether the patch says by which route it wants to stand.
func (p *envoyPatch) asksForRoute() bool {
	return p.match.GetRouteConfiguration().GetVhost().GetRoute() != nil
}

func (p *envoyPatch) matchesRoute(r *routev3.Route) bool {
	m := p.match.GetRouteConfiguration().GetVhost().GetRoute()
	if m == nil {
		return true
	}
	if m.GetName() != "" && m.GetName() != r.GetName() {
		return false
	}
	switch want := m.GetAction(); r.GetAction().(type) {
	case *routev3.Route_Route:
		return want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_ANY || want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_ROUTE
	case *routev3.Route_Redirect:
		return want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_ANY || want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_REDIRECT
	case *routev3.Route_DirectResponse:
		return want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_ANY || want == networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_DIRECT_RESPONSE
	}
	return true
}

// matchesCluster goes by the parts of the cluster's name. That of an inbound cluster lacks the service, so its services' hosts are looked at.
func (p *envoyPatch) matchesCluster(c *clusterv3.Cluster) bool {
	m := p.match.GetCluster()
	if m == nil {
		return true
	}
	if m.GetName() != "" {
		return m.GetName() == c.GetName()
	}
	name := c.GetName()
	if strings.HasPrefix(name, "outbound_.") {
		name = strings.ReplaceAll(name, "_.", "|")
	}
	direction, port, subset, host, _ := translate.SplitCluster(name)
	hosts := []string{host}
	if direction == "inbound" {
		hosts = servicesOf(c)
	}
	return (m.GetSubset() == "" || m.GetSubset() == subset) &&
		(m.GetService() == "" || slices.Contains(hosts, m.GetService())) &&
		(m.GetPortNumber() == 0 || m.GetPortNumber() == port)
}

// servicesOf are the hosts of the services behind a cluster, which its metadata names.
func servicesOf(c *clusterv3.Cluster) []string {
	var hosts []string
	for _, s := range c.GetMetadata().GetFilterMetadata()["istio"].GetFields()["services"].GetListValue().GetValues() {
		hosts = append(hosts, s.GetStructValue().GetFields()["host"].GetStringValue())
	}
	return hosts
}
