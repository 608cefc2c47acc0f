package compile

import (
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/model"
)

// fieldWorld is testdata/fields with one resource's spec, or the mesh's settings, replaced.
type fieldWorld struct {
	world    string
	objects  []fieldObject
	settings string
}

// fieldObject is a resource of fields.yaml.
type fieldObject struct {
	header string
	spec   proto.Message
}

func readFieldWorld(t *testing.T) *fieldWorld {
	t.Helper()
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", "fields", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	w := &fieldWorld{world: text("world.yaml"), settings: text("mesh.yaml")}
	mesh, err := model.Load(t.Context(), model.Options{FS: fstest.MapFS{"fields.yaml": {Data: []byte(text("fields.yaml"))}}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("%s: %s", f.Rule, f.Message)
	}
	for _, r := range mesh.Resources() {
		w.objects = append(w.objects, fieldObject{
			header: fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\n", r.APIVersion, r.Kind, r.Name, r.Namespace),
			spec:   r.Object.(proto.Message),
		})
	}
	return w
}

// load reads the world with its objects as they are, and the settings given, "" for Istio's own.
func (w *fieldWorld) load(t *testing.T, settings string) *model.Mesh {
	t.Helper()
	var text strings.Builder
	text.WriteString(w.world)
	for _, o := range w.objects {
		spec, err := protojson.Marshal(o.spec)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "---\n%sspec: %s\n", o.header, spec)
	}
	options := model.Options{FS: fstest.MapFS{"world.yaml": {Data: []byte(text.String())}, "mesh.json": {Data: []byte(settings)}}}
	if settings != "" {
		options.MeshConfigFile = "mesh.json"
	}
	mesh, err := model.Load(t.Context(), options, "world.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// fingerprints yields what each proxy gets for each target, one after the other: who compares can stop at the first difference.
func fingerprints(mesh *model.Mesh) iter.Seq[[sha256.Size]byte] {
	return func(yield func([sha256.Size]byte) bool) {
		for _, target := range []Target{IstioProxy, Envoy} {
			compiler := New(mesh, Options{Target: target, SecretsDir: "/secrets"})
			for _, p := range mesh.Proxies() {
				if !yield(fingerprint(compiler.Compile(p))) {
					return
				}
			}
		}
	}
}

func fingerprint(cfg *Configuration) [sha256.Size]byte {
	sum := sha256.New()
	fmt.Fprintln(sum, cfg.Proxy.ID())
	addAll(sum, cfg.Listeners)
	addAll(sum, cfg.Routes)
	addAll(sum, cfg.Clusters)
	addAll(sum, cfg.Endpoints)
	return [sha256.Size]byte(sum.Sum(nil))
}

func addAll[M proto.Message](sum io.Writer, messages []M) {
	for _, m := range messages {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			panic(err)
		}
		sum.Write(b)
	}
}

// fieldPlace is a field that is set somewhere in a message.
type fieldPlace struct {
	field protoreflect.FieldDescriptor
	// holder finds, in a copy of the whole message, the message that has the field.
	holder func(root protoreflect.Message) protoreflect.Message
}

// altered is a copy of the whole message with the field changed.
func (p fieldPlace) altered(root proto.Message) proto.Message {
	out := proto.Clone(root)
	alter(p.holder(out.ProtoReflect()), p.field)
	return out
}

// fieldPlaces lists the fields that are set in a message, however deep, in the order of the API; it does not look into leaves.
func fieldPlaces(m protoreflect.Message, leaves map[protoreflect.FullName]bool, holder func(protoreflect.Message) protoreflect.Message) []fieldPlace {
	var out []fieldPlace
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		if leaves[f.FullName()] {
			out = append(out, fieldPlace{field: f, holder: holder})
			continue
		}
		nested := func(inner protoreflect.Message, get func(protoreflect.Value) protoreflect.Message) {
			out = append(out, fieldPlaces(inner, leaves, func(root protoreflect.Message) protoreflect.Message { return get(holder(root).Get(f)) })...)
		}
		inner := f.Message() != nil && !f.IsMap() && strings.HasPrefix(string(f.Message().FullName()), "istio.")
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			m.Get(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				nested(v.Message(), func(value protoreflect.Value) protoreflect.Message { return value.Map().Get(k).Message() })
				return true
			})
		case f.IsList() && inner:
			for j := range m.Get(f).List().Len() {
				nested(m.Get(f).List().Get(j).Message(), func(value protoreflect.Value) protoreflect.Message { return value.List().Get(j).Message() })
			}
		case inner && !f.IsList():
			nested(m.Get(f).Message(), protoreflect.Value.Message)
		}
		out = append(out, fieldPlace{field: f, holder: holder})
	}
	return out
}

