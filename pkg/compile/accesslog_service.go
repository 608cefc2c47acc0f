package compile

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpclogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	otellogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	otlpv1 "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	meshconfig "istio.io/api/mesh/v1alpha1"
)

// Names of the loggers that send to a service, as istiod writes them.
const (
	httpServiceLogName   = "envoy.access_loggers.http_grpc"
	tcpServiceLogName    = "envoy.tcp_grpc_access_log"
	openTelemetryLogName = "envoy.access_loggers.open_telemetry"
)

// AccessLogServiceCluster is the cluster of the service that ProxyConfig.envoyAccessLogService names. The bootstrap holds it, not xDS.
const AccessLogServiceCluster = "envoy_accesslog_service"

// peers is the filter state in which proxies of Istio's build keep who the other side is.
func peers() []string { return []string{"upstream_peer", "downstream_peer"} }

// allPeers adds the names under which older proxies keep it.
func allPeers() []string {
	return append(peers(), "wasm.upstream_peer", "wasm.upstream_peer_id", "wasm.downstream_peer", "wasm.downstream_peer_id")
}

// grpcTo sends to a collector.
func grpcTo(cluster, authority string) *corev3.GrpcService {
	return &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
		EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: cluster, Authority: authority},
	}}
}

func commonServiceLog(name string, to collector, state []string) *grpclogv3.CommonGrpcAccessLogConfig {
	return &grpclogv3.CommonGrpcAccessLogConfig{
		LogName: name, GrpcService: grpcTo(to.cluster, to.hostname), TransportApiVersion: corev3.ApiVersion_V3, FilterStateObjectsToLog: state,
	}
}

// stateToLog is what the provider names, or the peers.
func stateToLog(own []string) []string {
	if len(own) > 0 {
		return own
	}
	return peers()
}

// httpServiceLog is the provider envoyHttpAls; nil where its service is not there.
func (b *builder) httpServiceLog(p *meshconfig.MeshConfig_ExtensionProvider_EnvoyHttpGrpcV3LogProvider) (string, proto.Message) {
	to, ok := b.collector(p.GetService(), p.GetPort())
	if !ok {
		return "", nil
	}
	return httpServiceLogName, &grpclogv3.HttpGrpcAccessLogConfig{
		CommonConfig:                    commonServiceLog(cmp.Or(p.GetLogName(), "http_envoy_accesslog"), to, stateToLog(p.GetFilterStateObjectsToLog())),
		AdditionalRequestHeadersToLog:   p.GetAdditionalRequestHeadersToLog(),
		AdditionalResponseHeadersToLog:  p.GetAdditionalResponseHeadersToLog(),
		AdditionalResponseTrailersToLog: p.GetAdditionalResponseTrailersToLog(),
	}
}

// tcpServiceLog is the provider envoyTcpAls; nil where its service is not there.
func (b *builder) tcpServiceLog(p *meshconfig.MeshConfig_ExtensionProvider_EnvoyTcpGrpcV3LogProvider) (string, proto.Message) {
	to, ok := b.collector(p.GetService(), p.GetPort())
	if !ok {
		return "", nil
	}
	return tcpServiceLogName, &grpclogv3.TcpGrpcAccessLogConfig{
		CommonConfig: commonServiceLog(cmp.Or(p.GetLogName(), "tcp_envoy_accesslog"), to, stateToLog(p.GetFilterStateObjectsToLog())),
	}
}

// openTelemetryLog is the provider envoyOtelAls; nil where its service is not there. Labels become attributes, of which only text has a
// value.
func (b *builder) openTelemetryLog(p *meshconfig.MeshConfig_ExtensionProvider_EnvoyOpenTelemetryLogProvider) (string, proto.Message) {
	to, ok := b.collector(p.GetService(), p.GetPort())
	if !ok {
		return "", nil
	}
	text, labels := cmp.Or(p.GetLogFormat().GetText(), defaultTextLog), p.GetLogFormat().GetLabels()
	log := &otellogv3.OpenTelemetryAccessLogConfig{
		CommonConfig:         commonServiceLog(cmp.Or(p.GetLogName(), "otel_envoy_accesslog"), to, allPeers()),
		DisableBuiltinLabels: true,
		Body:                 otlpText(text),
		Attributes:           otlpAttributes(labels),
		Formatters:           b.logFormatters(text, labels),
	}
	return openTelemetryLogName, log
}

func otlpText(text string) *otlpv1.AnyValue {
	return &otlpv1.AnyValue{Value: &otlpv1.AnyValue_StringValue{StringValue: text}}
}

func otlpAttributes(labels *structpb.Struct) *otlpv1.KeyValueList {
	if len(labels.GetFields()) == 0 {
		return nil
	}
	out := &otlpv1.KeyValueList{}
	for name, value := range labels.GetFields() {
		out.Values = append(out.Values, &otlpv1.KeyValue{Key: name, Value: otlpText(value.GetStringValue())})
	}
	slices.SortFunc(out.Values, func(x, y *otlpv1.KeyValue) int { return cmp.Compare(x.Key, y.Key) })
	return out
}

// bootstrapServiceLog sends to ProxyConfig.envoyAccessLogService.
func (b *builder) bootstrapServiceLog(l logger) (string, proto.Message) {
	to := collector{cluster: AccessLogServiceCluster}
	switch l {
	case httpLogger:
		return httpServiceLogName, &grpclogv3.HttpGrpcAccessLogConfig{CommonConfig: commonServiceLog("http_envoy_accesslog", to, allPeers())}
	case listenerLogger:
		return tcpServiceLogName, &grpclogv3.TcpGrpcAccessLogConfig{CommonConfig: commonServiceLog("listener_envoy_accesslog", to, allPeers())}
	default:
		return tcpServiceLogName, &grpclogv3.TcpGrpcAccessLogConfig{CommonConfig: commonServiceLog("tcp_envoy_accesslog", to, allPeers())}
	}
}
