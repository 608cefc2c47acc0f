package schema

import (
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	networking "istio.io/api/networking/v1alpha3"
)

// patched returns an empty message of the type that a patch is applied to, nil for none.
func patched(to networking.EnvoyFilter_ApplyTo) proto.Message {
	switch to {
	case networking.EnvoyFilter_CLUSTER:
		return &clusterv3.Cluster{}
	case networking.EnvoyFilter_LISTENER:
		return &listenerv3.Listener{}
	case networking.EnvoyFilter_FILTER_CHAIN:
		return &listenerv3.FilterChain{}
	case networking.EnvoyFilter_LISTENER_FILTER:
		return &listenerv3.ListenerFilter{}
	case networking.EnvoyFilter_NETWORK_FILTER:
		return &listenerv3.Filter{}
	case networking.EnvoyFilter_HTTP_FILTER:
		return &hcmv3.HttpFilter{}
	case networking.EnvoyFilter_ROUTE_CONFIGURATION:
		return &routev3.RouteConfiguration{}
	case networking.EnvoyFilter_VIRTUAL_HOST:
		return &routev3.VirtualHost{}
	case networking.EnvoyFilter_HTTP_ROUTE:
		return &routev3.Route{}
	case networking.EnvoyFilter_EXTENSION_CONFIG:
		return &corev3.TypedExtensionConfig{}
	case networking.EnvoyFilter_BOOTSTRAP:
		return &bootstrapv3.Bootstrap{}
	}
	return nil
}

// patchValue judges whether the value could be read as what it patches. Fields that this version of Envoy does not know, and extensions
// that meshc has no types for, are left alone.
func (c *check) patchValue(path string, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	into := patched(p.GetApplyTo())
	if into == nil || p.GetPatch().GetValue() == nil {
		return
	}
	text, err := protojson.Marshal(p.GetPatch().GetValue())
	if err != nil {
		return
	}
	err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, into)
	if err == nil || strings.Contains(err.Error(), "unable to resolve") {
		return
	}
	// The words before the position differ from build to build.
	_, why, _ := strings.Cut(err.Error(), "): ")
	c.errorf(InvalidValue, path, "the value is no %s of Envoy: %s", into.ProtoReflect().Descriptor().Name(), why)
}
