package compile

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
)

// patchListeners applies the patches for listeners and what is in them, and adds listeners.
func (b *builder) patchListeners(listeners []*listenerv3.Listener) []*listenerv3.Listener {
	if len(b.patches.order) == 0 {
		return listeners
	}
	var out []*listenerv3.Listener
	for _, l := range listeners {
		if l := b.patchListener(b.contextOf(l), l); l != nil {
			out = append(out, l)
		}
	}
	for _, p := range b.patches.byTarget[networking.EnvoyFilter_LISTENER] {
		switch {
		case p.operation != networking.EnvoyFilter_Patch_ADD || !p.fits(b.proxy.Type):
		case p.value.(*listenerv3.Listener).GetName() == "":
			b.failed(p, "istiod leaves out a listener without a name")
		default:
			out = append(out, inserted[*listenerv3.Listener](b, p))
		}
	}
	return out
}

// contextOf is the context in which a listener is patched.
func (b *builder) contextOf(l *listenerv3.Listener) networking.EnvoyFilter_PatchContext {
	switch {
	case b.proxy.Type == model.Router:
		return networking.EnvoyFilter_GATEWAY
	case l.GetTrafficDirection() == corev3.TrafficDirection_INBOUND:
		return networking.EnvoyFilter_SIDECAR_INBOUND
	default:
		return networking.EnvoyFilter_SIDECAR_OUTBOUND
	}
}

// patchListener returns the listener as patched, nil where a patch removes it.
func (b *builder) patchListener(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener) *listenerv3.Listener {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_LISTENER) {
		if !p.matchesListener(l) {
			continue
		}
		switch {
		case p.operation == networking.EnvoyFilter_Patch_REMOVE:
			b.removed = append(b.removed, Removed{Kind: "listeners", Change: provenance.Change{By: p.from, Operation: p.operation.String(), Before: l}})
			b.applied(p)
			return nil
		case patch.Merges(p.operation):
			l = merged(b, p, l)
		}
	}
	l = b.patchListenerFilters(context, l)
	return b.patchChains(context, l)
}

func (b *builder) patchListenerFilters(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener) *listenerv3.Listener {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_LISTENER_FILTER) {
		if !p.matchesListener(l) {
			continue
		}
		name, named := p.listenerFilter()
		filters, gone, changed := patchFilters(b, p, l.GetListenerFilters(), name, named)
		if patch.Merges(p.operation) && named {
			filters, changed = mergeFilters(b, p, filters, name)
		}
		if changed {
			l = edited(b, l, func(l *listenerv3.Listener) { l.ListenerFilters = filters })
			for _, f := range gone {
				b.dropped(p, l, f)
			}
		}
	}
	return l
}

// patchChains patches each filter chain and adds chains. A chain that comes without filters is none; one that patches leave without stays,
// and closes its connections.
func (b *builder) patchChains(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener) *listenerv3.Listener {
	var gone []*removedChain
	var chains []*listenerv3.FilterChain
	patchOne := func(c *listenerv3.FilterChain) *listenerv3.FilterChain {
		if len(c.GetFilters()) == 0 {
			return nil
		}
		patched, by := b.patchChain(context, l, c)
		if by != nil {
			gone = append(gone, &removedChain{by, c})
		}
		return patched
	}
	for _, c := range l.GetFilterChains() {
		if c := patchOne(c); c != nil {
			chains = append(chains, c)
		}
	}
	fallback := l.GetDefaultFilterChain()
	if fallback != nil {
		fallback = patchOne(fallback)
	}
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_FILTER_CHAIN) {
		if p.operation == networking.EnvoyFilter_Patch_ADD && p.matchesListener(l) && len(p.value.(*listenerv3.FilterChain).GetFilters()) > 0 {
			chains = append(chains, inserted[*listenerv3.FilterChain](b, p))
		}
	}
	if fallback == l.GetDefaultFilterChain() && slices.Equal(chains, l.GetFilterChains()) {
		return l
	}
	l = edited(b, l, func(l *listenerv3.Listener) { l.FilterChains, l.DefaultFilterChain = chains, fallback })
	for _, r := range gone {
		b.dropped(r.by, l, r.chain)
	}
	return l
}

type removedChain struct {
	by    *envoyPatch
	chain *listenerv3.FilterChain
}

// patchChain returns the chain as patched, or nil and the patch that removes it.
func (b *builder) patchChain(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener, c *listenerv3.FilterChain) (*listenerv3.FilterChain, *envoyPatch) {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_FILTER_CHAIN) {
		if !p.matchesListener(l) || !p.matchesChain(l, c) {
			continue
		}
		switch {
		case p.operation == networking.EnvoyFilter_Patch_REMOVE:
			return nil, p
		case patch.Merges(p.operation):
			c = b.mergeChain(p, c)
		}
	}
	c = b.patchNetworkFilters(context, l, c)
	filters := slices.Clone(c.GetFilters())
	for i, f := range filters {
		filters[i] = b.patchNetworkFilter(context, l, c, f)
	}
	if slices.Equal(filters, c.GetFilters()) {
		return c, nil
	}
	return edited(b, c, func(c *listenerv3.FilterChain) { c.Filters = filters }), nil
}

