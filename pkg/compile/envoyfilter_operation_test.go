package compile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// patchTarget is what an applyTo patches in the tests of operations, of the server in matchWorld.
type patchTarget struct {
	// named picks one object of the list, any picks none by name.
	named, any string
	// value of the patches that put something in, and of those that merge.
	value, merge string
	// list is what is patched, in a word each.
	list func(*testing.T, *compile.Configuration) []string
}

func virtualInbound(cfg *compile.Configuration) *listenerv3.Listener {
	i := slices.IndexFunc(cfg.Listeners, func(l *listenerv3.Listener) bool { return l.GetName() == "virtualInbound" })
	return cfg.Listeners[i]
}

// plainChain is the chain of virtualInbound for plaintext to a port.
func plainChain(cfg *compile.Configuration, port uint32) *listenerv3.FilterChain {
	for _, c := range virtualInbound(cfg).GetFilterChains() {
		if m := c.GetFilterChainMatch(); m.GetDestinationPort().GetValue() == port && m.GetTransportProtocol() == "raw_buffer" {
			return c
		}
	}
	return nil
}

func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// patchTargets are keyed by applyTo.
func patchTargets() map[string]patchTarget {
	const (
		inbound = "context: SIDECAR_INBOUND, listener: {portNumber: %d, filterChain: {transportProtocol: raw_buffer%s}}"
		host    = "context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: 'server.shop.svc.cluster.local:80'%s}}"
		echo    = `{name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}`
		proxy   = `{name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}`
		buffer  = `{name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}`
	)
	return map[string]patchTarget{
		"LISTENER": {
			named: "listener: {name: 10.96.0.10_9000}", any: "context: GATEWAY",
			value: "{name: new, address: {socket_address: {address: 127.0.0.1, port_value: 1}}}", merge: "{stat_prefix: merged}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, l := range cfg.Listeners {
					out = append(out, l.GetName()+l.GetStatPrefix())
				}
				return out
			}},
		"LISTENER_FILTER": {
			named: "listener: {name: virtualInbound, listenerFilter: envoy.filters.listener.tls_inspector}", any: "listener: {name: virtualInbound}",
			value: proxy, merge: `{name: merged, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector, enable_ja3_fingerprinting: true}}`,
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, f := range virtualInbound(cfg).GetListenerFilters() {
					out = append(out, short(f.GetName()))
				}
				return out
			}},
		"FILTER_CHAIN": {
			named: fmt.Sprintf(inbound, 9000, ""), any: "listener: {name: virtualInbound, filterChain: {name: none}}",
			value: "{name: new, filters: [" + echo + "]}", merge: "{name: merged}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, c := range virtualInbound(cfg).GetFilterChains() {
					if p := c.GetFilterChainMatch().GetDestinationPort().GetValue(); p == 9000 || p == 0 && c.GetName() == "new" {
						out = append(out, c.GetName())
					}
				}
				return out
			}},
		"NETWORK_FILTER": {
			named: fmt.Sprintf(inbound, 9000, ", filter: {name: envoy.filters.network.tcp_proxy}"), any: fmt.Sprintf(inbound, 9000, ""),
			value: echo, merge: "{name: merged}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, f := range plainChain(cfg, 9000).GetFilters() {
					out = append(out, short(f.GetName()))
				}
				return out
			}},
		"HTTP_FILTER": {
			named: fmt.Sprintf(inbound, 8080, ", filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.cors}}"),
			any:   fmt.Sprintf(inbound, 8080, ", filter: {name: envoy.filters.network.http_connection_manager}"),
			value: buffer, merge: "{name: merged}",
			list: func(t *testing.T, cfg *compile.Configuration) (out []string) {
				filters := plainChain(cfg, 8080).GetFilters()
				m, err := cfg.Sources.Unpack(filters[len(filters)-1].GetTypedConfig())
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range m.(*hcmv3.HttpConnectionManager).GetHttpFilters() {
					out = append(out, short(f.GetName()))
				}
				return out
			}},
		"ROUTE_CONFIGURATION": {
			named: "routeConfiguration: {name: '80'}", any: "routeConfiguration: {name: none}",
			value: "{name: new}", merge: "{request_headers_to_remove: [merged]}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, rc := range cfg.Routes {
					out = append(out, rc.GetName()+strings.Join(rc.GetRequestHeadersToRemove(), ""))
				}
				return out
			}},
		"VIRTUAL_HOST": {
			named: fmt.Sprintf(host, ""), any: "context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: none}}",
			value: "{name: new, domains: [new.example.com]}", merge: "{domains: [merged.example.com]}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, h := range cfg.Routes[0].GetVirtualHosts() {
					out = append(out, fmt.Sprintf("%s:%d", strings.Split(h.GetName(), ".")[0], len(h.GetDomains())))
				}
				return out
			}},
		"HTTP_ROUTE": {
			named: fmt.Sprintf(host, ", route: {name: old}"), any: fmt.Sprintf(host, ""),
			value: "{name: new, match: {path: /}, direct_response: {status: 200}}", merge: "{request_headers_to_remove: [merged]}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, h := range cfg.Routes[0].GetVirtualHosts() {
					if strings.HasPrefix(h.GetName(), "server.") {
						for _, r := range h.GetRoutes() {
							out = append(out, r.GetName()+strings.Join(r.GetRequestHeadersToRemove(), ""))
						}
					}
				}
				return out
			}},
		"CLUSTER": {
			named: "cluster: {name: BlackHoleCluster}", any: "context: GATEWAY",
			value: "{name: new, type: STATIC}", merge: "{alt_stat_name: ':merged'}",
			list: func(_ *testing.T, cfg *compile.Configuration) (out []string) {
				for _, c := range cfg.Clusters {
					if !strings.Contains(c.GetName(), "|") {
						_, merged, _ := strings.Cut(c.GetAltStatName(), ":")
						out = append(out, strings.TrimSuffix(c.GetName(), "Cluster")+merged)
					}
				}
				return out
			}},
	}
}

// TestPatchOperations goes through what may be patched and every operation, where the match names an object and where it names none.
func TestPatchOperations(t *testing.T) {
	targets := patchTargets()
	for _, tt := range operationCases {
		target := targets[tt.to]
		for _, way := range []struct{ name, match, want string }{{"named", target.named, tt.named}, {"not named", target.any, tt.any}} {
			t.Run(tt.to+" "+tt.operation+" "+way.name, func(t *testing.T) {
				value := target.value
				if strings.HasPrefix(tt.operation, "MERGE") {
					value = target.merge
				}
				text := matchWorld + "---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: patch, namespace: shop}\nspec:\n" +
					"  workloadSelector: {labels: {app: server}}\n  configPatches:\n" +
					"  - {applyTo: " + tt.to + ", match: {" + way.match + "}, patch: {operation: " + tt.operation + ", value: " + value + "}}\n"
				mesh := loadText(t, text)
				cfg := compiled(t, mesh, "server.shop")
				if diff := cmp.Diff(way.want, strings.Join(target.list(t, cfg), " ")); diff != "" {
					t.Errorf("what is patched differs (-want +got):\n%s", diff)
				}
				before := strings.Join(target.list(t, compiled(t, loadText(t, matchWorld), "server.shop")), " ")
				if findings := judged(mesh, cfg).Findings; (len(findings) > 0) != (way.want == before) {
					t.Errorf("findings %v where %q became %q", findings, before, way.want)
				}
			})
		}
	}
}
