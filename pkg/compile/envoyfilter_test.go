package compile_test

import (
	"fmt"
	"strings"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/emit/canonical"
	"github.com/meshc/meshc/pkg/model"
)

// patchedWorld has one service with two workloads; client has none of its own.
const patchedWorld = `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  selector: {app: server}
  ports: [{name: http, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: server, namespace: shop}
spec:
  hosts: [server]
  http:
  - {name: api, match: [{uri: {prefix: /api}}], route: [{destination: {host: server}}]}
  - {name: rest, route: [{destination: {host: server}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: shop, labels: {app: server, security.istio.io/tlsMode: istio}, annotations: {sidecar.istio.io/status: "{}"}}
spec: {containers: [{name: app, image: app}, {name: istio-proxy, image: proxyv2}]}
status: {podIP: 10.244.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client, security.istio.io/tlsMode: istio}, annotations: {sidecar.istio.io/status: "{}"}}
spec: {containers: [{name: app, image: app}, {name: istio-proxy, image: proxyv2}]}
status: {podIP: 10.244.0.2, phase: Running}
`

// withPatch adds an EnvoyFilter for the server with one patch, given on one line.
func withPatch(patch string) string {
	return patchedWorld + `---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: patch, namespace: shop}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - ` + patch + "\n"
}

// sketch is a configuration in lines that a patch is likely to change.
func sketch(t *testing.T, cfg *compile.Configuration) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, l := range cfg.Listeners {
		say("listener %s buffer %d", l.GetName(), l.GetPerConnectionBufferLimitBytes().GetValue())
		for i, f := range l.GetListenerFilters() {
			say("%s listener filter %d %s", l.GetName(), i, f.GetName())
		}
		for i, c := range l.GetFilterChains() {
			say("%s chain %d timeout %ds", l.GetName(), i, c.GetTransportSocketConnectTimeout().GetSeconds())
			if c.GetFilterChainMatch().GetDestinationPort().GetValue() != 8080 {
				continue
			}
			for j, f := range c.GetFilters() {
				say("%s chain %d filter %d %s", l.GetName(), i, j, f.GetName())
				if m, err := cfg.Sources.Unpack(f.GetTypedConfig()); err == nil {
					if m, ok := m.(*hcmv3.HttpConnectionManager); ok {
						for k, h := range m.GetHttpFilters() {
							say("%s chain %d http filter %d %s", l.GetName(), i, k, h.GetName())
						}
					}
				}
			}
		}
	}
	for _, rc := range cfg.Routes {
		say("table %s headers %d", rc.GetName(), len(rc.GetRequestHeadersToAdd()))
		for _, h := range rc.GetVirtualHosts() {
			say("table %s host %s retries %v", rc.GetName(), h.GetName(), h.GetIncludeAttemptCountInResponse())
			for i, r := range h.GetRoutes() {
				say("%s route %d %s timeout %ds", h.GetName(), i, r.GetName(), r.GetRoute().GetTimeout().GetSeconds())
			}
		}
	}
	for _, c := range cfg.Clusters {
		say("cluster %s %s", c.GetName(), c.GetLbPolicy())
	}
	return out
}

// changes lists the lines that only one of the two has, in order.
func changes(before, after []string) []string {
	only := func(sign string, of, than []string) []string {
		have := map[string]bool{}
		for _, l := range than {
			have[l] = true
		}
		var out []string
		for _, l := range of {
			if !have[l] {
				out = append(out, sign+l)
			}
		}
		return out
	}
	return append(only("-", before, after), only("+", after, before)...)
}

