package compile_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	filev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// ownServices select the proxy of the tests: HTTP, TCP and a port of which nothing is said.
const ownServices = `
apiVersion: v1
kind: Service
metadata: {name: client, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  selector: {app: client}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: tcp, port: 9000}
  - {name: unnamed, port: 9001}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: also, namespace: shop}
spec:
  hosts: [a.client.example]
  ports: [{number: 8080, name: tcp, protocol: TCP}]
  resolution: STATIC
  workloadSelector: {labels: {app: client}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: client, namespace: shop}
spec: {address: 10.244.0.9, labels: {app: client}}
---
`

func peers(spec string) string {
	return ownServices + `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: client, namespace: shop}
spec:
  selector: {matchLabels: {app: client}}
` + spec
}

func TestInboundChains(t *testing.T) {
	virtual := []string{"virtualInbound"}
	testListeners(t, []listenerCase{
		{
			name: "PERMISSIVE: the mesh's mTLS, other TLS and plaintext", listeners: virtual, world: ownServices,
			want: `
virtualInbound bound original_dst tls_inspector(not 15006) http_inspector(not 8080,9000,15006)
  15006 -> BlackHoleCluster
  tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http InboundPassthroughCluster as :0/*
  raw_buffer alpn http/1.1,h2c -> http InboundPassthroughCluster as :0/*
  tls alpn istio-peer-exchange,istio mTLS as istio-peer-exchange,h2,http/1.1 -> InboundPassthroughCluster
  raw_buffer -> InboundPassthroughCluster
  tls -> InboundPassthroughCluster
  8080 tls alpn istio,istio-peer-exchange,istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http inbound|8080|| as client.shop.svc.cluster.local:80/*
  8080 raw_buffer -> http inbound|8080|| as client.shop.svc.cluster.local:80/*
  9000 tls alpn istio,istio-peer-exchange,istio-http/1.0,istio-http/1.1,istio-h2 mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|9000||
  9000 tls -> inbound|9000||
  9000 raw_buffer -> inbound|9000||
  9001 tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http inbound|9001|| as client.shop.svc.cluster.local:9001/*
  9001 raw_buffer alpn http/1.1,h2c -> http inbound|9001|| as client.shop.svc.cluster.local:9001/*
  9001 tls alpn istio-peer-exchange,istio mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|9001||
  9001 raw_buffer -> inbound|9001||
  9001 tls -> inbound|9001||
`,
		},
		{
			name: "STRICT: the mesh's mTLS alone", listeners: virtual, world: peers("  mtls: {mode: STRICT}"),
			want: `
virtualInbound bound original_dst tls_inspector(not 15006)
  15006 -> BlackHoleCluster
  tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http InboundPassthroughCluster as :0/*
  tls mTLS as istio-peer-exchange,h2,http/1.1 -> InboundPassthroughCluster
  8080 tls mTLS as h2,http/1.1 -> http inbound|8080|| as client.shop.svc.cluster.local:80/*
  9000 tls mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|9000||
  9001 tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http inbound|9001|| as client.shop.svc.cluster.local:9001/*
  9001 tls mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|9001||
`,
		},
		{
			name: "DISABLE: plaintext alone", listeners: virtual, world: peers("  mtls: {mode: DISABLE}"),
			want: `
virtualInbound bound original_dst http_inspector(not 8080,9000,15006)
  15006 -> BlackHoleCluster
  raw_buffer alpn http/1.1,h2c -> http InboundPassthroughCluster as :0/*
  raw_buffer -> InboundPassthroughCluster
  8080 raw_buffer -> http inbound|8080|| as client.shop.svc.cluster.local:80/*
  9000 raw_buffer -> inbound|9000||
  9001 raw_buffer alpn http/1.1,h2c -> http inbound|9001|| as client.shop.svc.cluster.local:9001/*
  9001 raw_buffer -> inbound|9001||
`,
		},
		{
			name: "modes of ports, also of ports that no service has", listeners: virtual,
			world: peers("  mtls: {mode: STRICT}\n  portLevelMtls: {9000: {mode: DISABLE}, 9999: {mode: DISABLE}}"),
			want: `
virtualInbound bound original_dst tls_inspector(not 9000,9999,15006) http_inspector(not 0,8080,9000,9001,15006)
  15006 -> BlackHoleCluster
  tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http InboundPassthroughCluster as :0/*
  tls mTLS as istio-peer-exchange,h2,http/1.1 -> InboundPassthroughCluster
  9999 raw_buffer alpn http/1.1,h2c -> http InboundPassthroughCluster as :0/*
  9999 raw_buffer -> InboundPassthroughCluster
  8080 tls mTLS as h2,http/1.1 -> http inbound|8080|| as client.shop.svc.cluster.local:80/*
  9000 raw_buffer -> inbound|9000||
  9001 tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http inbound|9001|| as client.shop.svc.cluster.local:9001/*
  9001 tls mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|9001||
`,
		},
		{
			name: "a Sidecar's ingress listeners stand in for services", listeners: []string{"virtualInbound", "10.244.0.9_7000", "127.0.0.1_7001"},
			world: peers("  mtls: {mode: STRICT}") + `
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
  workloadSelector: {labels: {app: client}}
  ingress:
  - port: {number: 9080, protocol: HTTP, name: in}
    defaultEndpoint: 127.0.0.1:8080
  - port: {number: 7000, protocol: TCP, name: tcp}
    captureMode: NONE
    defaultEndpoint: 127.0.0.1:17000
  - port: {number: 7001, protocol: GRPC, name: grpc}
    bind: 127.0.0.1
    captureMode: NONE
    defaultEndpoint: 127.0.0.1:17001
`,
			want: `
10.244.0.9_7000 bound tls_inspector(only 7000)
  7000 tls mTLS as istio-peer-exchange,h2,http/1.1 -> inbound|7000|| by shop/sidecar/own
127.0.0.1_7001 bound tls_inspector(only 7001)
  7001 tls mTLS as h2,http/1.1 -> http inbound|7001|| as own.shop:7001/* by shop/sidecar/own
virtualInbound bound original_dst tls_inspector(not 15006)
  15006 -> BlackHoleCluster
  tls alpn istio-http/1.0,istio-http/1.1,istio-h2 mTLS as h2,http/1.1 -> http InboundPassthroughCluster as :0/*
  tls mTLS as istio-peer-exchange,h2,http/1.1 -> InboundPassthroughCluster
  9080 tls mTLS as h2,http/1.1 -> http inbound|9080|| as own.shop:9080/* by shop/sidecar/own
`,
		},
	})
}

