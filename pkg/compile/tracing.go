package compile

import (
	"cmp"
	"maps"
	"slices"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

// defaultSampling is the percentage of requests traced where nothing says otherwise.
const defaultSampling = 1

// tracing returns the tracing settings of a connection manager: what Telemetry resources ask for, else what ProxyConfig does, which istiod
// sends even where no provider is set; nil where nothing is traced.
func (b *builder) tracing(d direction) *hcmv3.HttpConnectionManager_Tracing {
	asked := b.telemetry().Tracing(d.workloadMode())
	if asked == nil {
		return b.meshConfigTracing()
	}
	t := b.providerTracing(asked)
	if t == nil {
		return nil
	}
	config := b.proxyConfig().GetTracing()
	// A sampler of the tracer's own decides over all requests.
	random := samplingOf(config)
	if asked.Provider.GetOpentelemetry().GetSampling() != nil {
		random = 100
	} else if asked.Sampling != nil {
		random = *asked.Sampling
	}
	setSampling(t, random)
	if t.MaxPathTagLength == nil && config.GetMaxPathTagLength() != 0 {
		t.MaxPathTagLength = wrapperspb.UInt32(config.GetMaxPathTagLength())
	}
	own := configuredTags(config.GetCustomTags())
	if len(asked.CustomTags) > 0 {
		own = telemetryTags(asked.CustomTags)
	}
	b.setTags(t, asked.EnableIstioTags, own)
	t.NoContextPropagation = asked.NoContextPropagation
	b.sources.Add(t, asked.Sources...)
	b.sources.Add(t, b.telemetry().ProviderSource(asked.Provider))
	return t
}

// meshConfigTracing is what MeshConfig.enableTracing and ProxyConfig.tracing ask for. Spans go to the tracer of the bootstrap.
func (b *builder) meshConfigTracing() *hcmv3.HttpConnectionManager_Tracing {
	if !b.mesh.Settings.Mesh.GetEnableTracing() {
		return nil
	}
	config := b.proxyConfig().GetTracing()
	t := &hcmv3.HttpConnectionManager_Tracing{}
	setSampling(t, samplingOf(config))
	if n := config.GetMaxPathTagLength(); n != 0 {
		t.MaxPathTagLength = wrapperspb.UInt32(n)
	}
	enabled := config.GetEnableIstioTags()
	b.setTags(t, enabled == nil || enabled.GetValue(), configuredTags(config.GetCustomTags()))
	b.sources.Add(t, b.mesh.Settings.Source("enableTracing"), b.mesh.Settings.Source("defaultConfig.tracing"))
	return t
}

// requestIDSamples tells whether the request's id says if it is traced.
func (b *builder) requestIDSamples(d direction) bool {
	asked := b.telemetry().Tracing(d.workloadMode())
	if asked == nil || b.providerTracing(asked) == nil {
		return true
	}
	return asked.UseRequestID
}

// samplingOf is the percentage of requests traced that ProxyConfig asks for; more than all of them counts as the default.
func samplingOf(config *meshconfig.Tracing) float64 {
	if sampling := config.GetSampling(); sampling != 0 && sampling <= 100 {
		return sampling
	}
	return defaultSampling
}

func setSampling(t *hcmv3.HttpConnectionManager_Tracing, random float64) {
	t.ClientSampling = &typev3.Percent{Value: 100}
	t.RandomSampling = &typev3.Percent{Value: random}
	t.OverallSampling = &typev3.Percent{Value: 100}
}

// setTags puts the tags in order.
func (b *builder) setTags(t *hcmv3.HttpConnectionManager_Tracing, istio bool, own []*tracingv3.CustomTag) {
	if istio {
		t.CustomTags = b.istioTags()
	}
	t.CustomTags = append(t.CustomTags, own...)
	slices.SortStableFunc(t.CustomTags, func(x, y *tracingv3.CustomTag) int { return cmp.Compare(x.Tag, y.Tag) })
}

// istioTags tell of every span which workload sent it and what dry-run policies would have decided.
func (b *builder) istioTags() []*tracingv3.CustomTag {
	dryRun := func(name, key string) *tracingv3.CustomTag {
		return &tracingv3.CustomTag{Tag: "istio.authorization.dry_run." + name, Type: &tracingv3.CustomTag_Metadata_{
			Metadata: &tracingv3.CustomTag_Metadata{
				Kind: &metadatav3.MetadataKind{Kind: &metadatav3.MetadataKind_Request_{Request: &metadatav3.MetadataKind_Request{}}},
				MetadataKey: &metadatav3.MetadataKey{Key: "envoy.filters.http.rbac", Path: []*metadatav3.MetadataKey_PathSegment{{
					Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: key},
				}}},
			},
		}}
	}
	return []*tracingv3.CustomTag{
		dryRun("allow_policy.name", "istio_dry_run_allow_shadow_effective_policy_id"),
		dryRun("allow_policy.result", "istio_dry_run_allow_shadow_engine_result"),
		dryRun("deny_policy.name", "istio_dry_run_deny_shadow_effective_policy_id"),
		dryRun("deny_policy.result", "istio_dry_run_deny_shadow_engine_result"),
		literalTag("istio.canonical_revision", cmp.Or(b.proxy.Labels["service.istio.io/canonical-revision"], "latest")),
		literalTag("istio.canonical_service", cmp.Or(b.proxy.Labels["service.istio.io/canonical-name"], "unknown")),
		literalTag("istio.cluster_id", cmp.Or(b.mesh.Settings.ClusterID, "unknown")),
		literalTag("istio.mesh_id", cmp.Or(b.mesh.Settings.MeshID, "unknown")),
		literalTag("istio.namespace", cmp.Or(b.proxy.Namespace, "default")),
	}
}

