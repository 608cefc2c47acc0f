package resource

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

// Decoder gives documents their types. Its zero value is ready, remembers how types are laid out, and is safe for concurrent use.
type Decoder struct {
	plans sync.Map // reflect.Type → *structPlan
	forms sync.Map // reflect.Type → form
}

// Decoded is what one document held.
type Decoded struct {
	Resources []*Resource
	Findings  []diag.Finding
	// Skipped lists "apiVersion kind" of objects that meshc does not know; document.NoKind for what is no Kubernetes object.
	Skipped []string
}

// Decode decodes a document: one object, or those of a List.
func (d *Decoder) Decode(doc *document.Document) Decoded {
	var out Decoded
	d.object(doc, doc.Root, nil, &out)
	return out
}

func (d *Decoder) object(doc *document.Document, n *yaml.Node, inList *header, out *Decoded) {
	n = deref(n)
	if typeOf(n) != isMapping {
		if typeOf(n) != isNull {
			out.Findings = append(out.Findings, diag.Finding{Rule: "schema/not-an-object", Severity: diag.Error, Location: doc.Location(n),
				Message: fmt.Sprintf("a Kubernetes object is wanted, with apiVersion, kind and metadata; this is %s", typeOf(n))})
		}
		return
	}
	h := readHeader(n)
	if inList != nil && h.apiVersion == "" && h.kind == "" {
		h = *inList
	}
	switch {
	case h.kind == "" || h.apiVersion == "":
		d.headless(doc, n, h, out)
		return
	case isListKind(h.kind):
		if _, items := lookup(n, "items"); items != nil {
			d.list(doc, n, h, out)
			return
		}
	}
	kind, served := Lookup(h.apiVersion, h.kind)
	if kind == nil {
		if s, ok := retiredKind(h.apiVersion, h.kind); ok {
			out.Findings = append(out.Findings, retiredKindFinding(doc, n, h, s))
			return
		}
		out.Skipped = append(out.Skipped, h.apiVersion+" "+h.kind)
		return
	}
	w := &walker{decoder: d, doc: doc, kind: kind, unknown: kind.Unknown, ref: h.ref(kind)}
	r := w.resource(n, h)
	if !served {
		w.unserved(n, h)
	}
	out.Resources = append(out.Resources, r)
	out.Findings = append(out.Findings, w.all(n)...)
}

// header is what makes a mapping a Kubernetes object.
type header struct{ apiVersion, kind, namespace, name string }

func readHeader(n *yaml.Node) header {
	var h header
	h.apiVersion = scalarAt(n, "apiVersion")
	h.kind = scalarAt(n, "kind")
	if _, metadata := lookup(n, "metadata"); metadata != nil {
		h.name = scalarAt(metadata, "name")
		h.namespace = scalarAt(metadata, "namespace")
	}
	return h
}

func scalarAt(n *yaml.Node, key string) string {
	_, value := lookup(n, key)
	if value = deref(value); value == nil || value.Kind != yaml.ScalarNode || typeOf(value) == isNull {
		return ""
	}
	return value.Value
}

func (h header) ref(kind *Kind) diag.Resource {
	ref := diag.Resource{APIVersion: h.apiVersion, Kind: h.kind, Name: h.name, Namespace: h.namespace}
	switch {
	case kind != nil && !kind.Namespaced:
		ref.Namespace = ""
	case ref.Namespace == "":
		ref.Namespace = "default"
	}
	return ref
}

func isListKind(kind string) bool { return kind == "List" || strings.HasSuffix(kind, "List") }

// list decodes the items of a List. Items of a VirtualServiceList need not repeat what they are.
func (d *Decoder) list(doc *document.Document, n *yaml.Node, h header, out *Decoded) {
	_, items := lookup(n, "items")
	items = deref(items)
	switch typeOf(items) {
	case isNull:
		return
	case isList:
	default:
		out.Findings = append(out.Findings, diag.Finding{Rule: "schema/wrong-type", Severity: diag.Error, Path: "items", Location: doc.Location(items),
			Resource: h.ref(nil), Message: fmt.Sprintf("items: a list is wanted here, this is %s", typeOf(items))})
		return
	}
	var item *header
	if kind := strings.TrimSuffix(h.kind, "List"); kind != "" {
		item = &header{apiVersion: h.apiVersion, kind: kind}
	}
	for _, i := range items.Content {
		d.object(doc, i, item, out)
	}
}

// headless deals with a mapping that lacks apiVersion or kind. Where the half that is there is one of the mesh's, the other was forgotten;
// else it is some other YAML file.
func (d *Decoder) headless(doc *document.Document, n *yaml.Node, h header, out *Decoded) {
	missing, mend := "", ""
	_, metadata := lookup(n, "metadata")
	switch group, _ := splitAPIVersion(h.apiVersion); {
	case h.kind != "" && metadata != nil:
		for _, k := range kindsByName() {
			if k.Kind == h.kind && (mend == "" || k.APIVersion() < mend) {
				missing, mend = "apiVersion", k.APIVersion()
			}
		}
	case strings.HasSuffix(group, "istio.io") || group == "gateway.networking.k8s.io":
		missing = "kind"
	}
	if missing == "" {
		out.Skipped = append(out.Skipped, document.NoKind)
		return
	}
	f := diag.Finding{Rule: "schema/missing-" + strings.ToLower(missing), Severity: diag.Error, Resource: h.ref(nil), Path: missing,
		Location: doc.Location(n), Message: fmt.Sprintf("the object has no %s", missing)}
	if mend != "" {
		f.Fix = &diag.Fix{Description: fmt.Sprintf("add %s: %s", missing, mend)}
	}
	out.Findings = append(out.Findings, f)
}