// meshConfig is the ConfigMap `istio` with the settings.
func meshConfig(settings string) string {
	return `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
` + "    " + strings.ReplaceAll(strings.TrimSpace(settings), "\n", "\n    ") + "\n---\n"
}

// listenerNamed compiles the sidecar and returns one of its listeners.
func listenerNamed(t *testing.T, world, name string, opts compile.Options) (*compile.Configuration, *listenerv3.Listener) {
	t.Helper()
	cfg := compile.Compile(loadText(t, world), sidecar(), opts)
	for _, l := range cfg.Listeners {
		if l.GetName() == name {
			return cfg, l
		}
	}
	t.Fatalf("no listener %s", name)
	return nil, nil
}

// managers returns the HTTP connection managers of a listener, by the names of their chains.
func managers(t *testing.T, cfg *compile.Configuration, l *listenerv3.Listener) []*hcmv3.HttpConnectionManager {
	t.Helper()
	var out []*hcmv3.HttpConnectionManager
	for _, c := range l.GetFilterChains() {
		for _, f := range c.GetFilters() {
			if f.GetName() == "envoy.filters.network.http_connection_manager" {
				out = append(out, unpack[*hcmv3.HttpConnectionManager](t, cfg, f.GetTypedConfig()))
			}
		}
	}
	return out
}

