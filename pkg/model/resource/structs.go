package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshc/meshc/pkg/diag"
)

// structPlan is how a Go struct with json tags is filled: its fields by JSON name, those of inlined structs among them.
type structPlan struct{ fields map[string]fieldPlan }

type fieldPlan struct {
	index []int
	typ   reflect.Type
}

// plan returns the plan of a struct type, made at first use.
func (d *Decoder) plan(t reflect.Type) *structPlan {
	if known, ok := d.plans.Load(t); ok {
		return known.(*structPlan)
	}
	plan := &structPlan{fields: map[string]fieldPlan{}}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || !field.IsExported() {
			continue
		}
		if name == "" && (field.Anonymous || strings.Contains(options, "inline")) && field.Type.Kind() == reflect.Struct {
			for inner, p := range d.plan(field.Type).fields {
				plan.fields[inner] = fieldPlan{index: append([]int{i}, p.index...), typ: p.typ}
			}
			continue
		}
		if name == "" {
			name = field.Name
		}
		plan.fields[name] = fieldPlan{index: []int{i}, typ: field.Type}
	}
	known, _ := d.plans.LoadOrStore(t, plan)
	return known.(*structPlan)
}

// forms of reading that need no look at the Go kind.
type form int

const (
	formKind form = iota
	formJSON
	formIntOrString
	formMessage
	formTime
)

// formOf tells how a type wants to be read.
func (d *Decoder) formOf(t reflect.Type) form {
	if known, ok := d.forms.Load(t); ok {
		return known.(form)
	}
	f := formKind
	pointer := reflect.PointerTo(t)
	switch {
	case t == reflect.TypeFor[intstr.IntOrString]():
		f = formIntOrString
	case t == reflect.TypeFor[metav1.Time]():
		f = formTime
	case pointer.Implements(protoMessageType) && t.Kind() == reflect.Struct:
		f = formMessage
	case pointer.Implements(reflect.TypeFor[json.Unmarshaler]()):
		f = formJSON
	}
	d.forms.Store(t, f)
	return f
}

