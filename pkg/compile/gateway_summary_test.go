package compile_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile"
)

// summarize writes listeners and route tables a line a chain and virtual host.
func summarize(t *testing.T, cfg *compile.Configuration) string {
	t.Helper()
	var out []string
	for _, l := range cfg.Listeners {
		out = append(out, "listener "+l.GetName())
		for _, chain := range l.GetFilterChains() {
			out = append(out, "  "+summarizeChain(t, cfg, chain))
		}
	}
	for _, r := range cfg.Routes {
		out = append(out, "routes "+r.GetName())
		for _, vh := range r.GetVirtualHosts() {
			out = append(out, "  "+summarizeHost(vh))
		}
	}
	return strings.Join(out, "\n")
}

func summarizeChain(t *testing.T, cfg *compile.Configuration, chain *listenerv3.FilterChain) string {
	t.Helper()
	match := "any"
	if names := chain.GetFilterChainMatch().GetServerNames(); len(names) > 0 {
		match = fmt.Sprint(names)
	}
	if socket := chain.GetTransportSocket(); socket != nil {
		context := unpack[*tlsv3.DownstreamTlsContext](t, cfg, socket.GetTypedConfig())
		common := context.GetCommonTlsContext()
		match += " TLS " + common.GetTlsCertificateSdsSecretConfigs()[0].GetName()
		if roots := common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig(); roots != nil {
			match += ", clients " + roots.GetName()
		}
		if context.GetRequireClientCertificate().GetValue() {
			match += " required"
		}
	}
	last := chain.GetFilters()[len(chain.GetFilters())-1]
	message, err := cfg.Sources.Unpack(last.GetTypedConfig())
	if err != nil {
		t.Fatal(err)
	}
	switch m := message.(type) {
	case *hcmv3.HttpConnectionManager:
		return match + " -> routes " + m.GetRds().GetRouteConfigName()
	case *tcpv3.TcpProxy:
		if m.GetCluster() != "" {
			return match + " -> " + m.GetCluster()
		}
		var clusters []string
		for _, c := range m.GetWeightedClusters().GetClusters() {
			clusters = append(clusters, fmt.Sprintf("%d %s", c.GetWeight(), c.GetName()))
		}
		return match + " -> " + strings.Join(clusters, ", ")
	default:
		return match + " -> " + last.GetName()
	}
}

func summarizeHost(vh *routev3.VirtualHost) string {
	out := fmt.Sprint(vh.GetName(), " ", vh.GetDomains())
	if vh.GetRequireTls() == routev3.VirtualHost_ALL {
		out += " TLS only"
	}
	var names []string
	for _, r := range vh.GetRoutes() {
		if r.GetName() != "" {
			names = append(names, r.GetName())
		}
	}
	switch n := len(vh.GetRoutes()); n {
	case 1:
		out += " 1 route"
	default:
		out += fmt.Sprintf(" %d routes", n)
	}
	if len(names) > 0 {
		out += ": " + strings.Join(names, ", ")
	}
	return out
}

func unpack[T proto.Message](t *testing.T, cfg *compile.Configuration, packed *anypb.Any) T {
	t.Helper()
	message, err := cfg.Sources.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	return message.(T)
}
