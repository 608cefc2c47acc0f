package compile

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/diag"
)

// extensionConfigs are the filter configurations that patches add, in order, for those filters that ask for theirs by name. istiod sends
// none that nobody asks for.
func (b *builder) extensionConfigs(listeners []*listenerv3.Listener) []*corev3.TypedExtensionConfig {
	patches := b.patches.byTarget[networking.EnvoyFilter_EXTENSION_CONFIG]
	if len(patches) == 0 {
		return nil
	}
	asked := b.askedByName(listeners)
	var out []*corev3.TypedExtensionConfig
	for _, p := range patches {
		if p.operation == networking.EnvoyFilter_Patch_ADD && asked[p.value.(*corev3.TypedExtensionConfig).GetName()] {
			out = append(out, inserted[*corev3.TypedExtensionConfig](b, p))
		}
	}
	return out
}

// askedByName are the names of the filters that ask for their configuration by name.
func (b *builder) askedByName(listeners []*listenerv3.Listener) map[string]bool {
	asked := map[string]bool{}
	for _, l := range listeners {
		for _, f := range l.GetListenerFilters() {
			asked[f.GetName()] = asked[f.GetName()] || f.GetConfigDiscovery() != nil
		}
		for _, c := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
			for _, f := range c.GetFilters() {
				asked[f.GetName()] = asked[f.GetName()] || f.GetConfigDiscovery() != nil
				for _, h := range b.managerOf(f).GetHttpFilters() {
					asked[h.GetName()] = asked[h.GetName()] || h.GetConfigDiscovery() != nil
				}
			}
		}
	}
	return asked
}

// managerOf is the HTTP connection manager in a filter, nil for any other.
func (b *builder) managerOf(f *listenerv3.Filter) *hcmv3.HttpConnectionManager {
	if f.GetName() != httpConnectionManagerName || f.GetTypedConfig() == nil {
		return nil
	}
	inner, err := b.sources.Unpack(f.GetTypedConfig())
	if err != nil {
		return nil
	}
	manager, _ := inner.(*hcmv3.HttpConnectionManager)
	return manager
}

// inlineExtensions gives filters that ask for their configuration by name that configuration: stock Envoy with a static bootstrap has nobody to
// ask. A filter whose configuration is not there takes the default that it names, or is left out.
func (b *builder) inlineExtensions(cfg *Configuration) {
	named := map[string]*corev3.TypedExtensionConfig{}
	for _, c := range cfg.ExtensionConfigs {
		named[c.GetName()] = c
	}
	in := &extensionInliner{builder: b, named: named}
	for i, l := range cfg.Listeners {
		cfg.Listeners[i] = in.listener(l)
	}
	cfg.Findings = append(cfg.Findings, in.findings...)
}

type extensionInliner struct {
	*builder
	named    map[string]*corev3.TypedExtensionConfig
	findings []diag.Finding
}

func (in *extensionInliner) listener(l *listenerv3.Listener) *listenerv3.Listener {
	chains := slices.Clone(l.GetFilterChains())
	for i, c := range chains {
		chains[i] = in.chain(c)
	}
	fallback := l.GetDefaultFilterChain()
	if fallback != nil {
		fallback = in.chain(fallback)
	}
	if fallback == l.GetDefaultFilterChain() && slices.Equal(chains, l.GetFilterChains()) {
		return l
	}
	return edited(in.builder, l, func(l *listenerv3.Listener) { l.FilterChains, l.DefaultFilterChain = chains, fallback })
}

func (in *extensionInliner) chain(c *listenerv3.FilterChain) *listenerv3.FilterChain {
	filters, changed := inline(in, c.GetFilters(), (*listenerv3.Filter).GetConfigDiscovery)
	for i, f := range filters {
		manager := in.managerOf(f)
		if manager == nil {
			continue
		}
		http, differs := inline(in, manager.GetHttpFilters(), (*hcmv3.HttpFilter).GetConfigDiscovery)
		if !differs {
			continue
		}
		manager = edited(in.builder, manager, func(m *hcmv3.HttpConnectionManager) { m.HttpFilters = http })
		filters[i] = edited(in.builder, f, func(f *listenerv3.Filter) {
			f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: in.sources.Pack(manager)}
		})
		changed = true
	}
	if !changed {
		return c
	}
	return edited(in.builder, c, func(c *listenerv3.FilterChain) { c.Filters = filters })
}

// inline returns the filters with their configurations, in a list of its own, and whether anything differs.
func inline[T filterMessage](in *extensionInliner, filters []T, discovery func(T) *corev3.ExtensionConfigSource) ([]T, bool) {
	var out []T
	changed := false
	for _, f := range filters {
		asks := discovery(f)
		if asks == nil {
			out = append(out, f)
			continue
		}
		changed = true
		config := in.config(f, asks)
		if config == nil {
			continue
		}
		f = edited(in.builder, f, func(f T) { setConfig(f, config) })
		if c := in.named[f.GetName()]; c != nil {
			in.sources.Add(f, in.sources.Of(c)...)
		}
		out = append(out, f)
	}
	return out, changed
}

func (in *extensionInliner) config(f namedMessage, asks *corev3.ExtensionConfigSource) *anypb.Any {
	if c := in.named[f.GetName()]; c != nil {
		return c.GetTypedConfig()
	}
	if asks.GetDefaultConfig() != nil {
		return asks.GetDefaultConfig()
	}
	for _, s := range in.sources.Of(f) {
		if s.Resource.Kind != "EnvoyFilter" {
			continue
		}
		finding := leftOut(s.Resource, s.Path, "its filter "+f.GetName()+" asks for a configuration by discovery that no EXTENSION_CONFIG patch adds")
		if !slices.ContainsFunc(in.findings, func(have diag.Finding) bool { return have.Path == finding.Path && have.Resource == finding.Resource }) {
			in.findings = append(in.findings, finding)
		}
	}
	return nil
}

// namedMessage is a message with a name.
type namedMessage interface {
	proto.Message
	GetName() string
}