func TestInterception(t *testing.T) {
	for _, tt := range []struct {
		mode string
		want []string
	}{
		{"REDIRECT", []string{"0.0.0.0_80", "10.96.0.1_9000", "10.96.0.1_9001", "virtualInbound", "virtualOutbound"}},
		{"TPROXY", []string{"0.0.0.0_80", "10.96.0.1_9000", "10.96.0.1_9001", "virtualInbound", "virtualOutbound"}},
		{"NONE", []string{"127.0.0.1_80", "127.0.0.1_9000", "127.0.0.1_9001"}},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			p := sidecar()
			p.Annotations = map[string]string{"sidecar.istio.io/interceptionMode": tt.mode}
			world := strings.Split(ownServices, "---")[0]
			cfg := compile.Compile(loadText(t, world), p, compile.Options{Target: compile.IstioProxy})
			var names []string
			for _, l := range cfg.Listeners {
				names = append(names, l.GetName())
				virtual := strings.HasPrefix(l.GetName(), "virtual")
				if want := tt.mode == "TPROXY" && virtual; l.GetTransparent().GetValue() != want {
					t.Errorf("%s: transparent is %t, want %t", l.GetName(), !want, want)
				}
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("listeners differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIngressWithoutInterception: where nothing is redirected, a listener that waits for redirected connections is none.
func TestIngressWithoutInterception(t *testing.T) {
	const world = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
  ingress:
  - {port: {number: 9002, name: http, protocol: HTTP}, bind: 10.244.0.9, defaultEndpoint: "127.0.0.1:80"}
  - {port: {number: 9003, name: http, protocol: HTTP}, bind: 10.244.0.9, defaultEndpoint: "127.0.0.1:80", captureMode: IPTABLES}
  - {port: {number: 9004, name: http, protocol: HTTP}, bind: 10.244.0.9, defaultEndpoint: "127.0.0.1:80", captureMode: NONE}
`
	p := sidecar()
	p.Annotations = map[string]string{"sidecar.istio.io/interceptionMode": "NONE"}
	var names []string
	for _, l := range compile.Compile(loadText(t, world), p, compile.Options{Target: compile.IstioProxy}).Listeners {
		names = append(names, l.GetName())
	}
	if diff := cmp.Diff([]string{"10.244.0.9_9002", "10.244.0.9_9004"}, names); diff != "" {
		t.Errorf("listeners differ (-want +got):\n%s", diff)
	}
}

func TestMeshSettingsOfListeners(t *testing.T) {
	const services = ownServices
	istio := compile.Options{Target: compile.IstioProxy}

	t.Run("detection", func(t *testing.T) {
		world := meshConfig("protocolDetectionTimeout: 100ms") + services
		for name, want := range map[string]time.Duration{"virtualInbound": 100 * time.Millisecond, "0.0.0.0_80": 100 * time.Millisecond, "10.96.0.1_9000": 0} {
			if _, l := listenerNamed(t, world, name, istio); l.GetListenerFiltersTimeout().AsDuration() != want {
				t.Errorf("%s waits %s, want %s", name, l.GetListenerFiltersTimeout().AsDuration(), want)
			}
		}
	})

	t.Run("paths", func(t *testing.T) {
		for setting, want := range map[string]string{
			"DEFAULT":                  "true false KEEP_UNCHANGED",
			"BASE":                     "true false KEEP_UNCHANGED",
			"NONE":                     "false false KEEP_UNCHANGED",
			"MERGE_SLASHES":            "true true KEEP_UNCHANGED",
			"DECODE_AND_MERGE_SLASHES": "true true UNESCAPE_AND_FORWARD",
		} {
			cfg, l := listenerNamed(t, meshConfig("pathNormalization: {normalization: "+setting+"}")+services, "0.0.0.0_80", istio)
			m := managers(t, cfg, l)[0]
			got := strings.Join([]string{
				boolString(m.GetNormalizePath().GetValue()), boolString(m.GetMergeSlashes()), m.GetPathWithEscapedSlashesAction().String(),
			}, " ")
			if got != want {
				t.Errorf("%s: %s, want %s", setting, got, want)
			}
		}
	})

	t.Run("trust domains", func(t *testing.T) {
		world := meshConfig("trustDomain: corp.example\ntrustDomainAliases: [old.example, corp.example]\nmeshMTLS: {minProtocolVersion: TLSV1_3}") + services
		cfg, l := listenerNamed(t, world, "virtualInbound", istio)
		for _, c := range l.GetFilterChains() {
			if c.GetTransportSocket() == nil {
				continue
			}
			common := unpack[*tlsv3.DownstreamTlsContext](t, cfg, c.GetTransportSocket().GetTypedConfig()).GetCommonTlsContext()
			var names []string
			//lint:ignore SA1019 the field that istiod writes
			for _, m := range common.GetCombinedValidationContext().GetDefaultValidationContext().GetMatchSubjectAltNames() {
				names = append(names, m.GetPrefix())
			}
			if diff := cmp.Diff([]string{"spiffe://corp.example/", "spiffe://old.example/"}, names); diff != "" {
				t.Errorf("%s: names differ (-want +got):\n%s", c.GetName(), diff)
			}
			if v := common.GetTlsParams().GetTlsMinimumProtocolVersion(); v != tlsv3.TlsParameters_TLSv1_3 {
				t.Errorf("%s: at least %s", c.GetName(), v)
			}
		}
	})

	t.Run("statistics", func(t *testing.T) {
		world := meshConfig(`outboundClusterStatName: "%SERVICE_FQDN%_%SERVICE_PORT%"`) + services
		testListeners(t, []listenerCase{{
			name: "outbound", listeners: []string{"10.96.0.1_9000"}, world: world,
			want: "\n10.96.0.1_9000\n  any -> outbound|9000||client.shop.svc.cluster.local stat client.shop.svc.cluster.local_9000\n",
		}})
		const ingress = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec: {ingress: [{port: {number: 9002, name: own, protocol: TCP}, defaultEndpoint: "127.0.0.1:9002"}]}
`
		for _, tt := range []struct{ pattern, more, want string }{
			{"%SERVICE%_%SERVICE_PORT_NAME%", "", "9000 tls -> inbound|9000|| stat client.shop_tcp"},
			{"%SERVICE%_%SERVICE_PORT_NAME%", ingress, "9002 tls -> inbound|9002|| stat own.shop_own by shop/sidecar/own"},
			{"in_%SERVICE_PORT%", "", "tls -> InboundPassthroughCluster stat in_0"},
			{"%SERVICE_FQDN%", "", "tls -> InboundPassthroughCluster"},
		} {
			cfg, l := listenerNamed(t, meshConfig(`inboundClusterStatName: "`+tt.pattern+`"`)+services+tt.more, "virtualInbound", istio)
			if text := summarizeListener(t, cfg, l); !strings.Contains(text, tt.want+"\n") {
				t.Errorf("inbound statistics are not named by the pattern: no %q in\n%s", tt.want, text)
			}
		}
	})

	t.Run("forward proxy", func(t *testing.T) {
		testListeners(t, []listenerCase{{
			name: "listener", listeners: []string{"127.0.0.1_3128"}, world: meshConfig("proxyHttpPort: 3128") + services,
			want: "\n127.0.0.1_3128 bound\n  any -> routes http_proxy\n",
		}})
	})
}

func boolString(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func TestProxyHeaders(t *testing.T) {
	headers := func(settings string) string {
		return meshConfig("defaultConfig: {proxyHeaders: "+settings+"}") + ownServices
	}
	const envoy, istio = compile.Envoy, compile.IstioProxy
	for _, tt := range []struct {
		name, settings string
		listener       string
		target         compile.Target
		show           func(t *testing.T, cfg *compile.Configuration, m *hcmv3.HttpConnectionManager) string
		want           string
	}{
		{
			"the server's name", "{server: {value: shop}}", "0.0.0.0_80", envoy,
			func(_ *testing.T, _ *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				return m.GetServerName()
			}, "shop",
		},
		{
			"no server's name", "{server: {disabled: true}}", "virtualInbound", envoy,
			func(_ *testing.T, _ *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				return m.GetServerHeaderTransformation().String() + m.GetServerName()
			}, "PASS_THROUGH",
		},
		{
			"no request id", "{requestId: {disabled: true}}", "0.0.0.0_80", envoy,
			func(_ *testing.T, _ *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				return boolString(m.GetGenerateRequestId() == nil || m.GetGenerateRequestId().GetValue())
			}, "false",
		},
		{
			"the client's certificate", "{forwardedClientCert: SANITIZE, setCurrentClientCertDetails: {subject: false, cert: true}}", "virtualInbound", envoy,
			func(_ *testing.T, _ *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				d := m.GetSetCurrentClientCertDetails()
				return strings.Join([]string{
					m.GetForwardClientCertDetails().String(), boolString(d.GetSubject().GetValue()), boolString(d.GetCert()), boolString(d.GetUri()),
				}, " ")
			}, "SANITIZE false true true",
		},
		{
			"no debug headers", "{envoyDebugHeaders: {disabled: true}}", "0.0.0.0_80", envoy,
			func(t *testing.T, cfg *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				filters := m.GetHttpFilters()
				return boolString(unpack[*routerv3.Router](t, cfg, filters[len(filters)-1].GetTypedConfig()).GetSuppressEnvoyHeaders())
			}, "true",
		},
		{
			"the case of headers", "{preserveHttp1HeaderCase: true}", "0.0.0.0_80", envoy,
			func(_ *testing.T, _ *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				return m.GetHttpProtocolOptions().GetHeaderKeyFormat().GetStatefulFormatter().GetName()
			}, "preserve_case",
		},
		{
			"peer metadata within the mesh", "{metadataExchangeHeaders: {mode: IN_MESH}}", "0.0.0.0_80", istio,
			func(t *testing.T, cfg *compile.Configuration, m *hcmv3.HttpConnectionManager) string {
				config := unpack[*udpa.TypedStruct](t, cfg, m.GetHttpFilters()[0].GetTypedConfig())
				method := config.GetValue().GetFields()["upstream_propagation"].GetListValue().GetValues()[0].GetStructValue()
				return boolString(method.GetFields()["istio_headers"].GetStructValue().GetFields()["skip_external_clusters"].GetBoolValue())
			}, "true",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, l := listenerNamed(t, headers(tt.settings), tt.listener, compile.Options{Target: tt.target})
			for _, m := range managers(t, cfg, l) {
				if got := tt.show(t, cfg, m); got != tt.want {
					t.Errorf("%s: %q, want %q", m.GetStatPrefix(), got, tt.want)
				}
			}
		})
	}
}

// TestCertificateOfGatewayClients: a gateway writes all that it knows of a client's certificate, and nothing in the modes that set no header.
func TestCertificateOfGatewayClients(t *testing.T) {
	const server = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
`
	for topology, want := range map[string]string{
		"{}": "SANITIZE_SET true true true",
		"{forwardClientCertDetails: APPEND_FORWARD}": "APPEND_FORWARD true true true",
		"{forwardClientCertDetails: FORWARD_ONLY}":   "FORWARD_ONLY",
		"{forwardClientCertDetails: SANITIZE}":       "SANITIZE",
	} {
		world := meshConfig("defaultConfig: {proxyHeaders: {setCurrentClientCertDetails: {subject: false, cert: false}}, gatewayTopology: "+topology+"}") + server
		cfg := compile.Compile(loadText(t, world), ingress(), compile.Options{Target: compile.IstioProxy})
		m := managers(t, cfg, cfg.Listeners[0])[0]
		got := m.GetForwardClientCertDetails().String()
		if d := m.GetSetCurrentClientCertDetails(); d != nil {
			got = strings.Join([]string{got, boolString(d.GetSubject().GetValue()), boolString(d.GetCert()), boolString(d.GetUri())}, " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", topology, got, want)
		}
	}
}

func TestAccessLogs(t *testing.T) {
	for _, tt := range []struct{ name, settings, want string }{
		{"none", "enableTracing: true", ""},
		{"text", "accessLogFile: /dev/stdout\naccessLogFormat: \"%PROTOCOL%\"", `{"text_format_source":{"inline_string":"%PROTOCOL%\n"}}`},
		{
			"JSON", "accessLogFile: /dev/stdout\naccessLogEncoding: JSON\naccessLogFormat: '{\"p\": \"%PROTOCOL%\"}'",
			`{"json_format":{"p":"%PROTOCOL%"},"json_format_options":{}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := compile.Compile(loadText(t, meshConfig(tt.settings)+ownServices), sidecar(), compile.Options{})
			// Every connection that is let in or out is logged once: by its filter, or by the virtual listener where it has none.
			for _, l := range cfg.Listeners {
				logs := map[string][]*accesslogv3.AccessLog{}
				if strings.HasPrefix(l.GetName(), "virtual") {
					logs[l.GetName()] = l.GetAccessLog()
				}
				for _, c := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
					for _, f := range c.GetFilters() {
						switch m, err := cfg.Sources.Unpack(f.GetTypedConfig()); m := m.(type) {
						case *hcmv3.HttpConnectionManager:
							logs[c.GetName()+" http"] = m.GetAccessLog()
						case *tcpv3.TcpProxy:
							if !strings.HasSuffix(c.GetName(), "blackhole") {
								logs[c.GetName()+" tcp"] = m.GetAccessLog()
							}
						default:
							t.Errorf("%s: %v", f.GetName(), err)
						}
					}
				}
				for where, log := range logs {
					if got := logFormat(t, cfg, log); got != tt.want {
						t.Errorf("%s %s logs %q, want %q", l.GetName(), where, got, tt.want)
					}
				}
			}
		})
	}
}

