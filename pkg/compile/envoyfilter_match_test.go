package compile_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// matchWorld has a sidecar with an HTTP and a TCP port, a client, subsets, routes of every kind and a gateway with plain, TLS and passed-through
// servers.
const matchWorld = `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  selector: {app: server}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 9000}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: server, namespace: shop}
spec:
  host: server
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: server, namespace: shop}
spec:
  hosts: [server, shop.example.com, vault.example.com]
  gateways: [mesh, public]
  http:
  - {name: api, match: [{uri: {prefix: /api}}], route: [{destination: {host: server, subset: v1, port: {number: 80}}}]}
  - {name: old, match: [{uri: {prefix: /old}}], redirect: {uri: /new}}
  - {name: down, match: [{uri: {prefix: /down}}], directResponse: {status: 503}}
  - {name: rest, route: [{destination: {host: server, port: {number: 80}}}]}
  tls:
  - {match: [{sniHosts: [vault.example.com]}], route: [{destination: {host: server, port: {number: 9000}}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}
  - {port: {number: 443, name: https-shop, protocol: HTTPS}, hosts: [shop.example.com], tls: {mode: SIMPLE, credentialName: shop-tls}}
  - {port: {number: 443, name: tls-vault, protocol: TLS}, hosts: [vault.example.com], tls: {mode: PASSTHROUGH}}
---
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: shop}
spec:
  clusterIP: 10.96.0.11
  selector: {istio: ingress}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]
---
apiVersion: v1
kind: Pod
metadata:
  name: ingress
  namespace: shop
  labels: {istio: ingress, gateway.networking.k8s.io/gateway-name: edge}
  annotations: {inject.istio.io/templates: gateway}
spec: {containers: [{name: istio-proxy, image: proxyv2, args: [proxy, router]}]}
status: {podIP: 10.244.0.3, phase: Running}
---
apiVersion: v1
kind: Pod
metadata:
  name: server
  namespace: shop
  labels: {app: server, version: v1, security.istio.io/tlsMode: istio}
  annotations: {sidecar.istio.io/status: "{}", proxy.istio.io/config: "{proxyMetadata: {ISTIO_META_TEAM: cart}}"}
spec: {containers: [{name: app, image: app}, {name: istio-proxy, image: proxyv2}]}
status: {podIP: 10.244.0.1, phase: Running}
`

// hits names, in order, what a patch changed that leaves the mark "hit" where it matches.
func hits(t *testing.T, cfg *compile.Configuration) []string {
	t.Helper()
	var out []string
	hit := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	table := func(rc *routev3.RouteConfiguration) {
		marked := func(headers []string) bool { return len(headers) > 0 && headers[len(headers)-1] == "hit" }
		if marked(rc.GetRequestHeadersToRemove()) {
			hit("table %s", rc.GetName())
		}
		for _, h := range rc.GetVirtualHosts() {
			if marked(h.GetRequestHeadersToRemove()) {
				hit("host %s of %s", h.GetName(), rc.GetName())
			}
			for _, r := range h.GetRoutes() {
				if marked(r.GetRequestHeadersToRemove()) {
					hit("route %s of %s of %s", r.GetName(), h.GetName(), rc.GetName())
				}
			}
		}
	}
	for _, l := range cfg.Listeners {
		if l.GetStatPrefix() == "hit" {
			hit("listener %s", l.GetName())
		}
		for _, f := range l.GetListenerFilters() {
			if f.GetName() == "hit" {
				hit("listener filters of %s", l.GetName())
			}
		}
		for _, c := range append(l.GetFilterChains()[:len(l.GetFilterChains()):len(l.GetFilterChains())], l.GetDefaultFilterChain()) {
			if c.GetTransportSocketConnectTimeout().GetSeconds() == 7 {
				hit("chain %s", chainOf(l, c))
			}
			for _, f := range c.GetFilters() {
				if f.GetName() == "hit" {
					hit("filters of %s", chainOf(l, c))
				}
				m, err := cfg.Sources.Unpack(f.GetTypedConfig())
				if err != nil {
					continue
				}
				if m, ok := m.(*hcmv3.HttpConnectionManager); ok {
					for _, h := range m.GetHttpFilters() {
						if h.GetName() == "hit" {
							hit("HTTP filters of %s", chainOf(l, c))
						}
					}
					table(m.GetRouteConfig())
				}
			}
		}
	}
	for _, rc := range cfg.Routes {
		table(rc)
	}
	for _, c := range cfg.Clusters {
		if c.GetAltStatName() == "hit" {
			hit("cluster %s", c.GetName())
		}
	}
	return out
}

// chainOf tells a filter chain by its listener and what it matches.
func chainOf(l *listenerv3.Listener, c *listenerv3.FilterChain) string {
	m := c.GetFilterChainMatch()
	parts := []string{l.GetName()}
	if p := m.GetDestinationPort().GetValue(); p != 0 {
		parts = append(parts, fmt.Sprint(p))
	}
	if p := m.GetTransportProtocol(); p != "" {
		parts = append(parts, p)
	}
	parts = append(append(parts, m.GetServerNames()...), m.GetApplicationProtocols()...)
	if c == l.GetDefaultFilterChain() {
		parts = append(parts, "default")
	}
	return strings.Join(parts, " ")
}

// TestPatchMatch shows what of two proxies each part of match finds.
func TestPatchMatch(t *testing.T) {
	mark := map[string]string{
		"LISTENER":            "{operation: MERGE, value: {stat_prefix: hit}}",
		"LISTENER_FILTER":     `{operation: ADD, value: {name: hit, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}}`,
		"FILTER_CHAIN":        "{operation: MERGE, value: {transport_socket_connect_timeout: 7s}}",
		"NETWORK_FILTER":      `{operation: INSERT_FIRST, value: {name: hit, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}}`,
		"HTTP_FILTER":         `{operation: INSERT_FIRST, value: {name: hit, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}`,
		"ROUTE_CONFIGURATION": "{operation: MERGE, value: {request_headers_to_remove: [hit]}}",
		"VIRTUAL_HOST":        "{operation: MERGE, value: {request_headers_to_remove: [hit]}}",
		"HTTP_ROUTE":          "{operation: MERGE, value: {request_headers_to_remove: [hit]}}",
		"CLUSTER":             "{operation: MERGE, value: {alt_stat_name: hit}}",
	}
	for _, tt := range matchCases {
		t.Run(tt.proxy+" "+tt.to+" "+tt.match, func(t *testing.T) {
			text := matchWorld + "---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: patch, namespace: shop}\nspec:\n  configPatches:\n" +
				"  - {applyTo: " + tt.to + ", match: {" + tt.match + "}, patch: " + mark[tt.to] + "}\n"
			cfg := compiled(t, loadText(t, text), tt.proxy+".shop")
			if diff := cmp.Diff(tt.want, hits(t, cfg)); diff != "" {
				t.Errorf("what was found differs (-want +got):\n%s", diff)
			}
		})
	}
}