// value fills a Go value from a node.
func (w *walker) value(v reflect.Value, n *yaml.Node) {
	n = deref(n)
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		if typeOf(n) == isNull {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(t.Elem()))
		}
		w.value(v.Elem(), n)
		return
	}
	switch w.decoder.formOf(t) {
	case formIntOrString:
		w.intOrString(v, n)
		return
	case formMessage:
		w.inMessage(v, n)
		return
	case formTime:
		w.time(v, n)
		return
	case formJSON:
		w.viaJSON(v, n)
		return
	}
	if typeOf(n) == isNull {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w.structure(v, n)
	case reflect.Map:
		w.mapping(v, n)
	case reflect.Slice:
		w.slice(v, n)
	case reflect.String:
		if s, ok := w.text(n); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := w.boolean(n); ok {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int64:
		if i, ok := w.integer(n, math.MinInt64, math.MaxInt64, false); ok {
			v.SetInt(i)
		}
	case reflect.Int8, reflect.Int16, reflect.Int32:
		bound := int64(1) << (t.Bits() - 1)
		if i, ok := w.integer(n, -bound, bound-1, false); ok {
			v.SetInt(i)
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		if i, ok := w.integer(n, 0, int64(1)<<t.Bits()-1, false); ok {
			v.SetUint(uint64(i))
		}
	case reflect.Uint, reflect.Uint64:
		if u, ok := w.unsigned(n, false); ok {
			v.SetUint(u)
		}
	case reflect.Float32, reflect.Float64:
		if f, ok := w.decimal(n); ok {
			v.SetFloat(f)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(plain(n)))
	}
}

func (w *walker) structure(v reflect.Value, n *yaml.Node) {
	if typeOf(n) != isMapping {
		w.wrongType(n, "an object", "")
		return
	}
	plan := w.decoder.plan(v.Type())
	content := pairs(n)
	for i := 0; i+1 < len(content); i += 2 {
		key := content[i]
		field, ok := plan.fields[key.Value]
		if !ok {
			w.unknownField(key, maps.Keys(plan.fields))
			continue
		}
		w.pushKey(key.Value)
		if value := deref(content[i+1]); typeOf(value) == isNull {
			w.null(value)
		} else {
			w.fieldValue(v.FieldByIndex(field.index), key.Value, value)
		}
		w.pop()
	}
}

// fieldValue fills a field; what Kubernetes itself writes (status, managed fields) is read without complaint.
func (w *walker) fieldValue(v reflect.Value, name string, n *yaml.Node) {
	if len(w.steps) == 1 && name == "status" || len(w.steps) == 2 && w.steps[0].key == "metadata" && name == "managedFields" {
		quiet := *w
		quiet.unknown = ""
		quiet.findings = nil
		quiet.value(v, n)
		return
	}
	if len(w.steps) == 1 && name == "metadata" && w.unknown == diag.Error {
		w.unknown = diag.Warning
		defer func() { w.unknown = diag.Error }()
	}
	w.value(v, n)
}

func (w *walker) mapping(v reflect.Value, n *yaml.Node) {
	if typeOf(n) != isMapping {
		w.wrongType(n, "an object", "")
		return
	}
	t := v.Type()
	content := pairs(n)
	entries := reflect.MakeMapWithSize(t, len(content)/2)
	for i := 0; i+1 < len(content); i += 2 {
		text := keyText(content[i])
		item := deref(content[i+1])
		w.pushKey(text)
		value := reflect.New(t.Elem()).Elem()
		if typeOf(item) == isNull && t.Elem().Kind() == reflect.String {
			w.wrongType(item, "a string", "write \"\" or remove the key")
		}
		w.value(value, item)
		if key := reflect.New(t.Key()).Elem(); t.Key().Kind() == reflect.String {
			key.SetString(text)
			entries.SetMapIndex(key, value)
		}
		w.pop()
	}
	v.Set(entries)
}

func (w *walker) slice(v reflect.Value, n *yaml.Node) {
	t := v.Type()
	if t.Elem().Kind() == reflect.Uint8 {
		if b, ok := w.bytes(n); ok {
			v.SetBytes(b)
		}
		return
	}
	if typeOf(n) != isList {
		w.wrongType(n, "a list", "write it as a list item, with \"- \" in front")
		return
	}
	items := reflect.MakeSlice(t, len(n.Content), len(n.Content))
	for i, item := range n.Content {
		w.pushIndex(i)
		if typeOf(deref(item)) == isNull && t.Elem().Kind() != reflect.Interface {
			w.wrongType(deref(item), "a value", "fill the list item or remove it")
		} else {
			w.value(items.Index(i), item)
		}
		w.pop()
	}
	v.Set(items)
}

func (w *walker) intOrString(v reflect.Value, n *yaml.Node) {
	switch typeOf(n) {
	case isInt:
		if i, ok := w.integer(n, math.MinInt32, math.MaxInt32, false); ok {
			v.Set(reflect.ValueOf(intstr.FromInt32(int32(i))))
		}
	case isString:
		v.Set(reflect.ValueOf(intstr.FromString(n.Value)))
	case isNull:
	default:
		w.wrongType(n, "a number or a name", "")
	}
}

// time reads a time as Kubernetes writes it. Other tools write YAML's own form, with a blank in place of the T: it is understood, with a
// warning, since creation times order resources.
func (w *walker) time(v reflect.Value, n *yaml.Node) {
	if typeOf(n) == isNull {
		return
	}
	s, ok := w.text(n)
	if !ok {
		return
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		message := fmt.Sprintf("%q is no time such as 2006-01-02T15:04:05Z", s)
		if t, err = time.Parse("2006-01-02 15:04:05Z07:00", s); err != nil {
			w.wrongValue(n, message)
			return
		}
		w.wrongValue(n, message).Severity = diag.Warning
	}
	v.Set(reflect.ValueOf(metav1.NewTime(t)))
}

// viaJSON lets a type read itself.
func (w *walker) viaJSON(v reflect.Value, n *yaml.Node) {
	if typeOf(n) == isNull {
		return
	}
	text, err := toJSON(n)
	if err == nil {
		err = v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(text)
	}
	if err != nil {
		w.wrongValue(n, fmt.Sprintf("%s is no valid %s", strconv.Quote(excerpt(string(text))), wanted(v.Type())))
	}
}

// excerpt shortens a value for a message.
func excerpt(s string) string {
	s = strings.Trim(s, `"`)
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}

// wanted names what a type that reads itself stands for.
func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[metav1.MicroTime]():
		return "time such as 2006-01-02T15:04:05.000000Z"
	}
	return strings.ToLower(t.Name())
}
