package compile

import (
	"cmp"
	"math"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	extensions "istio.io/api/extensions/v1alpha1"
	typev1beta1 "istio.io/api/type/v1beta1"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	extensionPrefix = "extensions.istio.io/trafficextension/"
	// fromWasmPlugin ends the names of those that istiod makes of WasmPlugins.
	fromWasmPlugin = "~istio-translated-wasmplugin"
)

// trafficExtension is a filter that a TrafficExtension or a WasmPlugin adds. istiod reads the latter as the former.
// (https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/)
type trafficExtension struct {
	from *resource.Resource
	name string
	spec *extensions.TrafficExtension
}

// trafficExtensions are those of a mesh in the order in which they run where phase and priority are the same: the oldest first, then by name.
func trafficExtensions(mesh *model.Mesh) []trafficExtension {
	var all []trafficExtension
	for _, r := range model.All[*extensions.TrafficExtension](mesh) {
		all = append(all, trafficExtension{r.Resource, r.Namespace + "." + r.Name, r.Spec})
	}
	for _, r := range model.All[*extensions.WasmPlugin](mesh) {
		all = append(all, trafficExtension{r.Resource, r.Namespace + "." + r.Name + fromWasmPlugin, translateWasmPlugin(r.Spec)})
	}
	slices.SortStableFunc(all, func(x, y trafficExtension) int {
		return cmp.Or(x.from.Created.Compare(y.from.Created), cmp.Compare(x.from.Name+"."+x.from.Namespace, y.from.Name+"."+y.from.Namespace))
	})
	return all
}

func translateWasmPlugin(w *extensions.WasmPlugin) *extensions.TrafficExtension {
	t := &extensions.TrafficExtension{
		Selector: w.GetSelector(), TargetRefs: w.GetTargetRefs(),
		Phase: extensions.TrafficExtension_ExecutionPhase(w.GetPhase()), Priority: w.GetPriority(),
		FilterConfig: &extensions.TrafficExtension_Wasm{Wasm: &extensions.WasmConfig{
			Url: w.GetUrl(), Sha256: w.GetSha256(), ImagePullPolicy: w.GetImagePullPolicy(), ImagePullSecret: w.GetImagePullSecret(),
			PluginConfig: w.GetPluginConfig(), PluginName: w.GetPluginName(), FailStrategy: w.GetFailStrategy(), VmConfig: w.GetVmConfig(),
			Type: w.GetType(),
		}},
	}
	//lint:ignore SA1019 resources in use have this field.
	if ref := w.GetTargetRef(); ref != nil {
		t.TargetRefs = append([]*typev1beta1.PolicyTargetReference{ref}, t.TargetRefs...)
	}
	for _, m := range w.GetMatch() {
		t.Match = append(t.Match, &extensions.TrafficSelector{Mode: m.GetMode(), Ports: m.GetPorts()})
	}
	return t
}

// extensionsFor are those for the proxy, as they run: by phase, then by priority, the highest first. Of equals those of the proxy's own
// namespace come before those of the root namespace.
func (b *builder) extensionsFor(all []trafficExtension) []trafficExtension {
	var out []trafficExtension
	for _, e := range all {
		if b.selected(e.from, e.spec.GetSelector().GetMatchLabels(), e.spec.GetTargetRefs()) {
			out = append(out, e)
		}
	}
	phase := func(e trafficExtension) int {
		if e.spec.GetPhase() == extensions.TrafficExtension_UNSPECIFIED {
			return math.MaxInt
		}
		return int(e.spec.GetPhase())
	}
	priority := func(e trafficExtension) int64 {
		if e.spec.GetPriority() == nil {
			return math.MinInt32
		}
		return int64(e.spec.GetPriority().GetValue())
	}
	foreign := func(e trafficExtension) int {
		if e.from.Namespace == b.proxy.Namespace {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(x, y trafficExtension) int {
		return cmp.Or(cmp.Compare(phase(x), phase(y)), cmp.Compare(priority(y), priority(x)), cmp.Compare(foreign(x), foreign(y)))
	})
	return out
}

// matches tells whether the extension is for traffic of the direction on the port; port 0 stands for those that nothing names.
func (e trafficExtension) matches(direction direction, port uint32) bool {
	selectors := e.spec.GetMatch()
	return len(selectors) == 0 || slices.ContainsFunc(selectors, func(s *extensions.TrafficSelector) bool {
		switch s.GetMode() {
		case typev1beta1.WorkloadMode_CLIENT:
			if direction == inbound {
				return false
			}
		case typev1beta1.WorkloadMode_SERVER:
			if direction != inbound {
				return false
			}
		}
		return len(s.GetPorts()) == 0 || slices.ContainsFunc(s.GetPorts(), func(p *typev1beta1.PortSelector) bool {
			return p.GetNumber() != 0 && p.GetNumber() == port
		})
	})
}

// inNetwork tells whether the extension sees connections rather than requests.
func (e trafficExtension) inNetwork() bool {
	return e.spec.GetWasm().GetType() == extensions.PluginType_NETWORK
}

// httpExtensions are the filters that extensions of a phase add to a connection manager.
func (b *builder) httpExtensions(phase extensions.TrafficExtension_ExecutionPhase, direction direction, port uint32) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	for _, e := range b.extensions {
		if e.spec.GetPhase() != phase || e.inNetwork() || !e.matches(direction, port) {
			continue
		}
		f := &hcmv3.HttpFilter{Name: extensionPrefix + e.name}
		switch {
		case e.spec.GetLua() != nil:
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.sources.Pack(&luav3.Lua{DefaultSourceCode: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: e.spec.GetLua().GetInlineCode()},
			}})}
		case e.spec.GetWasm() != nil:
			f.ConfigType = &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: discovered("http")}
		default:
			continue
		}
		b.sources.Add(f, e.from.At("spec"))
		filters = append(filters, f)
	}
	return filters
}

