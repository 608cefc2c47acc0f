package compile

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// istioVersion is that of the proxies, by which EnvoyFilters choose them.
const istioVersion = "1.31.0"

// envoyPatch is one of an EnvoyFilter's configPatches. It is shared by all proxies and never changed.
type envoyPatch struct {
	from   resource.Source
	filter resource.Of[*networking.EnvoyFilter]
	match  *networking.EnvoyFilter_EnvoyConfigObjectMatch
	// to and operation are the patch's own, but for an INSERT where order means nothing: that is an ADD, as in istiod.
	to        networking.EnvoyFilter_ApplyTo
	operation networking.EnvoyFilter_Patch_Operation
	// value is nil for a removal.
	value   proto.Message
	version *regexp.Regexp
	// invalid says why the patch is never applied.
	invalid string
	// unknown says what of the value is left out; foreign are the types in it that are kept as they were written.
	unknown string
	foreign []string
}

// envoyFilters reads the EnvoyFilters of a mesh: their patches in the order in which istiod applies them to a proxy that all select. Lower
// priorities come first, then the root namespace, then the oldest, then names.
// (https://istio.io/latest/docs/reference/config/networking/envoy-filter/)
func envoyFilters(mesh *model.Mesh) []*envoyPatch {
	filters := model.All[*networking.EnvoyFilter](mesh)
	root := mesh.Settings.RootNamespace()
	rank := func(f resource.Of[*networking.EnvoyFilter]) int {
		if f.Namespace == root {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(filters, func(x, y resource.Of[*networking.EnvoyFilter]) int {
		return cmp.Or(
			cmp.Compare(x.Spec.GetPriority(), y.Spec.GetPriority()),
			cmp.Compare(rank(x), rank(y)),
			x.Created.Compare(y.Created),
			cmp.Compare(x.Name+"."+x.Namespace, y.Name+"."+y.Namespace),
		)
	})
	var patches []*envoyPatch
	for _, f := range filters {
		for i, spec := range f.Spec.GetConfigPatches() {
			patches = append(patches, newEnvoyPatch(f, i, spec))
		}
	}
	return patches
}

func newEnvoyPatch(f resource.Of[*networking.EnvoyFilter], i int, spec *networking.EnvoyFilter_EnvoyConfigObjectPatch) *envoyPatch {
	p := &envoyPatch{
		from: f.At(resource.Index("spec.configPatches", i)), filter: f,
		match: spec.GetMatch(), to: spec.GetApplyTo(), operation: spec.GetPatch().GetOperation(),
	}
	if patch.Inserts(p.operation) && !ordered(p.to) {
		p.operation = networking.EnvoyFilter_Patch_ADD
	}
	if version := p.match.GetProxy().GetProxyVersion(); version != "" {
		re, err := regexp.Compile(version)
		if err != nil {
			p.invalid = "match.proxy.proxyVersion is no regular expression: " + err.Error()
			return p
		}
		p.version = re
	}
	switch {
	case spec.GetPatch() == nil || p.operation == networking.EnvoyFilter_Patch_INVALID:
		p.invalid = "it has no operation"
	case p.operation == networking.EnvoyFilter_Patch_REMOVE:
		if patch.New(p.to) == nil {
			p.invalid = "applyTo does not say what to remove"
		}
	case !p.supported():
	default:
		p.decode(spec)
	}
	return p
}

// decode reads the value. What is put in as it stands must satisfy Envoy's rules by itself; what is merged is judged where it is merged.
func (p *envoyPatch) decode(spec *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	d, err := patch.Decode(p.to, spec.GetPatch().GetValue())
	if err != nil {
		p.invalid = "the value cannot be read: " + err.Error()
		return
	}
	p.value, p.unknown, p.foreign = d.Message, d.Unknown, d.Foreign
	if !patch.Merges(p.operation) {
		if err := patch.Violation(p.value); err != nil {
			p.invalid = "Envoy would refuse the value: " + err.Error()
		}
	}
}

// ordered tells whether the place in the list means something: only there are the INSERT operations what they say.
func ordered(to networking.EnvoyFilter_ApplyTo) bool {
	switch to {
	case networking.EnvoyFilter_LISTENER_FILTER, networking.EnvoyFilter_NETWORK_FILTER,
		networking.EnvoyFilter_HTTP_FILTER, networking.EnvoyFilter_HTTP_ROUTE:
		return true
	}
	return false
}

// proxyPatches are the patches for one proxy, in order, and what became of them.
type proxyPatches struct {
	byTarget map[networking.EnvoyFilter_ApplyTo][]*envoyPatch
	order    []*envoyPatch
	uses     map[*envoyPatch]*PatchUse
	// bare is PatchUse.Bare of all uses.
	bare bool
}

// patchesFor prepares the patches that are for the proxy.
func (b *builder) patchesFor(all []*envoyPatch) *proxyPatches {
	s := &proxyPatches{byTarget: map[networking.EnvoyFilter_ApplyTo][]*envoyPatch{}, uses: map[*envoyPatch]*PatchUse{}}
	for _, p := range b.offered(all) {
		s.byTarget[p.to] = append(s.byTarget[p.to], p)
		s.order = append(s.order, p)
		s.uses[p] = &PatchUse{Patch: p.from}
	}
	return s
}

// offered are those patches whose EnvoyFilter selects the proxy and whose own match does not rule it out.
func (b *builder) offered(all []*envoyPatch) []*envoyPatch {
	var out []*envoyPatch
	var metadata map[string]string
	var filter *resource.Resource
	selected := false
	for _, p := range all {
		if p.filter.Resource != filter {
			filter = p.filter.Resource
			selected = b.selected(filter, p.filter.Spec.GetWorkloadSelector().GetLabels(), p.filter.Spec.GetTargetRefs())
		}
		if p.invalid != "" || !selected {
			continue
		}
		if p.version != nil && !p.version.MatchString(istioVersion) {
			continue
		}
		if want := p.match.GetProxy().GetMetadata(); len(want) > 0 {
			if metadata == nil {
				metadata = b.nodeMetadata()
			}
			if !model.Selects(want, metadata) {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// nodeMetadata is what the proxy tells istiod of itself, as far as YAML says it: the strings that proxy.metadata can ask for.
func (b *builder) nodeMetadata() map[string]string {
	settings := &b.mesh.Settings
	fields := map[string]string{
		"NAME": b.proxy.Name, "NAMESPACE": b.proxy.Namespace, "SERVICE_ACCOUNT": b.proxy.ServiceAccount, "ISTIO_VERSION": istioVersion,
		"CLUSTER_ID": cmp.Or(settings.ClusterID, "Kubernetes"), "MESH_ID": settings.MeshID, "NETWORK": cmp.Or(b.proxy.Network, settings.Network),
	}
	for name, value := range b.proxyConfig().GetProxyMetadata() {
		if name, ok := strings.CutPrefix(name, "ISTIO_META_"); ok {
			fields[name] = value
		}
	}
	maps.DeleteFunc(fields, func(_, v string) bool { return v == "" })
	return fields
}

// patchesOf are those for a kind of object in a context.
func (b *builder) patchesOf(context networking.EnvoyFilter_PatchContext, to networking.EnvoyFilter_ApplyTo) []*envoyPatch {
	var out []*envoyPatch
	for _, p := range b.patches.byTarget[to] {
		if c := p.match.GetContext(); c == networking.EnvoyFilter_ANY || c == context {
			out = append(out, p)
		}
	}
	return out
}

// applied counts that the patch had an effect.
func (b *builder) applied(p *envoyPatch) { b.patches.uses[p].Applied++ }

// failed records why the patch was not applied where it matched.
func (b *builder) failed(p *envoyPatch, why string) {
	use := b.patches.uses[p]
	if !slices.Contains(use.Problems, why) {
		use.Problems = append(use.Problems, why)
	}
}

// inserted returns a copy of the patch's value for one place in the configuration.
func inserted[T proto.Message](b *builder, p *envoyPatch) T {
	out := proto.Clone(p.value).(T)
	b.sources.Changed(out, provenance.Change{By: p.from, Operation: p.operation.String()})
	b.applied(p)
	return out
}

// replaced is inserted in the place of another message.
func replaced[T proto.Message](b *builder, p *envoyPatch, old T) T {
	out := proto.Clone(p.value).(T)
	b.sources.Carry(old, out)
	b.sources.Changed(out, provenance.Change{By: p.from, Operation: p.operation.String(), Before: old})
	b.applied(p)
	return out
}

// dropped records that the patch took a part out of the message.
func (b *builder) dropped(p *envoyPatch, from, part proto.Message) {
	b.sources.Changed(from, provenance.Change{By: p.from, Operation: p.operation.String(), Before: part})
	b.applied(p)
}

// merged returns what the patch's value makes of a message, or the message as it is where Envoy would refuse the result. The message may
// be seen by others and is not changed.
func merged[T proto.Message](b *builder, p *envoyPatch, to T) T {
	out := b.mergeBy(p).Into(to, p.value).(T)
	if !b.accepted(p, to, out) {
		return to
	}
	b.sources.Changed(out, provenance.Change{
		By: p.from, Operation: p.operation.String(), Before: patch.Touched(to, p.value), After: patch.Touched(out, p.value),
	})
	b.applied(p)
	return out
}

func (b *builder) mergeBy(p *envoyPatch) patch.Merge {
	return patch.Merge{
		ReplaceLists: p.operation == networking.EnvoyFilter_Patch_MERGE_AND_REPLACE_LIST,
		Copied:       b.sources.Carry,
	}
}

// accepted tells whether what a patch made satisfies the rules of Envoy's API, or is no worse than before.
func (b *builder) accepted(p *envoyPatch, before, after proto.Message) bool {
	err := patch.Violation(after)
	if err == nil || patch.Violation(before) != nil {
		return true
	}
	b.failed(p, "Envoy would refuse what it makes of "+nameOf(before)+": "+err.Error())
	return false
}

// nameOf tells a message in a sentence: its kind, and its name where it has one.
func nameOf(m proto.Message) string {
	kind := string(m.ProtoReflect().Descriptor().Name())
	if named, ok := m.(interface{ GetName() string }); ok && named.GetName() != "" {
		return kind + " " + named.GetName()
	}
	return kind
}

// edited returns a copy of a message with one change, which keeps the sources and changes of the original.
func edited[T proto.Message](b *builder, m T, edit func(T)) T {
	out := patch.Shallow(m)
	edit(out)
	b.sources.Carry(m, out)
	return out
}
