package emit_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	networkingv1beta1 "istio.io/api/networking/v1beta1"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
)

// TestBootstrapOfProxyConfig: what a ProxyConfig says stands at these places, and a private key at none.
func TestBootstrapOfProxyConfig(t *testing.T) {
	const layer = "/layered_runtime/layers/0/static_layer"
	keepalive := &networking.ConnectionPoolSettings_TCPSettings_TcpKeepalive{Probes: 3, Time: durationpb.New(time.Minute)}
	for name, test := range map[string]struct {
		config *meshconfig.ProxyConfig
		want   map[string]string
	}{
		"none": {nil, map[string]string{
			"/node/metadata/PROXY_CONFIG": "nothing", "/admin/address/socket_address/port_value": "15000",
			layer: `{"envoy.reloadable_features.http_reject_path_with_fragment":false,"re2.max_program_size.error_level":32768}`,
		}},
		"threads and image": {
			&meshconfig.ProxyConfig{Concurrency: wrapperspb.Int32(2), Image: &networkingv1beta1.ProxyImage{ImageType: "distroless"}},
			map[string]string{"/node/metadata/PROXY_CONFIG": `{"concurrency":2,"image":{"imageType":"distroless"}}`},
		},
		"environment": {
			&meshconfig.ProxyConfig{ProxyMetadata: map[string]string{"ISTIO_META_DNS_CAPTURE": "true", "LOG": "debug", "KEY": "-----BEGIN PRIVATE KEY-----"}},
			map[string]string{
				"/node/metadata/DNS_CAPTURE":  `"true"`,
				"/node/metadata/PROXY_CONFIG": `{"proxyMetadata":{"ISTIO_META_DNS_CAPTURE":"true","LOG":"debug"}}`,
			},
		},
		"runtime": {
			&meshconfig.ProxyConfig{RuntimeValues: map[string]string{
				"re2.max_program_size.error_level": "", "envoy.reloadable_features.http_reject_path_with_fragment": "true", "own.limit": "7",
			}},
			map[string]string{layer: `{"envoy.reloadable_features.http_reject_path_with_fragment":true,"own.limit":"7"}`},
		},
		"admin port": {&meshconfig.ProxyConfig{ProxyAdminPort: 15005}, map[string]string{
			"/admin/address/socket_address/port_value": "15005",
			"/static_resources/clusters/prometheus_stats/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address": `{"address":"127.0.0.1","port_value":15005}`,
		}},
		"keepalive": {&meshconfig.ProxyConfig{EnvoyMetricsService: &meshconfig.RemoteService{Address: "ms.obs:9001", TcpKeepalive: keepalive}}, map[string]string{
			"/static_resources/clusters/envoy_metrics_service/upstream_connection_options": `{"tcp_keepalive":{"keepalive_probes":3,"keepalive_time":60}}`,
			"/static_resources/clusters/envoy_metrics_service/alt_stat_name":               `"envoy_metrics_service;"`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := world{}.configuration(t, "productpage-v1")
			cfg.ProxyConfig = test.config
			got := map[string]string{}
			root := decoded(t, cfg)
			for pointer := range test.want {
				got[pointer] = at(t, root, pointer)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the bootstrap differs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAdminListeners: Prometheus and probes are answered on the addresses of the proxy's family, unless something else is at the port; Istio's
// proxies bring these listeners along.
func TestAdminListeners(t *testing.T) {
	own := func(cfg *compile.Configuration, name string, port uint32) {
		cfg.Listeners = append(cfg.Listeners, &listenerv3.Listener{Name: name, Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "0.0.0.0", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
		}}})
	}
	for name, test := range map[string]struct {
		change func(*compile.Configuration)
		want   string
	}{
		"stock Envoy":                    {func(*compile.Configuration) {}, "0.0.0.0_15090 0.0.0.0_15021 to 127.0.0.1"},
		"Istio's proxy":                  {func(c *compile.Configuration) { c.Target = compile.IstioProxy }, ""},
		"IPv6":                           {func(c *compile.Configuration) { c.Proxy.IP = "fd00::7" }, "::_15090 ::_15021 to ::1"},
		"a gateway's server at the port": {func(c *compile.Configuration) { own(c, "probes", 15021) }, "0.0.0.0_15090 to 127.0.0.1"},
		"both ports taken":               {func(c *compile.Configuration) { own(c, "a", 15021); own(c, "b", 15090) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := world{}.configuration(t, "productpage-v1")
			test.change(cfg)
			root := decoded(t, cfg)
			var got []string
			for _, l := range root["static_resources"].(map[string]any)["listeners"].([]any) {
				if name, _ := l.(map[string]any)["name"].(string); strings.HasSuffix(name, "_15090") || strings.HasSuffix(name, "_15021") {
					got = append(got, name)
				}
			}
			const admin = "/static_resources/clusters/prometheus_stats"
			if at(t, root, admin+"/name") != "nothing" {
				got = append(got, "to", strings.Trim(at(t, root, admin+"/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address"), `"`))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("listeners differ (-want +got):\n%s", diff)
			}
		})
	}
}

// decoded is the configuration's bootstrap, decoded.
func decoded(t *testing.T, cfg *compile.Configuration) map[string]any {
	t.Helper()
	text, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// at is the value at a JSON pointer, whose steps through lists are positions or names, as compact JSON; "nothing" where there is none.
func at(t *testing.T, root any, pointer string) string {
	t.Helper()
	v := root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			v = nil
			for i, item := range in {
				if m, ok := item.(map[string]any); strconv.Itoa(i) == step || ok && m["name"] == step {
					v = item
				}
			}
		}
		if v == nil {
			return "nothing"
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", pointer, err))
	}
	return string(text)
}