func retiredKindFinding(doc *document.Document, n *yaml.Node, h header, s successor) diag.Finding {
	key, _ := lookup(n, "kind")
	return diag.Finding{Rule: "schema/retired-kind", Severity: diag.Error, Resource: h.ref(nil), Path: "kind", Location: doc.Location(key),
		Message: fmt.Sprintf("%s of %s is no longer read; %s", h.kind, h.apiVersion, s.fix()),
		Fix:     &diag.Fix{Description: s.fix()}}
}

// unserved reports a version of a known kind that today's API servers do not serve.
func (w *walker) unserved(n *yaml.Node, h header) {
	_, value := lookup(n, "apiVersion")
	if value == nil {
		return
	}
	w.steps = append(w.steps[:0], pathStep{key: "apiVersion", index: -1})
	f := w.report("schema/unserved-version", diag.Error, value, fmt.Sprintf("%s is not served in version %s; use %s", h.kind, h.apiVersion, w.kind.APIVersion()))
	f.Fix = w.replace(value, w.kind.APIVersion(), "write "+w.kind.APIVersion())
	w.steps = w.steps[:0]
}

// resource decodes an object of a known kind.
func (w *walker) resource(n *yaml.Node, h header) *Resource {
	r := &Resource{APIVersion: h.apiVersion, Kind: h.kind, Document: w.doc, Node: n, Object: w.kind.New()}
	var meta *metav1.ObjectMeta
	if w.kind.spec {
		meta = &metav1.ObjectMeta{}
		w.istio(n, r.Object, meta)
	} else {
		w.value(reflect.ValueOf(r.Object).Elem(), n)
		if object, ok := r.Object.(interface{ GetObjectMeta() metav1.Object }); ok {
			meta, _ = object.GetObjectMeta().(*metav1.ObjectMeta)
		}
	}
	if w.kind.defaults != nil {
		w.kind.defaults(r.Object)
	}
	w.metadata(r, n, meta)
	return r
}

// istio decodes what Istio's kinds have in common: metadata, spec, and a status that is the cluster's business.
func (w *walker) istio(n *yaml.Node, spec any, meta *metav1.ObjectMeta) {
	content := pairs(n)
	for i := 0; i+1 < len(content); i += 2 {
		key, value := content[i], content[i+1]
		w.pushKey(key.Value)
		switch key.Value {
		case "metadata":
			w.fieldValue(reflect.ValueOf(meta).Elem(), key.Value, value)
		case "spec":
			if message, ok := spec.(proto.Message); ok {
				w.message(message.ProtoReflect(), value)
			} else {
				w.operator(reflect.ValueOf(spec).Elem(), value)
			}
		case "apiVersion", "kind", "status":
		default:
			w.pop()
			w.unknownField(key, slices.Values([]string{"apiVersion", "kind", "metadata", "spec", "status"}))
			continue
		}
		w.pop()
	}
}

// operator decodes an IstioOperator, most of which is free-form: only its mesh configuration is read strictly.
func (w *walker) operator(v reflect.Value, n *yaml.Node) {
	w.unknown = ""
	w.value(v, n)
	w.unknown = w.kind.Unknown
}

// metadata takes over what identifies the resource and reports what is missing.
func (w *walker) metadata(r *Resource, n *yaml.Node, meta *metav1.ObjectMeta) {
	if meta == nil {
		return
	}
	r.Name, r.Namespace, r.Labels, r.Annotations = meta.Name, meta.Namespace, meta.Labels, meta.Annotations
	if !meta.CreationTimestamp.IsZero() {
		r.Created = meta.CreationTimestamp.Time
	}
	r.NamespaceGiven = r.Namespace != ""
	switch {
	case !w.kind.Namespaced:
		r.Namespace, r.NamespaceGiven = "", false
	case r.Namespace == "":
		r.Namespace = "default"
	}
	if r.Name == "" && meta.GenerateName == "" {
		key, _ := lookup(n, "metadata")
		if key == nil {
			key = n
		}
		w.pushKey("metadata")
		w.pushKey("name")
		f := w.report("schema/missing-name", diag.Error, key, fmt.Sprintf("this %s has no metadata.name", r.Kind))
		f.Fix = &diag.Fix{Description: "give it a name"}
		w.steps = w.steps[:0]
	}
	if r.Name == "" {
		r.Name = meta.GenerateName
	}
}

// Settings decodes a node into a message of mesh-wide settings, MeshConfig or MeshNetworks. As istiod does, it takes snake_case names of fields
// too and only warns of fields that it does not know. The findings' paths begin with prefix.
func (d *Decoder) Settings(doc *document.Document, n *yaml.Node, ref diag.Resource, prefix string, into proto.Message) []diag.Finding {
	w := &walker{decoder: d, doc: doc, ref: ref, unknown: diag.Warning, protoNames: true}
	for _, step := range Steps(prefix) {
		if step.IsIndex {
			w.pushIndex(step.Index)
		} else {
			w.pushKey(step.Key)
		}
	}
	if n != nil {
		w.message(into.ProtoReflect(), n)
	}
	return w.all(n)
}

// Struct decodes a node into a Go value with json tags, strictly.
func (d *Decoder) Struct(doc *document.Document, n *yaml.Node, into any) []diag.Finding {
	w := &walker{decoder: d, doc: doc, unknown: diag.Error}
	if n != nil {
		w.value(reflect.ValueOf(into).Elem(), n)
	}
	return w.all(n)
}
