package resource

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/meshc/meshc/pkg/diag"
)

// message fills a protobuf message from a node, by the JSON mapping as Istio's API types apply it: durations as Go writes them, enums by
// name or number, null as absent.
func (w *walker) message(m protoreflect.Message, n *yaml.Node) {
	n = deref(n)
	if strings.HasPrefix(string(m.Descriptor().FullName()), "google.protobuf.") {
		w.wellKnown(m, n)
		return
	}
	switch typeOf(n) {
	case isNull:
		return
	case isMapping:
	default:
		w.wrongType(n, "an object", "")
		return
	}
	fields := m.Descriptor().Fields()
	content := pairs(n)
	for i := 0; i+1 < len(content); i += 2 {
		key, value := content[i], deref(content[i+1])
		name := key.Value
		fd := fields.ByJSONName(name)
		if fd == nil && w.protoNames {
			fd = fields.ByName(protoreflect.Name(name))
		}
		if fd == nil {
			w.unknownField(key, jsonNames(fields))
			continue
		}
		w.deprecated(key, fd)
		w.pushKey(name)
		if typeOf(value) == isNull && !isFreeForm(fd) {
			w.null(value)
			w.pop()
			continue
		}
		if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
			w.oneof(m, oneof, fd, key)
		}
		w.protoField(m, fd, value)
		w.pop()
	}
}

// isFreeForm tells whether null is a value of the field's type.
func isFreeForm(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Value" && !fd.IsList() && !fd.IsMap()
}

func jsonNames(fields protoreflect.FieldDescriptors) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range fields.Len() {
			if !yield(fields.Get(i).JSONName()) {
				return
			}
		}
	}
}

// oneof reports a second field of those that exclude each other.
func (w *walker) oneof(m protoreflect.Message, oneof protoreflect.OneofDescriptor, fd protoreflect.FieldDescriptor, key *yaml.Node) {
	if other := m.WhichOneof(oneof); other != nil && other != fd {
		w.report("schema/one-of", diag.Error, key, fmt.Sprintf("%s: only one of %q and %q may be set", w.field(), other.JSONName(), fd.JSONName()))
	}
}

// protoField sets a field. What the message held there before (a default, say) is replaced, not merged with.
func (w *walker) protoField(m protoreflect.Message, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	m.Clear(fd)
	switch {
	case fd.IsMap():
		w.protoMap(m, fd, n)
	case fd.IsList():
		w.protoList(m, fd, n)
	case fd.Message() != nil:
		w.message(m.Mutable(fd).Message(), n)
	default:
		if value, ok := w.protoScalar(fd, n); ok {
			m.Set(fd, value)
		}
	}
}

func (w *walker) protoList(m protoreflect.Message, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	if typeOf(n) != isList {
		w.wrongType(n, "a list", "write it as a list item, with \"- \" in front")
		return
	}
	list := m.Mutable(fd).List()
	for i, item := range n.Content {
		item = deref(item)
		w.pushIndex(i)
		switch {
		case typeOf(item) == isNull && (fd.Message() == nil || fd.Message().FullName() != "google.protobuf.Value"):
			w.wrongType(item, "a value", "fill the list item or remove it")
			if fd.Message() != nil {
				list.AppendMutable()
			}
		case fd.Message() != nil:
			w.message(list.AppendMutable().Message(), item)
		default:
			if value, ok := w.protoScalar(fd, item); ok {
				list.Append(value)
			}
		}
		w.pop()
	}
}

func (w *walker) protoMap(m protoreflect.Message, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	if typeOf(n) != isMapping {
		w.wrongType(n, "an object", "")
		return
	}
	entries := m.Mutable(fd).Map()
	content := pairs(n)
	for i := 0; i+1 < len(content); i += 2 {
		text, item := keyText(content[i]), deref(content[i+1])
		w.pushKey(text)
		key, ok := w.protoMapKey(fd.MapKey(), content[i], text)
		switch {
		case !ok:
		case fd.MapValue().Message() != nil:
			value := entries.NewValue()
			w.message(value.Message(), item)
			entries.Set(key, value)
		case typeOf(item) == isNull:
			w.wrongType(item, "a value", "fill it or remove the key")
			entries.Set(key, fd.MapValue().Default())
		default:
			if value, ok := w.protoScalar(fd.MapValue(), item); ok {
				entries.Set(key, value)
			}
		}
		w.pop()
	}
}

