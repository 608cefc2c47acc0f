package compile_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// envoyFilter is an EnvoyFilter in matchWorld's namespace; spec and patches are written in flow style.
func envoyFilter(spec string, patches ...string) string {
	return "---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: patch, namespace: shop}\nspec: {" + spec +
		"configPatches: [\n  " + strings.Join(patches, ",\n  ") + "]}\n"
}

// outboundListener is the one for plain HTTP to port 80.
func outboundListener(cfg *compile.Configuration) *listenerv3.Listener {
	for _, l := range cfg.Listeners {
		if l.GetName() == "0.0.0.0_80" {
			return l
		}
	}
	return nil
}

// TestPatchOddities holds what istiod does where one would expect otherwise.
func TestPatchOddities(t *testing.T) {
	const (
		plain  = "context: SIDECAR_INBOUND, listener: {portNumber: %d, filterChain: {transportProtocol: raw_buffer%s}}"
		sealed = "context: SIDECAR_INBOUND, listener: {portNumber: 8080, filterChain: {transportProtocol: tls}}"
		server = "applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {name: outbound|9000||server.shop.svc.cluster.local}}"
		tls    = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
		host   = "server.shop.svc.cluster.local:80"
	)
	targets := patchTargets()
	list := func(to string) func(*testing.T, *compile.Configuration) string {
		return func(t *testing.T, cfg *compile.Configuration) string {
			return strings.Join(targets[to].list(t, cfg), " ")
		}
	}
	cluster := func(_ *testing.T, cfg *compile.Configuration) string {
		for _, c := range cfg.Clusters {
			if c.GetName() == "outbound|9000||server.shop.svc.cluster.local" {
				return fmt.Sprintf("socket %q matches %d alt %q", c.GetTransportSocket().GetName(), len(c.GetTransportSocketMatches()), c.GetAltStatName())
			}
		}
		return ""
	}
	for name, tt := range map[string]struct {
		proxy, filter string
		see           func(*testing.T, *compile.Configuration) string
		want, rule    string
	}{
		"a chain whose filters are all removed stays": {filter: envoyFilter("",
			"{applyTo: NETWORK_FILTER, match: {"+fmt.Sprintf(plain, 9000, ", filter: {name: envoy.filters.network.tcp_proxy}")+"}, patch: {operation: REMOVE}}",
			"{applyTo: NETWORK_FILTER, match: {"+fmt.Sprintf(plain, 9000, ", filter: {name: istio.metadata_exchange}")+"}, patch: {operation: REMOVE}}"),
			see: func(t *testing.T, cfg *compile.Configuration) string {
				return fmt.Sprint(plainChain(cfg, 9000) != nil, list("NETWORK_FILTER")(t, cfg))
			},
			want: "true"},
		"a default chain is removed as others are": {filter: envoyFilter("",
			"{applyTo: FILTER_CHAIN, match: {context: SIDECAR_OUTBOUND, listener: {name: 0.0.0.0_80, filterChain: {name: PassthroughFilterChain}}}, patch: {operation: REMOVE}}"),
			see: func(_ *testing.T, cfg *compile.Configuration) string {
				return fmt.Sprint(len(outboundListener(cfg).GetFilterChains()), outboundListener(cfg).GetDefaultFilterChain() == nil)
			}, want: "1 true"},
		"a chain without filters is not added": {filter: envoyFilter("workloadSelector: {labels: {app: server}}, ",
			"{applyTo: FILTER_CHAIN, match: {listener: {name: virtualInbound}}, patch: {operation: ADD, value: {name: new}}}"),
			see: list("FILTER_CHAIN"), want: "0.0.0.0_9000 0.0.0.0_9000 0.0.0.0_9000", rule: "envoyfilter/matched-nothing"},
		"a listener without a name is not added": {filter: envoyFilter("",
			"{applyTo: LISTENER, match: {context: SIDECAR_OUTBOUND}, patch: {operation: ADD, value: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}}"),
			see: list("LISTENER"), want: "0.0.0.0_80 10.96.0.10_9000 10.96.0.11_443 virtualInbound virtualOutbound", rule: "envoyfilter/invalid-patch"},
		"merging into a chain's transport socket merges nothing else": {filter: envoyFilter("",
			"{applyTo: FILTER_CHAIN, match: {"+sealed+`}, patch: {operation: MERGE, value: {name: merged, transport_socket: {name: envoy.transport_sockets.tls, typed_config: {"@type": `+tls+
				"DownstreamTlsContext, full_scan_certs_on_sni_mismatch: true}}}}}"),
			see: func(t *testing.T, cfg *compile.Configuration) string {
				for _, c := range virtualInbound(cfg).GetFilterChains() {
					if m := c.GetFilterChainMatch(); m.GetDestinationPort().GetValue() == 8080 && m.GetTransportProtocol() == "tls" {
						ctx, err := cfg.Sources.Unpack(c.GetTransportSocket().GetTypedConfig())
						if err != nil {
							t.Fatal(err)
						}
						own := ctx.(*tlsv3.DownstreamTlsContext)
						return fmt.Sprint(c.GetName(), " ", own.GetFullScanCertsOnSniMismatch().GetValue(), own.GetRequireClientCertificate().GetValue())
					}
				}
				return ""
			}, want: "0.0.0.0_8080 true true"},
		"a cluster's transport sockets by endpoint take no other": {filter: envoyFilter("",
			"{"+server+", patch: {operation: MERGE, value: {alt_stat_name: merged, transport_socket: {name: other}}}}"),
			see: cluster, want: `socket "" matches 2 alt "outbound|9000||server.shop.svc.cluster.local;"`, rule: "envoyfilter/invalid-patch"},
		"merging into one of a cluster's transport sockets merges nothing else": {filter: envoyFilter("",
			"{"+server+`, patch: {operation: MERGE, value: {alt_stat_name: merged, transport_socket: {name: envoy.transport_sockets.tls, typed_config: {"@type": `+tls+"UpstreamTlsContext, allow_renegotiation: true}}}}}"),
			see: cluster, want: `socket "" matches 2 alt "outbound|9000||server.shop.svc.cluster.local;"`},
		"a typed_config of another type is refused": {filter: envoyFilter("",
			"{applyTo: HTTP_FILTER, match: {"+fmt.Sprintf(plain, 8080, ", filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.cors}}")+
				`}, patch: {operation: MERGE, value: {name: merged, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}}`),
			see: list("HTTP_FILTER"), want: "metadata_exchange grpc_stats fault cors router", rule: "envoyfilter/invalid-patch"},
		"an empty subFilter names none": {filter: envoyFilter("",
			"{applyTo: HTTP_FILTER, match: {"+fmt.Sprintf(plain, 8080, ", filter: {name: envoy.filters.network.http_connection_manager, subFilter: {}}")+
				`}, patch: {operation: INSERT_AFTER, value: {name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}}`),
			see: list("HTTP_FILTER"), want: "metadata_exchange grpc_stats fault cors router new"},
		"HTTP filters are merged into after all are inserted": {filter: envoyFilter("",
			"{applyTo: HTTP_FILTER, match: {"+fmt.Sprintf(plain, 8080, ", filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: new}}")+"}, patch: {operation: MERGE, value: {name: merged}}}",
			"{applyTo: HTTP_FILTER, match: {"+fmt.Sprintf(plain, 8080, ", filter: {name: envoy.filters.network.http_connection_manager}")+
				`}, patch: {operation: INSERT_FIRST, value: {name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}}`),
			see: list("HTTP_FILTER"), want: "merged metadata_exchange grpc_stats fault cors router"},
		"a host that is added goes with one of its name that is removed": {filter: envoyFilter("",
			"{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: '"+host+"'}}}, patch: {operation: REMOVE}}",
			"{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_OUTBOUND}, patch: {operation: ADD, value: {name: '"+host+"', domains: [server]}}}"),
			see: list("VIRTUAL_HOST"), want: "ingress:6 shop:1 vault:1 allow_any:1"},
		"what is merged into the host for unknown hosts is lost": {filter: envoyFilter("",
			"{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: allow_any}}}, patch: {operation: MERGE, value: {domains: [more]}}}"),
			see: list("VIRTUAL_HOST"), want: "ingress:6 server:6 shop:1 vault:1 allow_any:1", rule: "envoyfilter/matched-nothing"},
		"a route in front of a route that is not there is left out": {filter: envoyFilter("",
			"{applyTo: HTTP_ROUTE, match: {context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: '"+host+"', route: {name: none}}}}, patch: {operation: INSERT_FIRST, value: {name: new, match: {path: /}, direct_response: {status: 200}}}}"),
			see: list("HTTP_ROUTE"), want: "api old down rest", rule: "envoyfilter/matched-nothing"},
		"patches of routes see the host that replaced another": {filter: envoyFilter("",
			"{applyTo: HTTP_ROUTE, match: {context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: server.new}}}, patch: {operation: ADD, value: {name: new, match: {path: /}, direct_response: {status: 200}}}}",
			"{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_OUTBOUND, routeConfiguration: {vhost: {name: '"+host+"'}}}, patch: {operation: REPLACE, value: {name: server.new, domains: [server]}}}"),
			see: list("HTTP_ROUTE"), want: "new"},
		"a cluster is added once": {filter: envoyFilter("",
			"{applyTo: CLUSTER, match: {context: SIDECAR_INBOUND}, patch: {operation: ADD, value: {name: new, type: STATIC}}}",
			"{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND}, patch: {operation: ADD, value: {name: new, type: STATIC}}}"),
			see: list("CLUSTER"), want: "BlackHole InboundPassthrough Passthrough new"},
		"another cluster of a name is left out": {filter: envoyFilter("",
			"{applyTo: CLUSTER, patch: {operation: ADD, value: {name: PassthroughCluster, type: STATIC}}}"),
			see: list("CLUSTER"), want: "BlackHole InboundPassthrough Passthrough", rule: "envoyfilter/invalid-patch"},
		"listeners and clusters that are added for no context come once": {filter: envoyFilter("",
			"{applyTo: LISTENER, patch: {operation: ADD, value: {name: new, address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}}"),
			see: list("LISTENER"), want: "0.0.0.0_80 10.96.0.10_9000 10.96.0.11_443 new virtualInbound virtualOutbound"},
		"an extension's configuration that no filter asks for is not sent": {filter: envoyFilter("workloadSelector: {labels: {app: server}}, ",
			`{applyTo: EXTENSION_CONFIG, patch: {operation: ADD, value: {name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}}`),
			see: func(_ *testing.T, cfg *compile.Configuration) string { return fmt.Sprint(len(cfg.ExtensionConfigs)) }, want: "0", rule: "envoyfilter/matched-nothing"},
		"an extension's configuration takes no notice of the context": {filter: envoyFilter("",
			`{applyTo: EXTENSION_CONFIG, match: {context: GATEWAY}, patch: {operation: ADD, value: {name: new, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}}}`,
			"{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND}, patch: {operation: INSERT_FIRST, value: {name: new, config_discovery: {config_source: {ads: {}}, type_urls: [type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer]}}}}"),
			see: func(_ *testing.T, cfg *compile.Configuration) string { return fmt.Sprint(len(cfg.ExtensionConfigs)) }, want: "1"},
		"nor does a bootstrap's": {filter: envoyFilter("",
			"{applyTo: BOOTSTRAP, match: {context: GATEWAY}, patch: {operation: MERGE, value: {stats_flush_interval: 9s}}}"),
			see: func(_ *testing.T, cfg *compile.Configuration) string { return fmt.Sprint(len(cfg.BootstrapPatches)) }, want: "1"},
		"a Gateway that is referred to stands in the EnvoyFilter's namespace": {proxy: "ingress",
			filter: strings.Replace(envoyFilter("targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}], ",
				"{applyTo: CLUSTER, match: {cluster: {name: BlackHoleCluster}}, patch: {operation: REMOVE}}"), "namespace: shop", "namespace: istio-system", 1),
			see: list("CLUSTER"), want: "BlackHole"},
		"a Gateway that is referred to": {proxy: "ingress",
			filter: envoyFilter("targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}], ",
				"{applyTo: CLUSTER, match: {cluster: {name: BlackHoleCluster}}, patch: {operation: REMOVE}}"),
			see: list("CLUSTER"), want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.proxy == "" {
				tt.proxy = "server"
			}
			mesh := loadText(t, matchWorld+tt.filter)
			cfg := compiled(t, mesh, tt.proxy+".shop")
			if diff := cmp.Diff(tt.want, tt.see(t, cfg)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var rule string
			for _, f := range judged(mesh, cfg).Findings {
				rule = f.Rule
			}
			if rule != tt.rule {
				t.Errorf("finding %q, want %q", rule, tt.rule)
			}
		})
	}
}