// logFormat is the format of the only file log, in one line of JSON; "" for no log.
func logFormat(t *testing.T, cfg *compile.Configuration, logs []*accesslogv3.AccessLog) string {
	t.Helper()
	if len(logs) == 0 {
		return ""
	}
	text, err := canonical.Marshal(unpack[*filev3.FileAccessLog](t, cfg, logs[0].GetTypedConfig()).GetLogFormat(), canonical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func TestSourcesOfSidecarListeners(t *testing.T) {
	world := peers("  mtls: {mode: STRICT}") + "\n---\n" + databases + `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: shop}
spec:
  hosts: [db]
  tcp:
  - route: [{destination: {host: other}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: other, namespace: shop}
spec:
  host: other
  trafficPolicy: {connectionPool: {tcp: {idleTimeout: 1m}}}
`
	for _, tt := range []struct {
		listener, chain string
		want            []string
	}{
		{"10.96.0.1_3306", "", []string{"VirtualService spec.tcp[0]", "Service spec.ports[0]"}},
		{"virtualInbound", "0.0.0.0_8080", []string{"Service spec.ports[0]", "PeerAuthentication spec.mtls"}},
	} {
		t.Run(tt.listener, func(t *testing.T) {
			cfg, l := listenerNamed(t, world, tt.listener, compile.Options{})
			for _, c := range l.GetFilterChains() {
				if c.GetName() != tt.chain {
					continue
				}
				var got []string
				for _, s := range cfg.Sources.Of(c) {
					got = append(got, s.Resource.Kind+" "+s.Path)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("sources differ (-want +got):\n%s", diff)
				}
				return
			}
			t.Errorf("no chain %q", tt.chain)
		})
	}
}