// networkExtensions are the network filters that extensions of a phase add to a chain.
func (b *builder) networkExtensions(phase extensions.TrafficExtension_ExecutionPhase, direction direction, port uint32) []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	for _, e := range b.extensions {
		if e.spec.GetPhase() == phase && e.inNetwork() && e.matches(direction, port) {
			f := &listenerv3.Filter{
				Name:       extensionPrefix + e.name,
				ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: discovered("network")},
			}
			b.sources.Add(f, e.from.At("spec"))
			filters = append(filters, f)
		}
	}
	return filters
}

// extendHTTP puts the extensions among the filters that judge requests: after those of CUSTOM policies come the extensions of AUTHN, the tokens, the
// extensions of AUTHZ, the policies, and the other extensions.
func (b *builder) extendHTTP(judges []*hcmv3.HttpFilter, direction direction, port uint32) []*hcmv3.HttpFilter {
	if len(b.extensions) == 0 {
		return judges
	}
	return slices.Concat(interleave(judges, authz.HTTPExtAuthzName, func(phase extensions.TrafficExtension_ExecutionPhase) []*hcmv3.HttpFilter {
		return b.httpExtensions(phase, direction, port)
	})...)
}

// extendNetwork does so among the filters that judge connections.
func (b *builder) extendNetwork(judges []*listenerv3.Filter, direction direction, port uint32) []*listenerv3.Filter {
	if len(b.extensions) == 0 {
		return judges
	}
	return slices.Concat(interleave(judges, authz.NetworkExtAuthz, func(phase extensions.TrafficExtension_ExecutionPhase) []*listenerv3.Filter {
		return b.networkExtensions(phase, direction, port)
	})...)
}

// interleave lists the parts in order. The filters of CUSTOM policies end with the last that asks another service, named custom.
func interleave[T filterMessage](judges []T, custom string, of func(extensions.TrafficExtension_ExecutionPhase) []T) [][]T {
	ends := 0
	for i, f := range judges {
		if f.GetName() == custom {
			ends = i + 1
		}
	}
	tokens := ends
	for i, f := range judges {
		if f.GetName() == authz.JWTFilterName {
			tokens = i + 1
		}
	}
	return [][]T{
		judges[:ends], of(extensions.TrafficExtension_AUTHN), judges[ends:tokens], of(extensions.TrafficExtension_AUTHZ), judges[tokens:],
		of(extensions.TrafficExtension_STATS), of(extensions.TrafficExtension_UNSPECIFIED),
	}
}

// discovered asks istiod for a filter's configuration. istio-agent puts an RBAC filter in the place of a module that it cannot fetch.
func discovered(level string) *corev3.ExtensionConfigSource {
	return &corev3.ExtensionConfigSource{
		ConfigSource: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			InitialFetchTimeout:   durationpb.New(0),
			ResourceApiVersion:    corev3.ApiVersion_V3,
		},
		TypeUrls: []string{
			"type.googleapis.com/envoy.extensions.filters." + level + ".wasm.v3.Wasm",
			"type.googleapis.com/envoy.extensions.filters." + level + ".rbac.v3.RBAC",
		},
	}
}
