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
)

// defaultSampling is the percentage of requests traced where nothing says otherwise.
const defaultSampling = 1

// tracing returns the tracing settings of a connection manager, which istiod sends even where no provider is set.
func (b *builder) tracing() *hcmv3.HttpConnectionManager_Tracing {
	config := b.proxyConfig().GetTracing()
	t := &hcmv3.HttpConnectionManager_Tracing{
		ClientSampling:  &typev3.Percent{Value: 100},
		RandomSampling:  &typev3.Percent{Value: cmp.Or(config.GetSampling(), defaultSampling)},
		OverallSampling: &typev3.Percent{Value: 100},
		CustomTags:      append(b.istioTags(), configuredTags(config.GetCustomTags())...),
	}
	if n := config.GetMaxPathTagLength(); n != 0 {
		t.MaxPathTagLength = wrapperspb.UInt32(n)
	}
	if on := config.GetEnableIstioTags(); on != nil && !on.GetValue() {
		t.CustomTags = configuredTags(config.GetCustomTags())
	}
	slices.SortStableFunc(t.CustomTags, func(x, y *tracingv3.CustomTag) int { return cmp.Compare(x.Tag, y.Tag) })
	return t
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
			out = append(out, &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Environment_{
				Environment: &tracingv3.CustomTag_Environment{Name: tag.Environment.GetName(), DefaultValue: tag.Environment.GetDefaultValue()},
			}})
		case *meshconfig.Tracing_CustomTag_Header:
			out = append(out, &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_RequestHeader{
				RequestHeader: &tracingv3.CustomTag_Header{Name: tag.Header.GetName(), DefaultValue: tag.Header.GetDefaultValue()},
			}})
		}
	}
	return out
}

func literalTag(name, value string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Literal_{Literal: &tracingv3.CustomTag_Literal{Value: value}}}
}