// alter gives a field another value: the next one where it is a number or a word, and the same in a list or a map of words.
func alter(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	v := m.Get(f)
	switch {
	case f.IsList() && f.Kind() == protoreflect.StringKind:
		list := m.Mutable(f).List()
		list.Set(0, protoreflect.ValueOfString(list.Get(0).String()+"x"))
		return
	case f.IsMap() && f.MapValue().Kind() == protoreflect.StringKind:
		m.Mutable(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			m.Mutable(f).Map().Set(k, protoreflect.ValueOfString(v.String()+"x"))
			return true
		})
		return
	case f.IsList() || f.IsMap():
		m.Clear(f)
		return
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(!v.Bool()))
	case protoreflect.EnumKind:
		words := f.Enum().Values()
		for i := range words.Len() {
			if words.Get(i).Number() == v.Enum() {
				m.Set(f, protoreflect.ValueOfEnum(words.Get((i+words.Len()-1)%words.Len()).Number()))
			}
		}
	case protoreflect.Int32Kind:
		m.Set(f, protoreflect.ValueOfInt32(int32(v.Int())+1))
	case protoreflect.Uint32Kind:
		m.Set(f, protoreflect.ValueOfUint32(uint32(v.Uint())+1))
	case protoreflect.Uint64Kind:
		m.Set(f, protoreflect.ValueOfUint64(v.Uint()+1))
	case protoreflect.DoubleKind:
		m.Set(f, protoreflect.ValueOfFloat64(v.Float()+1))
	case protoreflect.BytesKind:
		m.Set(f, protoreflect.ValueOfBytes(append(slices.Clone(v.Bytes()), 'x')))
	case protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString(v.String()+"x"))
	case protoreflect.MessageKind:
		switch w := v.Message().Interface().(type) {
		case *durationpb.Duration:
			m.Set(f, protoreflect.ValueOfMessage((&durationpb.Duration{Seconds: w.Seconds + 1, Nanos: w.Nanos}).ProtoReflect()))
		case *wrapperspb.BoolValue:
			m.Set(f, protoreflect.ValueOfMessage(wrapperspb.Bool(!w.Value).ProtoReflect()))
		case *wrapperspb.UInt32Value:
			m.Set(f, protoreflect.ValueOfMessage(wrapperspb.UInt32(w.Value+1).ProtoReflect()))
		case *wrapperspb.DoubleValue:
			m.Set(f, protoreflect.ValueOfMessage(wrapperspb.Double(w.Value+1).ProtoReflect()))
		default:
			m.Clear(f)
		}
	}
}