// TestEnvoyFilter shows what each operation does to each kind of object.
func TestEnvoyFilter(t *testing.T) {
	const (
		chain  = "portNumber: 8080, filterChain: {transportProtocol: raw_buffer"
		http   = `{name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.cors}}`
		buffer = `{name: buffer, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 9}}`
		host   = "server.shop.svc.cluster.local:8080"
	)
	inListener := func(to, match, op string) string {
		return "{applyTo: " + to + ", match: {context: SIDECAR_INBOUND, listener: {" + match + "}}, patch: {operation: " + op + "}}"
	}
	inTable := func(to, match, op string) string {
		return "{applyTo: " + to + ", match: {context: SIDECAR_OUTBOUND, routeConfiguration: {" + match + "}}, patch: {operation: " + op + "}}"
	}
	before := sketch(t, compiled(t, loadText(t, patchedWorld), "server.shop"))
	for name, tt := range map[string]struct {
		patch string
		want  []string
	}{
		"listener merge": {inListener("LISTENER", "portNumber: 15006", "MERGE, value: {per_connection_buffer_limit_bytes: 7}"), []string{
			"-listener virtualInbound buffer 0", "+listener virtualInbound buffer 7"}},
		"listener of another port": {inListener("LISTENER", "portNumber: 8080", "MERGE, value: {per_connection_buffer_limit_bytes: 7}"), nil},
		"listener filter insert before": {inListener("LISTENER_FILTER", "name: virtualInbound, listenerFilter: envoy.filters.listener.tls_inspector",
			`INSERT_BEFORE, value: {name: peek, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}`), []string{
			"-virtualInbound listener filter 1 envoy.filters.listener.tls_inspector", "-virtualInbound listener filter 2 envoy.filters.listener.http_inspector",
			"+virtualInbound listener filter 1 peek", "+virtualInbound listener filter 2 envoy.filters.listener.tls_inspector",
			"+virtualInbound listener filter 3 envoy.filters.listener.http_inspector"}},
		"filter chain merge": {inListener("FILTER_CHAIN", chain+"}", "MERGE, value: {transport_socket_connect_timeout: 7s}"), []string{
			"-virtualInbound chain 7 timeout 0s", "+virtualInbound chain 7 timeout 7s"}},
		"http filter insert before": {inListener("HTTP_FILTER", chain+", filter: "+http+"}", "INSERT_BEFORE, value: "+buffer), []string{
			"-virtualInbound chain 7 http filter 3 envoy.filters.http.cors", "-virtualInbound chain 7 http filter 4 envoy.filters.http.router",
			"+virtualInbound chain 7 http filter 3 buffer", "+virtualInbound chain 7 http filter 4 envoy.filters.http.cors",
			"+virtualInbound chain 7 http filter 5 envoy.filters.http.router"}},
		"http filter insert after": {inListener("HTTP_FILTER", chain+", filter: "+http+"}", "INSERT_AFTER, value: "+buffer), []string{
			"-virtualInbound chain 7 http filter 4 envoy.filters.http.router",
			"+virtualInbound chain 7 http filter 4 buffer", "+virtualInbound chain 7 http filter 5 envoy.filters.http.router"}},
		"http filter replace": {inListener("HTTP_FILTER", chain+", filter: "+http+"}", "REPLACE, value: "+buffer), []string{
			"-virtualInbound chain 7 http filter 3 envoy.filters.http.cors", "+virtualInbound chain 7 http filter 3 buffer"}},
		"http filter remove": {inListener("HTTP_FILTER", chain+", filter: "+http+"}", "REMOVE"), []string{
			"-virtualInbound chain 7 http filter 3 envoy.filters.http.cors", "-virtualInbound chain 7 http filter 4 envoy.filters.http.router",
			"+virtualInbound chain 7 http filter 3 envoy.filters.http.router"}},
		"table merge": {inTable("ROUTE_CONFIGURATION", "name: '8080'", "MERGE, value: {request_headers_to_add: [{header: {key: x, value: one}}]}"), []string{
			"-table 8080 headers 0", "+table 8080 headers 1"}},
		"table of another port": {inTable("ROUTE_CONFIGURATION", "portNumber: 9", "MERGE, value: {request_headers_to_add: [{header: {key: x, value: one}}]}"), nil},
		"host merge leaves the shared catch-all": {inTable("VIRTUAL_HOST", "", "MERGE, value: {include_attempt_count_in_response: true}"), []string{
			"-table 8080 host " + host + " retries false", "+table 8080 host " + host + " retries true"}},
		"host remove": {inTable("VIRTUAL_HOST", "vhost: {domainName: server.shop}", "REMOVE"), []string{
			"-table 8080 host " + host + " retries false", "-" + host + " route 0 api timeout 0s", "-" + host + " route 1 rest timeout 0s"}},
		"route merge": {inTable("HTTP_ROUTE", "vhost: {route: {name: api}}", "MERGE, value: {route: {timeout: 9s}}"), []string{
			"-" + host + " route 0 api timeout 0s", "+" + host + " route 0 api timeout 9s"}},
		"route insert first": {inTable("HTTP_ROUTE", "vhost: {name: '"+host+"'}", "INSERT_FIRST, value: {name: health, match: {path: /}, direct_response: {status: 200}}"), []string{
			"-" + host + " route 0 api timeout 0s", "-" + host + " route 1 rest timeout 0s",
			"+" + host + " route 0 health timeout 0s", "+" + host + " route 1 api timeout 0s", "+" + host + " route 2 rest timeout 0s"}},
		"route remove": {inTable("HTTP_ROUTE", "vhost: {route: {name: rest}}", "REMOVE"), []string{"-" + host + " route 1 rest timeout 0s"}},
		"cluster merge": {"{applyTo: CLUSTER, match: {context: SIDECAR_INBOUND, cluster: {service: server.shop.svc.cluster.local}}, patch: {operation: MERGE, value: {lb_policy: RANDOM}}}", []string{
			"-cluster inbound|8080|| CLUSTER_PROVIDED", "+cluster inbound|8080|| RANDOM"}},
		"cluster remove": {"{applyTo: CLUSTER, match: {cluster: {name: PassthroughCluster}}, patch: {operation: REMOVE}}", []string{
			"-cluster PassthroughCluster CLUSTER_PROVIDED"}},
		"cluster add": {"{applyTo: CLUSTER, patch: {operation: ADD, value: {name: added, type: STATIC, connect_timeout: 1s}}}", []string{
			"+cluster added ROUND_ROBIN"}},
		"another version": {"{applyTo: CLUSTER, match: {proxy: {proxyVersion: '^1[.]2.*'}}, patch: {operation: ADD, value: {name: added, type: STATIC}}}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := loadText(t, withPatch(tt.patch))
			cfg := compiled(t, mesh, "server.shop")
			if diff := cmp.Diff(tt.want, changes(before, sketch(t, cfg))); diff != "" {
				t.Errorf("the changes differ (-want +got):\n%s", diff)
			}
			report := judged(mesh, cfg)
			if silent := len(report.Findings)+len(report.Undecided) == 0; silent != (tt.want != nil) {
				t.Errorf("%+v for a patch with %d changes", report, len(tt.want))
			}
			if err := emit.Validate(cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPatchStaysWithItsProxy holds that what is patched for one proxy is as before for another of the same mesh.
func TestPatchStaysWithItsProxy(t *testing.T) {
	client := func(text string, first ...string) string {
		mesh := loadText(t, text)
		compiler := compile.New(mesh, compile.Options{})
		for _, id := range append(first, "client.shop") {
			for _, p := range mesh.Proxies() {
				if p.ID() != id {
					continue
				}
				out, err := emit.Bootstrap(compiler.Compile(p))
				if err != nil {
					t.Fatal(err)
				}
				if id == "client.shop" {
					return string(out)
				}
			}
		}
		t.Fatal("there is no client")
		return ""
	}
	patched := withPatch("{applyTo: ROUTE_CONFIGURATION, patch: {operation: MERGE, value: {max_direct_response_body_size_bytes: 1}}}")
	if diff := cmp.Diff(client(patchedWorld), client(patched, "server.shop")); diff != "" {
		t.Errorf("the client differs (-unpatched +patched):\n%s", diff)
	}
}

// TestInvalidPatches shows what is said of patches that cannot be applied, and that they are not.
func TestInvalidPatches(t *testing.T) {
	before := sketch(t, compiled(t, loadText(t, patchedWorld), "server.shop"))
	for name, tt := range map[string]struct{ patch, want string }{
		"wrong kind of value": {"{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND}, patch: {operation: MERGE, value: {connect_timeout: soon}}}", "envoyfilter/invalid-patch error"},
		"breaks a rule":       {"{applyTo: CLUSTER, match: {cluster: {name: PassthroughCluster}}, patch: {operation: MERGE, value: {connect_timeout: -1s}}}", "envoyfilter/invalid-patch error"},
		"unknown field":       {"{applyTo: LISTENER, match: {context: SIDECAR_INBOUND}, patch: {operation: MERGE, value: {colour: blue}}}", "envoyfilter/invalid-patch warning"},
		"matches nothing":     {"{applyTo: CLUSTER, match: {cluster: {name: none}}, patch: {operation: REMOVE}}", "envoyfilter/matched-nothing warning"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := loadText(t, withPatch(tt.patch))
			cfg := compiled(t, mesh, "server.shop")
			var got []string
			for _, f := range judged(mesh, cfg).Findings {
				got = append(got, f.Rule+" "+string(f.Severity))
				if f.Location.Line == 0 || !strings.HasPrefix(f.Path, "spec.configPatches[0]") {
					t.Errorf("the finding stands nowhere: %+v", f)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, sketch(t, cfg)); diff != "" {
				t.Errorf("the configuration differs (-unpatched +patched):\n%s", diff)
			}
		})
	}
}

// TestPatchesAreRemembered holds that a patched message knows the patch and what it changed.
func TestPatchesAreRemembered(t *testing.T) {
	cfg := compiled(t, loadText(t, withPatch("{applyTo: CLUSTER, match: {cluster: {name: inbound|8080||}}, patch: {operation: MERGE, value: {lb_policy: RANDOM}}}")), "server.shop")
	for _, c := range cfg.Clusters {
		if c.GetName() != "inbound|8080||" {
			continue
		}
		list := cfg.Sources.Changes(c)
		if len(list) != 1 {
			t.Fatalf("%d changes are known, want 1", len(list))
		}
		text, err := canonical.Marshal(list[0].Before, canonical.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := list[0].Operation + " by " + list[0].By.Path + ", before: " + strings.Join(strings.Fields(string(text)), "")
		if diff := cmp.Diff(`MERGE by spec.configPatches[0], before: {"lb_policy":"CLUSTER_PROVIDED"}`, got); diff != "" {
			t.Errorf("the change differs (-want +got):\n%s", diff)
		}
		return
	}
	t.Error("the cluster is gone")
}

// judged is what is said of the patches of a mesh in which one proxy was compiled.
func judged(mesh *model.Mesh, cfg *compile.Configuration) compile.PatchReport {
	return compile.New(mesh, compile.Options{Target: compile.IstioProxy}).JudgePatches(nil, cfg.Patches)
}