// TestPatchOrder holds the order of EnvoyFilters: lower priorities first, then the root namespace's, then the oldest, then by name.
func TestPatchOrder(t *testing.T) {
	filter := func(name, namespace, age string, priority int) string {
		return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec:
  priority: %d
  configPatches:
  - {applyTo: CLUSTER, match: {cluster: {name: BlackHoleCluster}}, patch: {operation: MERGE, value: {typed_dns_resolver_config: {name: %s, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}, transport_socket_matches: [{name: %s, match: {}}]}}}
`, name, namespace, age, priority, name, name)
	}
	const old, young = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
	text := matchWorld +
		filter("late", "istio-system", old, 10) + filter("young", "shop", young, 0) + filter("b", "shop", old, 0) + filter("a", "shop", old, 0) +
		filter("root", "istio-system", young, 0) + filter("early", "shop", young, -10) + filter("elsewhere", "other", old, -20)
	cfg := compiled(t, loadText(t, text), "server.shop")
	for _, c := range cfg.Clusters {
		if c.GetName() != "BlackHoleCluster" {
			continue
		}
		var order []string
		for _, m := range c.GetTransportSocketMatches() {
			order = append(order, m.GetName())
		}
		if diff := cmp.Diff([]string{"early", "root", "a", "b", "young", "late"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if last := c.GetTypedDnsResolverConfig().GetName(); last != "late" {
			t.Errorf("the last word has %s", last)
		}
		return
	}
	t.Error("the cluster is gone")
}