// TestEveryFieldCounts changes each field that testdata/fields sets, wherever it does, and holds that the compiled configuration follows in at
// least one place, or else that fieldsWithoutEffect says why not. A field of the API that the files do not set at all fails the test too, so
// that a new version of the API cannot bring one that is passed over in silence.
func TestEveryFieldCounts(t *testing.T) {
	w := readFieldWorld(t)
	listed := map[protoreflect.FullName]bool{}
	for _, names := range []map[protoreflect.FullName]string{fieldsWithoutEffect(), harmlessFields()} {
		for name := range names {
			listed[name] = true
		}
	}
	tried, counts := map[protoreflect.FullName]bool{}, map[protoreflect.FullName]bool{}
	try := func(root proto.Message, load func(proto.Message) *model.Mesh) {
		base := slices.Collect(fingerprints(load(root)))
		for _, place := range fieldPlaces(root.ProtoReflect(), listed, func(m protoreflect.Message) protoreflect.Message { return m }) {
			name := place.field.FullName()
			tried[name] = true
			if !counts[name] {
				counts[name] = differs(base, fingerprints(load(place.altered(root))))
			}
		}
	}
	for i, o := range w.objects {
		try(o.spec, func(spec proto.Message) *model.Mesh {
			changed := &fieldWorld{world: w.world, objects: slices.Clone(w.objects)}
			changed.objects[i].spec = spec
			return changed.load(t, "")
		})
	}
	settings := &meshconfig.MeshConfig{}
	text, err := yaml.YAMLToJSON([]byte(w.settings))
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(text, settings); err != nil {
		t.Fatal(err)
	}
	try(settings, func(settings proto.Message) *model.Mesh {
		text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		return w.load(t, string(text))
	})

	var silent, wrong, unset []string
	for _, name := range slices.Sorted(maps.Keys(tried)) {
		switch {
		case !counts[name] && !listed[name]:
			silent = append(silent, string(name))
		case counts[name] && listed[name]:
			wrong = append(wrong, string(name))
		}
	}
	for _, name := range apiFields(listed) {
		if !tried[name] {
			unset = append(unset, string(name))
		}
	}
	for what, names := range map[string][]string{
		"have no effect, and no reason is given": silent, "have an effect, yet a reason why not": wrong, "are not set in testdata/fields": unset,
	} {
		if len(names) > 0 {
			t.Errorf("fields that %s:\n%s", what, strings.Join(names, "\n"))
		}
	}
}

// harmlessFields are those from which nobody expects anything in a proxy's configuration, or that another rule reports, and why.
func harmlessFields() map[protoreflect.FullName]string {
	const (
		control = "it is about istiod itself"
		agent   = "Istio's agent reads it, not Envoy"
		machine = "the agent of a machine reads it"
	)
	return map[protoreflect.FullName]string{
		"istio.mesh.v1alpha1.MeshConfig.ca":                             control,
		"istio.mesh.v1alpha1.MeshConfig.certificates":                   control,
		"istio.mesh.v1alpha1.MeshConfig.enable_prometheus_merge":        agent,
		"istio.mesh.v1alpha1.MeshConfig.ingress_service":                "it is where the status of an Ingress comes from",
		"istio.networking.v1alpha3.IstioIngressListener.tls":            "ingressTLS reports it",
		"istio.networking.v1alpha3.OutlierDetection.consecutive_errors": "schema/retired-field reports it",
		"istio.networking.v1alpha3.SidecarPort.name":                    "it is for readers",
		"istio.networking.v1alpha3.WorkloadGroup.metadata":              "it goes with the template",
		"istio.networking.v1alpha3.WorkloadGroup.probe":                 machine,
	}
}

// differs tells whether the sequence is another than base.
func differs(base [][sha256.Size]byte, seq iter.Seq[[sha256.Size]byte]) bool {
	n := 0
	for v := range seq {
		if n >= len(base) || base[n] != v {
			return true
		}
		n++
	}
	return n != len(base)
}

// apiFields are the leaves of the API that are held: everything but providers, ProxyConfig and EnvoyFilter, whose tests are elsewhere.
func apiFields(listed map[protoreflect.FullName]bool) []protoreflect.FullName {
	names := map[protoreflect.FullName]bool{}
	seen := map[protoreflect.FullName]bool{}
	var walk func(d protoreflect.MessageDescriptor)
	walk = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			inner := f.Message()
			if f.IsMap() {
				inner = f.MapValue().Message()
			}
			switch {
			case listed[f.FullName()]:
			case inner == nil || !strings.HasPrefix(string(inner.FullName()), "istio."):
				names[f.FullName()] = true
			case !strings.Contains(string(inner.FullName()), "ExtensionProvider") && inner.Name() != "ProxyConfig" && inner.Name() != "DefaultProviders":
				walk(inner)
			}
		}
	}
	for _, m := range []proto.Message{
		&networking.VirtualService{}, &networking.DestinationRule{}, &networking.Gateway{}, &networking.ServiceEntry{}, &networking.WorkloadEntry{},
		&networking.WorkloadGroup{}, &networking.Sidecar{}, &meshconfig.MeshConfig{},
	} {
		walk(m.ProtoReflect().Descriptor())
	}
	return slices.Sorted(maps.Keys(names))
}
