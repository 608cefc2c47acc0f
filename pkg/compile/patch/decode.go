// Package patch holds the mechanics of patching Envoy's configuration: reading what an EnvoyFilter writes as the message that it means, and
// merging that into a message without changing it.
//
// It knows no mesh and no proxy. What is patched, and when, package compile says.
package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"

	// Patches may configure any extension of Envoy.
	_ "github.com/meshc/meshc/pkg/compile/patch/envoytypes"
)

// maxDepth bounds how deep a value may nest. Envoy's own messages stay far below it.
const maxDepth = 200

// New returns an empty message of what an EnvoyFilter's applyTo patches, nil for a target that Istio does not define
// (https://istio.io/latest/docs/reference/config/networking/envoy-filter/#EnvoyFilter-ApplyTo).
func New(to networking.EnvoyFilter_ApplyTo) proto.Message {
	switch to {
	case networking.EnvoyFilter_LISTENER:
		return &listenerv3.Listener{}
	case networking.EnvoyFilter_LISTENER_FILTER:
		return &listenerv3.ListenerFilter{}
	case networking.EnvoyFilter_FILTER_CHAIN:
		return &listenerv3.FilterChain{}
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
	case networking.EnvoyFilter_CLUSTER:
		return &clusterv3.Cluster{}
	case networking.EnvoyFilter_EXTENSION_CONFIG:
		return &corev3.TypedExtensionConfig{}
	case networking.EnvoyFilter_BOOTSTRAP:
		return &bootstrapv3.Bootstrap{}
	}
	return nil
}

// Decoded is a patch's value as Envoy would read it.
type Decoded struct {
	Message proto.Message
	// Unknown says what was left out: fields that the message does not have. Empty for a value that was read whole.
	Unknown string
	// Foreign are the types of configuration that meshc has no definition of, sorted. They are kept as they were written, in a
	// xds.type.v3.TypedStruct, which Envoy reads as the type itself.
	Foreign []string
}

// Decode reads value as the message that applyTo patches. Field names may be Envoy's or those of JSON; what stands in an Any is read by its
// "@type". As in istiod, fields that this version of the message does not have are left out. It fails on values of the wrong kind, and on
// a nil value or an unknown target.
func Decode(to networking.EnvoyFilter_ApplyTo, value *structpb.Struct) (*Decoded, error) {
	into := New(to)
	if into == nil {
		return nil, fmt.Errorf("applyTo %s does not say what to patch", to)
	}
	if value == nil {
		return nil, errors.New("the patch has no value")
	}
	tree := value.AsMap()
	foreign := map[string]bool{}
	if err := foreignTypes(tree, foreign, 0); err != nil {
		return nil, err
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	d := &Decoded{Message: into, Foreign: slices.Sorted(maps.Keys(foreign))}
	strict := unmarshal(text, into, false)
	if strict == nil {
		return d, nil
	}
	d.Message = New(to)
	if err := unmarshal(text, d.Message, true); err != nil {
		return nil, err
	}
	d.Unknown = strict.Error()
	return d, nil
}

func unmarshal(text []byte, into proto.Message, discard bool) error {
	err := protojson.UnmarshalOptions{DiscardUnknown: discard, RecursionLimit: 10 * maxDepth}.Unmarshal(text, into)
	if err == nil {
		return nil
	}
	// The words before the position differ from build to build, and the position is one in text that nobody wrote.
	if _, why, ok := strings.Cut(err.Error(), "): "); ok {
		return errors.New(why)
	}
	return err
}

const (
	typeKey     = "@type"
	typedStruct = "type.googleapis.com/xds.type.v3.TypedStruct"
)

// foreignTypes puts configuration of types that are not linked in into TypedStructs, and collects their names.
func foreignTypes(v any, foreign map[string]bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the value nests more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := foreignTypes(e, foreign, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		if url, ok := v[typeKey].(string); ok {
			if strings.HasSuffix(url, ".TypedStruct") {
				return nil
			}
			if _, err := protoregistry.GlobalTypes.FindMessageByURL(url); err != nil && strings.Contains(url, "/") {
				wrap(v, url)
				foreign[url[strings.LastIndexByte(url, '/')+1:]] = true
				return nil
			}
		}
		for _, e := range v {
			if err := foreignTypes(e, foreign, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func wrap(v map[string]any, url string) {
	inner := maps.Clone(v)
	delete(inner, typeKey)
	clear(v)
	v[typeKey], v["type_url"], v["value"] = typedStruct, url, inner
}
