package emit

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// Clusters that Istio's bootstraps hold for the services that ProxyConfig names by address
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig).
const (
	zipkinCluster         = "zipkin"
	datadogCluster        = "datadog_agent"
	metricsServiceCluster = "envoy_metrics_service"
)

// observe adds to the bootstrap what ProxyConfig has told of by address, outside xDS: the tracer of connection managers that name none, and
// the services that access logs and statistics are sent to. An address that cannot be read adds nothing.
func (a *assembly) observe(b *bootstrapv3.Bootstrap) {
	config := a.cfg.ProxyConfig
	tracing := config.GetTracing()
	add := func(name, address string, tls *networking.ClientTLSSettings, http2 bool, keepalive *tcpKeepalive) bool {
		cluster := a.serviceCluster(name, address, tls, http2)
		if cluster != nil {
			cluster.UpstreamConnectionOptions = kept(keepalive)
			b.StaticResources.Clusters = sorted(append(b.StaticResources.Clusters, cluster), (*clusterv3.Cluster).GetName)
		}
		return cluster != nil
	}
	if z := tracing.GetZipkin(); z != nil && add(zipkinCluster, z.GetAddress(), tracing.GetTlsSettings(), false, nil) {
		b.Tracing = a.tracer("envoy.tracers.zipkin", &tracev3.ZipkinConfig{
			CollectorCluster: zipkinCluster, CollectorEndpoint: "/api/v2/spans", CollectorEndpointVersion: tracev3.ZipkinConfig_HTTP_JSON,
			TraceId_128Bit: true, SharedSpanContext: wrapperspb.Bool(false),
		})
	}
	if d := tracing.GetDatadog(); d != nil && add(datadogCluster, d.GetAddress(), tracing.GetTlsSettings(), false, nil) {
		b.Tracing = a.tracer("envoy.tracers.datadog", &tracev3.DatadogConfig{
			CollectorCluster: datadogCluster, ServiceName: model.ServiceCluster(a.cfg.Proxy, config),
		})
	}
	if s := config.GetEnvoyAccessLogService(); s != nil {
		add(compile.AccessLogServiceCluster, s.GetAddress(), s.GetTlsSettings(), true, s.GetTcpKeepalive())
	}
	if s := config.GetEnvoyMetricsService(); s != nil && add(metricsServiceCluster, s.GetAddress(), s.GetTlsSettings(), true, s.GetTcpKeepalive()) {
		b.StatsSinks = append(b.StatsSinks, a.statsSink("envoy.stat_sinks.metrics_service", &metricsv3.MetricsServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: metricsServiceCluster},
			}},
		}))
	}
	if address := udpAddress(config.GetStatsdUdpAddress()); address != nil {
		b.StatsSinks = append(b.StatsSinks, a.statsSink("envoy.stat_sinks.statsd", &metricsv3.StatsdSink{
			StatsdSpecifier: &metricsv3.StatsdSink_Address{Address: address},
		}))
	}
}

func (a *assembly) tracer(name string, config proto.Message) *tracev3.Tracing {
	return &tracev3.Tracing{Http: &tracev3.Tracing_Http{
		Name: name, ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: a.pack(config)},
	}}
}

func (a *assembly) statsSink(name string, config proto.Message) *metricsv3.StatsSink {
	return &metricsv3.StatsSink{Name: name, ConfigType: &metricsv3.StatsSink_TypedConfig{TypedConfig: a.pack(config)}}
}