func (w *walker) protoMapKey(fd protoreflect.FieldDescriptor, n *yaml.Node, text string) (protoreflect.MapKey, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text).MapKey(), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		if u, err := strconv.ParseUint(text, 10, 32); err == nil {
			return protoreflect.ValueOfUint32(uint32(u)).MapKey(), true
		}
	case protoreflect.Int32Kind:
		if i, err := strconv.ParseInt(text, 10, 32); err == nil {
			return protoreflect.ValueOfInt32(int32(i)).MapKey(), true
		}
	case protoreflect.Int64Kind:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return protoreflect.ValueOfInt64(i).MapKey(), true
		}
	case protoreflect.BoolKind:
		if b, err := strconv.ParseBool(text); err == nil {
			return protoreflect.ValueOfBool(b).MapKey(), true
		}
	}
	w.wrongValue(n, fmt.Sprintf("%q is no valid key here: a number is wanted", text))
	return protoreflect.MapKey{}, false
}

// protoScalar reads a scalar. A value of another type is reported, and still read where that makes sense, so that later stages see what was meant.
func (w *walker) protoScalar(fd protoreflect.FieldDescriptor, n *yaml.Node) (protoreflect.Value, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		s, ok := w.text(n)
		return protoreflect.ValueOfString(s), ok
	case protoreflect.BoolKind:
		b, ok := w.boolean(n)
		return protoreflect.ValueOfBool(b), ok
	case protoreflect.EnumKind:
		return w.enum(fd.Enum(), n)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		i, ok := w.integer(n, math.MinInt32, math.MaxInt32, false)
		return protoreflect.ValueOfInt32(int32(i)), ok
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		i, ok := w.integer(n, math.MinInt64, math.MaxInt64, w.protoNames)
		return protoreflect.ValueOfInt64(i), ok
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		i, ok := w.integer(n, 0, math.MaxUint32, false)
		return protoreflect.ValueOfUint32(uint32(i)), ok
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		u, ok := w.unsigned(n, w.protoNames)
		return protoreflect.ValueOfUint64(u), ok
	case protoreflect.FloatKind:
		f, ok := w.decimal(n)
		return protoreflect.ValueOfFloat32(float32(f)), ok
	case protoreflect.DoubleKind:
		f, ok := w.decimal(n)
		return protoreflect.ValueOfFloat64(f), ok
	case protoreflect.BytesKind:
		b, ok := w.bytes(n)
		return protoreflect.ValueOfBytes(b), ok
	}
	return protoreflect.Value{}, false
}

func (w *walker) enum(ed protoreflect.EnumDescriptor, n *yaml.Node) (protoreflect.Value, bool) {
	switch typeOf(n) {
	case isString, isBool:
		if v := ed.Values().ByName(protoreflect.Name(n.Value)); v != nil {
			return protoreflect.ValueOfEnum(v.Number()), true
		}
	case isInt:
		if i, err := strconv.ParseInt(n.Value, 0, 32); err == nil {
			if v := ed.Values().ByNumber(protoreflect.EnumNumber(i)); v != nil {
				return protoreflect.ValueOfEnum(v.Number()), true
			}
		}
	default:
		w.wrongType(n, "one of "+enumNames(ed), "")
		return protoreflect.Value{}, false
	}
	names := func(yield func(string) bool) {
		for i := range ed.Values().Len() {
			if !yield(string(ed.Values().Get(i).Name())) {
				return
			}
		}
	}
	message := fmt.Sprintf("%q is none of %s", n.Value, enumNames(ed))
	nearest := closest(n.Value, names)
	if nearest != "" {
		message += fmt.Sprintf("; did you mean %s?", nearest)
	}
	f := w.wrongValue(n, message)
	if nearest != "" {
		f.Fix = w.replace(n, nearest, "write "+nearest)
	}
	return protoreflect.Value{}, false
}