// configuredTags are those of ProxyConfig.tracing.customTags, by name.
func configuredTags(tags map[string]*meshconfig.Tracing_CustomTag) []*tracingv3.CustomTag {
	var out []*tracingv3.CustomTag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		switch tag := tags[name].GetType().(type) {
		case *meshconfig.Tracing_CustomTag_Literal:
			out = append(out, literalTag(name, tag.Literal.GetValue()))
		case *meshconfig.Tracing_CustomTag_Environment:
			out = append(out, environmentTag(name, tag.Environment.GetName(), tag.Environment.GetDefaultValue()))
		case *meshconfig.Tracing_CustomTag_Header:
			out = append(out, headerTag(name, tag.Header.GetName(), tag.Header.GetDefaultValue()))
		}
	}
	return out
}

// telemetryTags are those of a Telemetry's tracing.customTags, by name.
func telemetryTags(tags map[string]*telemetry.Tracing_CustomTag) []*tracingv3.CustomTag {
	var out []*tracingv3.CustomTag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		switch tag := tags[name].GetType().(type) {
		case *telemetry.Tracing_CustomTag_Literal:
			out = append(out, literalTag(name, tag.Literal.GetValue()))
		case *telemetry.Tracing_CustomTag_Environment:
			out = append(out, environmentTag(name, tag.Environment.GetName(), tag.Environment.GetDefaultValue()))
		case *telemetry.Tracing_CustomTag_Header:
			out = append(out, headerTag(name, tag.Header.GetName(), tag.Header.GetDefaultValue()))
		case *telemetry.Tracing_CustomTag_Formatter:
			out = append(out, &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Value{Value: tag.Formatter.GetValue()}})
		}
	}
	return out
}

func environmentTag(name, variable, otherwise string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Environment_{
		Environment: &tracingv3.CustomTag_Environment{Name: variable, DefaultValue: otherwise},
	}}
}

func headerTag(name, header, otherwise string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_RequestHeader{
		RequestHeader: &tracingv3.CustomTag_Header{Name: header, DefaultValue: otherwise},
	}}
}

func literalTag(name, value string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Literal_{Literal: &tracingv3.CustomTag_Literal{Value: value}}}
}