// serviceCluster finds a service by its name whenever the name's time to live is over; nil where the address is no HOST:PORT.
func (a *assembly) serviceCluster(name, address string, tls *networking.ClientTLSSettings, http2 bool) *clusterv3.Cluster {
	host, port, err := net.SplitHostPort(address)
	number, badPort := strconv.ParseUint(port, 10, 16)
	if err != nil || badPort != nil || host == "" || number == 0 {
		return nil
	}
	c := &clusterv3.Cluster{
		Name:                 name,
		AltStatName:          name + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS},
		RespectDnsTtl:        true,
		DnsLookupFamily:      a.lookupFamily(),
		ConnectTimeout:       durationpb.New(time.Second),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: socketAddress(host, uint32(number))},
			}}},
		}}},
	}
	if name == zipkinCluster {
		c.DnsRefreshRate = durationpb.New(30 * time.Second)
	}
	if http2 {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": a.pack(overHTTP2()),
		}
	}
	if socket := a.serviceTLS(tls, http2); socket != nil {
		c.TransportSocket = socket
	}
	return c
}

func (a *assembly) lookupFamily() clusterv3.Cluster_DnsLookupFamily {
	if a.ipv6() {
		return clusterv3.Cluster_V6_ONLY
	}
	return clusterv3.Cluster_V4_ONLY
}

type tcpKeepalive = networking.ConnectionPoolSettings_TCPSettings_TcpKeepalive

// kept keeps idle connections alive as asked; nil leaves that to the system.
func kept(settings *tcpKeepalive) *clusterv3.UpstreamConnectionOptions {
	if settings == nil {
		return nil
	}
	out := &corev3.TcpKeepalive{}
	if n := settings.GetProbes(); n > 0 {
		out.KeepaliveProbes = wrapperspb.UInt32(n)
	}
	if d := settings.GetTime(); d != nil {
		out.KeepaliveTime = wrapperspb.UInt32(uint32(d.GetSeconds()))
	}
	if d := settings.GetInterval(); d != nil {
		out.KeepaliveInterval = wrapperspb.UInt32(uint32(d.GetSeconds()))
	}
	return &clusterv3.UpstreamConnectionOptions{TcpKeepalive: out}
}

// overHTTP2 are the options of a cluster that speaks gRPC.
func overHTTP2() *upstreamhttpv3.HttpProtocolOptions {
	return &upstreamhttpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
				},
			},
		},
	}
}

// serviceTLS is how the proxy connects to such a service; the certificates are files beside the proxy. Nil for plaintext. Istio's own mTLS
// takes the files where Istio's agent writes them.
func (a *assembly) serviceTLS(tls *networking.ClientTLSSettings, http2 bool) *corev3.TransportSocket {
	certificate, key, roots := tls.GetClientCertificate(), tls.GetPrivateKey(), tls.GetCaCertificates()
	switch tls.GetMode() {
	case networking.ClientTLSSettings_DISABLE:
		return nil
	case networking.ClientTLSSettings_ISTIO_MUTUAL:
		certificate, key, roots = "./etc/certs/cert-chain.pem", "./etc/certs/key.pem", "./var/run/secrets/istio/root-cert.pem"
	case networking.ClientTLSSettings_SIMPLE:
		certificate, key = "", ""
	}
	common := &tlsv3.CommonTlsContext{}
	if certificate != "" {
		common.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: file(certificate), PrivateKey: file(key)}}
	}
	if roots != "" {
		validation := &tlsv3.CertificateValidationContext{TrustedCa: file(roots)}
		for _, name := range tls.GetSubjectAltNames() {
			validation.MatchTypedSubjectAltNames = append(validation.MatchTypedSubjectAltNames, exactName(name))
		}
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation}
	}
	if http2 {
		common.AlpnProtocols = []string{"h2"}
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: a.pack(&tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: tls.GetSni()})},
	}
}

// exactName matches one name of a certificate: an identity of a mesh, or a host.
func exactName(name string) *tlsv3.SubjectAltNameMatcher {
	kind := tlsv3.SubjectAltNameMatcher_DNS
	if strings.Contains(name, "://") {
		kind = tlsv3.SubjectAltNameMatcher_URI
	}
	return &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name},
	}}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

// udpAddress reads IP:PORT; nil for anything else.
func udpAddress(text string) *corev3.Address {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return nil
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Protocol: corev3.SocketAddress_UDP, Address: at.Addr().String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port())},
	}}}
}