// mergeChain merges into a chain. Where both have a transport socket of the same name, what is inside is merged, and, as in istiod, nothing
// else of the patch.
func (b *builder) mergeChain(p *envoyPatch, c *listenerv3.FilterChain) *listenerv3.FilterChain {
	want, have := p.value.(*listenerv3.FilterChain).GetTransportSocket(), c.GetTransportSocket()
	if want == nil || have == nil || want.GetName() != have.GetName() {
		return merged(b, p, c)
	}
	socket := b.mergeSocket(p, have, want)
	if socket == have {
		return c
	}
	return edited(b, c, func(c *listenerv3.FilterChain) { c.TransportSocket = socket })
}

// mergeSocket merges what two transport sockets of the same name hold.
func (b *builder) mergeSocket(p *envoyPatch, have, want *corev3.TransportSocket) *corev3.TransportSocket {
	merge, ok := b.mergeConfig(p, have.GetTypedConfig(), want.GetTypedConfig())
	if !ok || merge.config == have.GetTypedConfig() {
		return have
	}
	holding := func(config *anypb.Any) *corev3.TransportSocket {
		return &corev3.TransportSocket{Name: have.GetName(), ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}
	}
	out := holding(merge.config)
	b.sources.Carry(have, out)
	b.sources.Changed(out, provenance.Change{
		By: p.from, Operation: p.operation.String(), Before: holding(merge.before), After: holding(merge.after),
	})
	b.applied(p)
	return out
}

// mergedConfig is what came of merging into an Any; before and after are the part that was changed, nil where nothing was.
type mergedConfig struct {
	config, before, after *anypb.Any
}

// mergeConfig merges what is packed in two Any of the same type. ok is false, and the reason recorded, where that cannot be done.
func (b *builder) mergeConfig(p *envoyPatch, have, want *anypb.Any) (merged mergedConfig, ok bool) {
	kept := mergedConfig{config: have}
	if have == nil || want == nil {
		return kept, true
	}
	into, err := b.sources.Unpack(have)
	if err != nil {
		b.failed(p, "what it merges into is of a type that meshc has no definition of: "+have.GetTypeUrl())
		return kept, false
	}
	value, err := want.UnmarshalNew()
	if err != nil {
		b.failed(p, "its typed_config cannot be read: "+err.Error())
		return kept, false
	}
	if got, is := value.ProtoReflect().Descriptor().FullName(), into.ProtoReflect().Descriptor().FullName(); got != is {
		b.failed(p, "its typed_config is a "+string(got)+" and is to be merged into a "+string(is))
		return kept, false
	}
	out := b.mergeBy(p).Into(into, value)
	if !b.accepted(p, into, out) {
		return kept, false
	}
	return mergedConfig{b.sources.Pack(out), b.sources.Pack(patch.Touched(into, value)), b.sources.Pack(patch.Touched(out, value))}, true
}

func (b *builder) patchNetworkFilters(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener, c *listenerv3.FilterChain) *listenerv3.FilterChain {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_NETWORK_FILTER) {
		if !p.matchesListener(l) || !p.matchesChain(l, c) {
			continue
		}
		name, named := p.networkFilter()
		filters, gone, changed := patchFilters(b, p, c.GetFilters(), name, named)
		if changed {
			c = edited(b, c, func(c *listenerv3.FilterChain) { c.Filters = filters })
			for _, f := range gone {
				b.dropped(p, c, f)
			}
		}
	}
	return c
}

// patchNetworkFilter merges into a filter, and patches the HTTP filters in it.
func (b *builder) patchNetworkFilter(context networking.EnvoyFilter_PatchContext, l *listenerv3.Listener, c *listenerv3.FilterChain, f *listenerv3.Filter) *listenerv3.Filter {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_NETWORK_FILTER) {
		if name, named := p.networkFilter(); patch.Merges(p.operation) && p.matchesListener(l) && p.matchesChain(l, c) && (!named || name == f.GetName()) {
			f = mergeFilter(b, p, f)
		}
	}
	manager := b.managerOf(f)
	if manager == nil {
		return f
	}
	patched := b.patchHTTPFilters(context, manager, func(p *envoyPatch) bool {
		name, named := p.networkFilter()
		return p.matchesListener(l) && p.matchesChain(l, c) && (!named || name == f.GetName())
	})
	if patched == manager {
		return f
	}
	return edited(b, f, func(f *listenerv3.Filter) {
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: b.sources.Pack(patched)}
	})
}

