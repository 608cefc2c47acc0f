package emit

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshc/meshc/pkg/compile"
)

// layeredRuntime returns the settings that Istio gives its proxies. Stock Envoy has its successor for one of them and warns about it.
// ProxyConfig.runtimeValues changes them: an empty value takes one away.
func layeredRuntime(cfg *compile.Configuration) *bootstrapv3.LayeredRuntime {
	settings := map[string]*structpb.Value{
		// Regular expressions have passed Istio's own check; Envoy must not refuse the long ones.
		"re2.max_program_size.error_level": structpb.NewNumberValue(32768),
		// A path with a fragment is served with the fragment cut off.
		"envoy.reloadable_features.http_reject_path_with_fragment": structpb.NewBoolValue(false),
	}
	if cfg.Target == compile.IstioProxy {
		settings["overload.global_downstream_max_connections"] = structpb.NewNumberValue(2147483647)
	}
	for name, value := range cfg.ProxyConfig.GetRuntimeValues() {
		switch value {
		case "":
			delete(settings, name)
		case "true", "false":
			// Envoy reads numbers from text, but not truth.
			settings[name] = structpb.NewBoolValue(value == "true")
		default:
			settings[name] = structpb.NewStringValue(value)
		}
	}
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{
		{Name: "global config", LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: settings}}},
		{Name: "admin", LayerSpecifier: &bootstrapv3.RuntimeLayer_AdminLayer_{AdminLayer: &bootstrapv3.RuntimeLayer_AdminLayer{}}},
	}}
}
