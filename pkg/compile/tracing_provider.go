package compile

import (
	"cmp"
	"net/url"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	detectorsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/resource_detectors/v3"
	samplersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/samplers/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
)

type (
	otelProvider    = meshconfig.MeshConfig_ExtensionProvider_OpenTelemetryTracingProvider
	dynatraceSample = meshconfig.MeshConfig_ExtensionProvider_OpenTelemetryTracingProvider_DynatraceSampler
)

// collectorTimeout is how long a tracer waits for its collector where nothing else is said.
const collectorTimeout = 5 * time.Second

// providerTracing has spans sent to the provider; nil where spans are switched off, the provider does not trace, or its service is not there.
func (b *builder) providerTracing(asked *model.Tracing) *hcmv3.HttpConnectionManager_Tracing {
	if asked.Disabled {
		return nil
	}
	name, config := b.tracer(asked.Provider)
	if config == nil {
		return nil
	}
	t := &hcmv3.HttpConnectionManager_Tracing{Provider: &tracev3.Tracing_Http{
		Name: name, ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: b.sources.Pack(config)},
	}}
	// At gateways the span of the request to the upstream is apart from that of the request that came in.
	if b.proxy.Type == model.Router || asked.Provider.GetSkywalking() != nil {
		t.SpawnUpstreamSpan = wrapperspb.Bool(true)
	}
	if n := maxTagLength(asked.Provider); n != 0 {
		t.MaxPathTagLength = wrapperspb.UInt32(n)
	}
	return t
}

func maxTagLength(provider *meshconfig.MeshConfig_ExtensionProvider) uint32 {
	return max(provider.GetZipkin().GetMaxTagLength(), provider.GetDatadog().GetMaxTagLength(), provider.GetOpentelemetry().GetMaxTagLength())
}

// tracer is the configuration of a provider that traces; nil for any other and where its service is not there.
func (b *builder) tracer(provider *meshconfig.MeshConfig_ExtensionProvider) (name string, config proto.Message) {
	switch p := provider.GetProvider().(type) {
	case *meshconfig.MeshConfig_ExtensionProvider_Zipkin:
		if to, ok := b.collector(p.Zipkin.GetService(), p.Zipkin.GetPort()); ok {
			return "envoy.tracers.zipkin", zipkin(p.Zipkin, to)
		}
	case *meshconfig.MeshConfig_ExtensionProvider_Datadog:
		if to, ok := b.collector(p.Datadog.GetService(), p.Datadog.GetPort()); ok {
			return "envoy.tracers.datadog", &tracev3.DatadogConfig{
				CollectorCluster: to.cluster, CollectorHostname: to.hostname, ServiceName: b.serviceName(),
			}
		}
	case *meshconfig.MeshConfig_ExtensionProvider_Skywalking:
		if to, ok := b.collector(p.Skywalking.GetService(), p.Skywalking.GetPort()); ok {
			return "envoy.tracers.skywalking", &tracev3.SkyWalkingConfig{GrpcService: grpcTo(to.cluster, to.hostname)}
		}
	case *meshconfig.MeshConfig_ExtensionProvider_Opentelemetry:
		if to, ok := b.collector(p.Opentelemetry.GetService(), p.Opentelemetry.GetPort()); ok {
			if otel := b.openTelemetry(p.Opentelemetry, to); otel != nil {
				return "envoy.tracers.opentelemetry", otel
			}
		}
	}
	return "", nil
}

// serviceName is by what name tracers know the proxy: that of the node which connects. Nothing connects to a generator of configurations,
// so that what istiod is recorded to generate lacks it; stock Envoy is told.
func (b *builder) serviceName() string {
	if b.target == IstioProxy {
		return ""
	}
	return model.ServiceCluster(b.proxy, b.proxyConfig())
}

// zipkin sends spans as version 2 JSON
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider-ZipkinTracingProvider).
func zipkin(p *meshconfig.MeshConfig_ExtensionProvider_ZipkinTracingProvider, to collector) *tracev3.ZipkinConfig {
	timeout := p.GetTimeout()
	if timeout == nil {
		timeout = durationpb.New(collectorTimeout)
	}
	z := &tracev3.ZipkinConfig{
		CollectorEndpointVersion: tracev3.ZipkinConfig_HTTP_JSON,
		TraceId_128Bit:           !p.GetEnable_64BitTraceId(),
		SharedSpanContext:        wrapperspb.Bool(false),
		CollectorService: httpTo(
			to.cluster, "http://"+to.hostname+cmp.Or(p.GetPath(), "/api/v2/spans"), timeout, p.GetHeaders()),
	}
	if p.GetTraceContextOption() == meshconfig.MeshConfig_ExtensionProvider_ZipkinTracingProvider_USE_B3_WITH_W3C_PROPAGATION {
		z.TraceContextOption = tracev3.ZipkinConfig_USE_B3_WITH_W3C_PROPAGATION
	}
	return z
}

