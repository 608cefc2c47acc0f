package compile_test

import (
	"path/filepath"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// telemetryWorld lays a case over the world that all share.
func telemetryWorld(t *testing.T, name string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{}, "testdata/telemetry/world.yaml", filepath.Join("testdata", "telemetry", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("%s: %s", f.Rule, f.Message)
	}
	return mesh
}

// TestTelemetryGolden shows, for each provider, what watches a sidecar's traffic: logs, tracers and statistics of an HTTP port each way, of
// TCP, and of a listener.
func TestTelemetryGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/telemetry/*-*.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, path := range append(cases, "testdata/telemetry/metrics.yaml") {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			mesh := telemetryWorld(t, name+".yaml")
			targets := []compile.Target{compile.Envoy}
			if name == "metrics" || name == "tracing-opentelemetry-http" {
				targets = append(targets, compile.IstioProxy)
			}
			for _, target := range targets {
				cfg := compile.Compile(mesh, proxyOf(t, mesh, "web.shop"), compile.Options{Target: target})
				if target == compile.Envoy {
					if err := emit.Validate(cfg); err != nil {
						t.Error(err)
					}
				}
				golden.Compare(t, "telemetry/"+name+"."+string(target)+".json", marshal(t, cfg, watchers(t, cfg, strings.HasPrefix(name, "tracing"))...))
			}
		})
	}
}

// watchers returns connection managers, TCP proxies and listeners with no more in them than what watches traffic.
func watchers(t *testing.T, cfg *compile.Configuration, tracing bool) []proto.Message {
	t.Helper()
	var out []proto.Message
	for _, l := range cfg.Listeners {
		if len(l.AccessLog) > 0 {
			out = append(out, &listenerv3.Listener{Name: l.Name, AccessLog: l.AccessLog})
		}
		if l.Name != "0.0.0.0_80" && l.Name != "virtualInbound" {
			continue
		}
		for _, chain := range l.FilterChains {
			if chain.FilterChainMatch.GetTransportProtocol() == "tls" {
				continue
			}
			if port := chain.FilterChainMatch.GetDestinationPort().GetValue(); l.Name == "virtualInbound" && port != 8080 && port != 9000 {
				continue
			}
			out = append(out, chainWatchers(t, cfg, chain, tracing)...)
		}
	}
	return out
}

func chainWatchers(t *testing.T, cfg *compile.Configuration, chain *listenerv3.FilterChain, tracing bool) []proto.Message {
	t.Helper()
	var out []proto.Message
	for _, f := range chain.Filters {
		config, err := cfg.Sources.Unpack(f.GetTypedConfig())
		if err != nil {
			t.Fatal(err)
		}
		switch config := config.(type) {
		case *hcmv3.HttpConnectionManager:
			short := &hcmv3.HttpConnectionManager{StatPrefix: config.StatPrefix, AccessLog: config.AccessLog}
			if tracing {
				short.Tracing, short.RequestIdExtension = config.Tracing, config.RequestIdExtension
			}
			for _, h := range config.HttpFilters {
				if h.Name == "istio.stats" {
					short.HttpFilters = append(short.HttpFilters, h)
				}
			}
			out = append(out, short)
		case *tcpv3.TcpProxy:
			out = append(out, &tcpv3.TcpProxy{StatPrefix: config.StatPrefix, AccessLog: config.AccessLog})
		default:
			if f.Name == "istio.stats" {
				out = append(out, f)
			}
		}
	}
	return out
}

// TestTelemetryGaps: whatever a Telemetry asks for and does not get is told, at the place that asks.
func TestTelemetryGaps(t *testing.T) {
	mesh := telemetryWorld(t, "gaps.yml")
	var got []string
	for _, f := range compile.NotCompiled(mesh, compile.Envoy) {
		got = append(got, f.Path+": "+f.Message)
	}
	want := []string{
		`extensionProviders[1]: provider "env": header x-key is sent empty: its value is that of istiod's own variable KEY`,
		`spec.tracing[0].providers: of several tracing providers "lost" alone gets the spans, as in istiod`,
		`spec.tracing[0].providers[0]: tracing by provider "lost" is not compiled: the input holds no service zipkin.nowhere.svc.cluster.local`,
		`spec.metrics: metrics are compiled with --target istio-proxy alone: they are counted by the filter istio.stats, which stock Envoy lacks`,
		`spec.metrics[0].providers[0]: provider "env" is of a kind that metrics does nothing with`,
		`spec.accessLogging[0].providers[0]: MeshConfig has no extension provider "unknown": accessLogging does nothing with it; add it to meshConfig.extensionProviders`,
		`spec.accessLogging[0].providers[1]: accessLogging by provider "deaf" is not compiled for stock Envoy: service collector.obs.svc.cluster.local has no port 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	for target, wantLogs := range map[compile.Target]int{compile.Envoy: 0, compile.IstioProxy: 1} {
		cfg := compile.Compile(mesh, proxyOf(t, mesh, "web.shop"), compile.Options{Target: target})
		for _, l := range cfg.Listeners {
			if l.Name == "virtualInbound" && len(l.AccessLog) != wantLogs {
				t.Errorf("%s: %d logs for a service without the port", target, len(l.AccessLog))
			}
		}
	}
}
