package compile_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// sidecar is the proxy of a pod that no file describes.
func sidecar() *model.Proxy {
	return &model.Proxy{
		Name: "client", Namespace: "shop", Type: model.Sidecar, IP: "10.244.0.9",
		Labels: map[string]string{"app": "client", "version": "v1"}, ServiceAccount: "client",
	}
}

// listenersOf compiles the sidecar and writes its listeners as summarizeListener does: those whose names are given, or all but the two
// virtual ones.
func listenersOf(t *testing.T, world string, names ...string) string {
	t.Helper()
	cfg := compile.Compile(loadText(t, world), sidecar(), compile.Options{Target: compile.IstioProxy})
	var out strings.Builder
	out.WriteString("\n")
	for _, l := range cfg.Listeners {
		wanted := len(names) == 0 && !strings.HasPrefix(l.GetName(), "virtual")
		for _, name := range names {
			wanted = wanted || l.GetName() == name
		}
		if wanted {
			out.WriteString(summarizeListener(t, cfg, l))
		}
	}
	return out.String()
}

// summarizeListener writes a listener with what tells it from others: listener filters, and of each chain what it matches and where it leads.
func summarizeListener(t *testing.T, cfg *compile.Configuration, l *listenerv3.Listener) string {
	t.Helper()
	var out strings.Builder
	out.WriteString(l.GetName())
	if l.GetBindToPort() == nil {
		out.WriteString(" bound")
	}
	for _, f := range l.GetListenerFilters() {
		name := f.GetName()[strings.LastIndexByte(f.GetName(), '.')+1:]
		fmt.Fprintf(&out, " %s%s", name, portsOf(f.GetFilterDisabled()))
	}
	out.WriteString("\n")
	for _, c := range l.GetFilterChains() {
		fmt.Fprintf(&out, "  %s\n", summarizeSidecarChain(t, cfg, c))
	}
	if c := l.GetDefaultFilterChain(); c != nil {
		fmt.Fprintf(&out, "  else %s\n", summarizeSidecarChain(t, cfg, c))
	}
	return out.String()
}

// portsOf writes the ports for which a listener filter is off, or those alone for which it is on.
func portsOf(p *listenerv3.ListenerFilterChainMatchPredicate) string {
	if p == nil {
		return ""
	}
	if on := p.GetNotMatch(); on != nil {
		return strings.Replace(portsOf(on), "not", "only", 1)
	}
	var ports []string
	rules := p.GetOrMatch().GetRules()
	if rules == nil {
		rules = append(rules, p)
	}
	for _, r := range rules {
		ports = append(ports, fmt.Sprint(r.GetDestinationPortRange().GetStart()))
	}
	return "(not " + strings.Join(ports, ",") + ")"
}

func summarizeSidecarChain(t *testing.T, cfg *compile.Configuration, c *listenerv3.FilterChain) string {
	t.Helper()
	var words []string
	m := c.GetFilterChainMatch()
	if m.GetDestinationPort() != nil {
		words = append(words, fmt.Sprint(m.GetDestinationPort().GetValue()))
	}
	if m.GetTransportProtocol() != "" {
		words = append(words, m.GetTransportProtocol())
	}
	if a := m.GetApplicationProtocols(); a != nil {
		words = append(words, "alpn "+strings.Join(a, ","))
	}
	if n := m.GetServerNames(); n != nil {
		words = append(words, "sni "+strings.Join(n, ","))
	}
	for _, r := range m.GetPrefixRanges() {
		words = append(words, fmt.Sprintf("%s/%d", r.GetAddressPrefix(), r.GetPrefixLen().GetValue()))
	}
	if len(words) == 0 {
		words = append(words, "any")
	}
	if s := c.GetTransportSocket(); s != nil {
		ctx := unpack[*tlsv3.DownstreamTlsContext](t, cfg, s.GetTypedConfig())
		words = append(words, "mTLS as "+strings.Join(ctx.GetCommonTlsContext().GetAlpnProtocols(), ","))
	}
	words = append(words, "->")
	for _, f := range c.GetFilters() {
		switch f.GetName() {
		case "envoy.filters.network.http_connection_manager":
			hcm := unpack[*hcmv3.HttpConnectionManager](t, cfg, f.GetTypedConfig())
			if hcm.GetRds() != nil {
				words = append(words, "routes "+hcm.GetRds().GetRouteConfigName())
			} else {
				r := hcm.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()[0]
				words = append(words, "http "+r.GetRoute().GetCluster()+" as "+r.GetDecorator().GetOperation())
			}
		case "envoy.filters.network.tcp_proxy":
			words = append(words, summarizeTCP(unpack[*tcpv3.TcpProxy](t, cfg, f.GetTypedConfig())))
		case "istio.metadata_exchange":
		default:
			words = append(words, f.GetName()[strings.LastIndexByte(f.GetName(), '.')+1:])
		}
	}
	if c.GetMetadata() != nil {
		config := c.GetMetadata().GetFilterMetadata()["istio"].GetFields()["config"].GetStringValue()
		words = append(words, "by "+config[strings.Index(config, "/namespaces/")+len("/namespaces/"):])
	}
	return strings.Join(words, " ")
}

func summarizeTCP(p *tcpv3.TcpProxy) string {
	to := p.GetCluster()
	if to == "" {
		var parts []string
		for _, c := range p.GetWeightedClusters().GetClusters() {
			parts = append(parts, fmt.Sprintf("%d*%s", c.GetWeight(), c.GetName()))
		}
		to = strings.Join(parts, " ")
	}
	if p.GetStatPrefix() != to {
		to += " stat " + p.GetStatPrefix()
	}
	if d := p.GetIdleTimeout(); d != nil {
		to += " idle " + d.AsDuration().String()
	}
	if d := p.GetMaxDownstreamConnectionDuration(); d != nil {
		to += " lasting " + d.AsDuration().String()
	}
	if p.GetHashPolicy() != nil {
		to += " by source IP"
	}
	if tunnel := p.GetTunnelingConfig(); tunnel != nil {
		to += fmt.Sprintf(" through %s post=%t", tunnel.GetHostname(), tunnel.GetUsePost())
	}
	return to
}

// listenerCase is a world and what becomes of it.
type listenerCase struct {
	name  string
	world string
	// listeners are those to show, by name; none for all but the virtual ones.
	listeners []string
	want      string
}

func testListeners(t *testing.T, tests []listenerCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := listenersOf(t, tt.world, tt.listeners...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("listeners differ (-want +got):\n%s\n%s", diff, got)
			}
		})
	}
}