// patchHTTPFilters puts HTTP filters in and takes them out, and then merges into those that are there.
func (b *builder) patchHTTPFilters(context networking.EnvoyFilter_PatchContext, m *hcmv3.HttpConnectionManager, matches func(*envoyPatch) bool) *hcmv3.HttpConnectionManager {
	var here []*envoyPatch
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_HTTP_FILTER) {
		if matches(p) {
			here = append(here, p)
		}
	}
	for _, p := range here {
		name, named := p.httpFilter()
		filters, gone, changed := patchFilters(b, p, m.GetHttpFilters(), name, named)
		if changed {
			m = edited(b, m, func(m *hcmv3.HttpConnectionManager) { m.HttpFilters = filters })
			for _, f := range gone {
				b.dropped(p, m, f)
			}
		}
	}
	for _, p := range here {
		name, named := p.httpFilter()
		if !patch.Merges(p.operation) || !named {
			continue
		}
		if filters, changed := mergeFilters(b, p, m.GetHttpFilters(), name); changed {
			m = edited(b, m, func(m *hcmv3.HttpConnectionManager) { m.HttpFilters = filters })
		}
	}
	return m
}

// filterMessage is a filter of any kind: they have in common a name and a typed_config.
type filterMessage interface {
	comparable
	proto.Message
	GetName() string
	GetTypedConfig() *anypb.Any
}

// patchFilters carries out a patch that puts filters in, replaces the first of the name or takes out all of the name; others leave the list as
// it is. gone are those taken out.
func patchFilters[T filterMessage](b *builder, p *envoyPatch, filters []T, name string, named bool) (out, gone []T, changed bool) {
	is := func(f T) bool { return f.GetName() == name }
	switch {
	case patch.Inserts(p.operation):
		if !named {
			is = nil
		}
		out, changed = patch.Insert(filters, p.operation, is, func() T { return inserted[T](b, p) })
		return out, nil, changed
	case !named:
	case p.operation == networking.EnvoyFilter_Patch_REPLACE:
		if i := slices.IndexFunc(filters, is); i >= 0 {
			out = slices.Clone(filters)
			out[i] = replaced(b, p, filters[i])
			return out, nil, true
		}
	case p.operation == networking.EnvoyFilter_Patch_REMOVE:
		for _, f := range filters {
			if is(f) {
				gone = append(gone, f)
			} else {
				out = append(out, f)
			}
		}
		return out, gone, len(gone) > 0
	}
	return filters, nil, false
}

// mergeFilters merges into each filter of the name.
func mergeFilters[T filterMessage](b *builder, p *envoyPatch, filters []T, name string) ([]T, bool) {
	out := slices.Clone(filters)
	for i, f := range filters {
		if f.GetName() == name {
			out[i] = mergeFilter(b, p, f)
		}
	}
	return out, !slices.Equal(out, filters)
}

// mergeFilter merges a patch's filter into one that is there: its name replaces, and what is in its typed_config is merged. A filter that
// is told its configuration by discovery is left as it is.
func mergeFilter[T filterMessage](b *builder, p *envoyPatch, f T) T {
	value := p.value.(T)
	if f.GetTypedConfig() == nil {
		return f
	}
	merge, ok := b.mergeConfig(p, f.GetTypedConfig(), value.GetTypedConfig())
	name := cmp.Or(value.GetName(), f.GetName())
	if !ok || merge.config == f.GetTypedConfig() && name == f.GetName() {
		return f
	}
	filter := func(name string, config *anypb.Any) T {
		out := f.ProtoReflect().New().Interface().(T)
		setName(out, name)
		if config != nil {
			setConfig(out, config)
		}
		return out
	}
	out := edited(b, f, func(f T) {
		setConfig(f, merge.config)
		setName(f, name)
	})
	b.sources.Changed(out, provenance.Change{
		By: p.from, Operation: p.operation.String(), Before: filter(f.GetName(), merge.before), After: filter(name, merge.after),
	})
	b.applied(p)
	return out
}

func setName(m proto.Message, name string) {
	switch f := m.(type) {
	case *listenerv3.Filter:
		f.Name = name
	case *listenerv3.ListenerFilter:
		f.Name = name
	case *hcmv3.HttpFilter:
		f.Name = name
	}
}

func setConfig(m proto.Message, config *anypb.Any) {
	switch f := m.(type) {
	case *listenerv3.Filter:
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: config}
	case *listenerv3.ListenerFilter:
		f.ConfigType = &listenerv3.ListenerFilter_TypedConfig{TypedConfig: config}
	case *hcmv3.HttpFilter:
		f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}
	}
}
