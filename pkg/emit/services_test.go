package emit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/emit"
)

// TestBootstrapServices: what ProxyConfig names by address has a cluster of its own, and is told to whoever sends to it.
func TestBootstrapServices(t *testing.T) {
	remote := func(address string) *meshconfig.RemoteService {
		return &meshconfig.RemoteService{Address: address, TlsSettings: &networking.ClientTLSSettings{
			Mode: networking.ClientTLSSettings_MUTUAL, ClientCertificate: "/c.pem", PrivateKey: "/k.pem", CaCertificates: "/ca.pem",
			Sni: "als", SubjectAltNames: []string{"als.obs", "spiffe://cluster.local/ns/obs/sa/als"},
		}}
	}
	zipkin := func(address string) *meshconfig.Tracing {
		return &meshconfig.Tracing{Tracer: &meshconfig.Tracing_Zipkin_{Zipkin: &meshconfig.Tracing_Zipkin{Address: address}}}
	}
	for name, test := range map[string]struct {
		config *meshconfig.ProxyConfig
		want   string
	}{
		"none": {nil, ""},
		"zipkin": {&meshconfig.ProxyConfig{Tracing: zipkin("jaeger-collector.observability:9411")},
			"tracer envoy.tracers.zipkin to zipkin; zipkin STRICT_DNS jaeger-collector.observability:9411"},
		"no port": {&meshconfig.ProxyConfig{Tracing: zipkin("jaeger-collector.observability")}, ""},
		"datadog": {&meshconfig.ProxyConfig{Tracing: &meshconfig.Tracing{
			Tracer: &meshconfig.Tracing_Datadog_{Datadog: &meshconfig.Tracing_Datadog{Address: "datadog.obs:8126"}},
		}}, "tracer envoy.tracers.datadog to datadog_agent; datadog_agent STRICT_DNS datadog.obs:8126"},
		"access log service": {&meshconfig.ProxyConfig{EnvoyAccessLogService: remote("als.obs:15000")},
			"envoy_accesslog_service STRICT_DNS als.obs:15000 HTTP/2 TLS als"},
		"metrics service": {&meshconfig.ProxyConfig{EnvoyMetricsService: &meshconfig.RemoteService{Address: "ms.obs:9001"}},
			"sink envoy.stat_sinks.metrics_service; envoy_metrics_service STRICT_DNS ms.obs:9001 HTTP/2"},
		"statsd": {&meshconfig.ProxyConfig{StatsdUdpAddress: "10.0.0.9:8125"}, "sink envoy.stat_sinks.statsd"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := world{}.configuration(t, "productpage-v1")
			cfg.ProxyConfig = test.config
			text, err := emit.Bootstrap(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, services(t, text)); diff != "" {
				t.Errorf("services differ (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

// services tells a bootstrap's tracer, sinks of statistics, and the clusters found by name.
func services(t *testing.T, text []byte) string {
	t.Helper()
	var b struct {
		Tracing struct {
			HTTP struct {
				Name   string
				Config map[string]any `json:"typed_config"`
			}
		}
		Sinks  []struct{ Name string } `json:"stats_sinks"`
		Static struct {
			Clusters []struct {
				Name, Type string
				Load       struct {
					Endpoints []struct {
						LB []struct {
							Endpoint struct {
								Address struct {
									Socket struct {
										Address string
										Port    int `json:"port_value"`
									} `json:"socket_address"`
								}
							}
						} `json:"lb_endpoints"`
					}
				} `json:"load_assignment"`
				Options map[string]any `json:"typed_extension_protocol_options"`
				Socket  struct {
					Config struct{ SNI string } `json:"typed_config"`
				} `json:"transport_socket"`
			}
		} `json:"static_resources"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	var parts []string
	if tracer := b.Tracing.HTTP; tracer.Name != "" {
		parts = append(parts, fmt.Sprintf("tracer %s to %v", tracer.Name, tracer.Config["collector_cluster"]))
	}
	for _, s := range b.Sinks {
		parts = append(parts, "sink "+s.Name)
	}
	for _, c := range b.Static.Clusters {
		if c.Type != "STRICT_DNS" || strings.Contains(c.Name, "|") {
			continue
		}
		at := c.Load.Endpoints[0].LB[0].Endpoint.Address.Socket
		part := fmt.Sprintf("%s %s %s:%d", c.Name, c.Type, at.Address, at.Port)
		if c.Options != nil {
			part += " HTTP/2"
		}
		if sni := c.Socket.Config.SNI; sni != "" {
			part += " TLS " + sni
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