// openTelemetry sends spans by gRPC, or by HTTP where the provider says so; nil where its sampler cannot be told whom to ask
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider-OpenTelemetryTracingProvider).
func (b *builder) openTelemetry(p *otelProvider, to collector) *tracev3.OpenTelemetryConfig {
	otel := &tracev3.OpenTelemetryConfig{ServiceName: b.serviceName()}
	if http := p.GetHttp(); http != nil {
		uri, err := url.JoinPath(to.hostname, http.GetPath())
		if err != nil {
			return nil
		}
		otel.HttpService = httpTo(to.cluster, uri, b.timeout(http.GetTimeout()), http.GetHeaders())
	} else {
		otel.GrpcService = grpcTo(to.cluster, to.hostname)
		otel.GrpcService.Timeout = p.GetGrpc().GetTimeout()
		for _, h := range p.GetGrpc().GetInitialMetadata() {
			otel.GrpcService.InitialMetadata = append(otel.GrpcService.InitialMetadata, &corev3.HeaderValue{Key: h.GetName(), Value: h.GetValue()})
		}
	}
	add := func(name string, config proto.Message) {
		otel.ResourceDetectors = append(otel.ResourceDetectors, &corev3.TypedExtensionConfig{
			Name: "envoy.tracers.opentelemetry.resource_detectors." + name, TypedConfig: b.sources.Pack(config),
		})
	}
	if p.GetResourceDetectors().GetEnvironment() != nil {
		add("environment", &detectorsv3.EnvironmentResourceDetectorConfig{})
	}
	if p.GetResourceDetectors().GetDynatrace() != nil {
		add("dynatrace", &detectorsv3.DynatraceResourceDetectorConfig{})
	}
	if sampler := p.GetDynatraceSampler(); sampler != nil {
		config := b.dynatraceSampler(p, sampler, to)
		if config == nil {
			return nil
		}
		otel.Sampler = &corev3.TypedExtensionConfig{
			Name: "envoy.tracers.opentelemetry.samplers.dynatrace", TypedConfig: b.sources.Pack(config),
		}
	}
	return otel
}

// dynatraceSampler asks Dynatrace how much to sample: by the sampler's own service, or the one that the spans go to by HTTP.
func (b *builder) dynatraceSampler(p *otelProvider, sampler *dynatraceSample, to collector) *samplersv3.DynatraceSamplerConfig {
	http, path := p.GetHttp(), "api/v2/samplingConfiguration"
	if own := sampler.GetHttpService(); own != nil {
		var ok bool
		if to, ok = b.collector(own.GetService(), own.GetPort()); !ok {
			return nil
		}
		http, path = own.GetHttp(), own.GetHttp().GetPath()
	} else if http == nil {
		return nil
	}
	uri, err := url.JoinPath(to.hostname, path)
	if err != nil {
		return nil
	}
	return &samplersv3.DynatraceSamplerConfig{
		Tenant: sampler.GetTenant(), ClusterId: sampler.GetClusterId(), RootSpansPerMinute: sampler.GetRootSpansPerMinute(),
		HttpService: httpTo(to.cluster, uri, b.timeout(http.GetTimeout()), http.GetHeaders()),
	}
}

// timeout is that of a provider. istiod sends none where none is set, and Envoy refuses that; stock Envoy gets one.
func (b *builder) timeout(given *durationpb.Duration) *durationpb.Duration {
	if given == nil && b.target == Envoy {
		return durationpb.New(collectorTimeout)
	}
	return given
}

// httpTo sends to a collector by HTTP. Headers that istiod would take from its own environment are sent empty.
func httpTo(
	cluster, uri string, timeout *durationpb.Duration, headers []*meshconfig.MeshConfig_ExtensionProvider_HttpHeader,
) *corev3.HttpService {
	service := &corev3.HttpService{HttpUri: &corev3.HttpUri{
		Uri: uri, HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: cluster}, Timeout: timeout,
	}}
	for _, h := range headers {
		service.RequestHeadersToAdd = append(service.RequestHeadersToAdd, &corev3.HeaderValueOption{
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			Header:       &corev3.HeaderValue{Key: h.GetName(), Value: h.GetValue()},
		})
	}
	return service
}