func enumNames(ed protoreflect.EnumDescriptor) string {
	var names []string
	for i := range ed.Values().Len() {
		names = append(names, string(ed.Values().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// wellKnown reads the messages of google.protobuf that have a JSON form of their own.
func (w *walker) wellKnown(m protoreflect.Message, n *yaml.Node) {
	switch target := m.Interface().(type) {
	case *durationpb.Duration:
		if d, ok := w.duration(n); ok {
			target.Seconds, target.Nanos = int64(d/time.Second), int32(d%time.Second)
		}
	case *timestamppb.Timestamp:
		s, ok := w.text(n)
		if !ok {
			return
		}
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			w.wrongValue(n, fmt.Sprintf("%q is no time such as 2006-01-02T15:04:05Z", s))
			return
		}
		target.Seconds, target.Nanos = t.Unix(), int32(t.Nanosecond())
	case *structpb.Struct:
		if typeOf(n) != isMapping {
			w.wrongType(n, "an object", "")
			return
		}
		target.Fields = structValue(n).GetStructValue().GetFields()
	case *structpb.Value:
		target.Kind = structValue(n).Kind
	case *structpb.ListValue:
		if typeOf(n) != isList {
			w.wrongType(n, "a list", "")
			return
		}
		target.Values = structValue(n).GetListValue().GetValues()
	default:
		// The wrappers have one field, "value".
		fd := m.Descriptor().Fields().ByName("value")
		if fd == nil || fd.Message() != nil || m.Descriptor().Fields().Len() != 1 {
			return
		}
		if value, ok := w.protoScalar(fd, n); ok {
			m.Set(fd, value)
		}
	}
}

// structValue turns a node into a free-form protobuf value.
func structValue(n *yaml.Node) *structpb.Value {
	n = deref(n)
	switch typeOf(n) {
	case isMapping:
		content := pairs(n)
		fields := make(map[string]*structpb.Value, len(content)/2)
		for i := 0; i+1 < len(content); i += 2 {
			fields[keyText(content[i])] = structValue(content[i+1])
		}
		return structpb.NewStructValue(&structpb.Struct{Fields: fields})
	case isList:
		values := make([]*structpb.Value, len(n.Content))
		for i, item := range n.Content {
			values[i] = structValue(item)
		}
		return structpb.NewListValue(&structpb.ListValue{Values: values})
	case isBool:
		return structpb.NewBoolValue(isTrue(n.Value))
	case isInt, isFloat:
		if f, err := parseFloat(n.Value); err == nil {
			return structpb.NewNumberValue(f)
		}
		return structpb.NewStringValue(n.Value)
	case isNull:
		return structpb.NewNullValue()
	}
	return structpb.NewStringValue(n.Value)
}

// duration reads "10s", "1h30m", "0.5s".
func (w *walker) duration(n *yaml.Node) (time.Duration, bool) {
	switch typeOf(n) {
	case isString:
	case isInt, isFloat:
		f := w.wrongType(n, "a duration such as 10s", "")
		f.Fix = w.replace(n, n.Value+"s", "add the unit: "+n.Value+"s")
		return 0, false
	default:
		w.wrongType(n, "a duration such as 10s", "")
		return 0, false
	}
	d, err := time.ParseDuration(n.Value)
	if err != nil {
		w.wrongValue(n, fmt.Sprintf("%q is no duration; write a number with a unit, such as 10s, 500ms or 1h30m", n.Value))
		return 0, false
	}
	return d, true
}

func (w *walker) bytes(n *yaml.Node) ([]byte, bool) {
	s, ok := w.text(n)
	if !ok {
		return nil, false
	}
	s = strings.Join(strings.Fields(s), "")
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(s); err == nil {
			return b, true
		}
	}
	w.wrongValue(n, "this is no base64")
	return nil, false
}
