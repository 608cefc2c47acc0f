package canonical

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// wellKnown returns how a type is written whose JSON form is not an object of its fields, nil for any other.
func wellKnown(name protoreflect.FullName) func(*writer, protoreflect.Message) {
	rest, ok := strings.CutPrefix(string(name), "google.protobuf.")
	if !ok {
		return nil
	}
	switch rest {
	case "Any":
		return (*writer).any
	case "Duration":
		return (*writer).duration
	case "Timestamp":
		return (*writer).timestamp
	case "Struct":
		return (*writer).structure
	case "ListValue":
		return (*writer).listValue
	case "Value":
		return (*writer).dynamic
	case "FieldMask":
		return (*writer).fieldMask
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		return (*writer).wrapper
	}
	return nil
}

// at returns the field of that number; well-known types never change theirs.
func at(m protoreflect.Message, number protoreflect.FieldNumber) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByNumber(number))
}

// any writes the message inside with its type in front.
func (w *writer) any(m protoreflect.Message) {
	url, value := at(m, 1).String(), at(m, 2).Bytes()
	if url == "" && len(value) == 0 {
		w.buf = append(w.buf, "{}"...)
		return
	}
	w.open('{')
	w.member(true)
	w.buf = append(w.buf, `"@type": `...)
	w.string(url)
	w.packed(m, value)
	w.close('}')
}

func (w *writer) packed(m protoreflect.Message, value []byte) {
	packed, ok := m.Interface().(*anypb.Any)
	if !ok {
		packed = &anypb.Any{TypeUrl: at(m, 1).String(), Value: value}
	}
	inner, err := w.Unpack(packed)
	if err != nil || inner == nil {
		w.member(false)
		w.buf = append(w.buf, `"value": `...)
		w.bytes(value)
		return
	}
	r := inner.ProtoReflect()
	if l := w.layout(r.Descriptor()); l.write == nil {
		w.visit(inner)
		if w.depth >= maxDepth {
			w.fail("nested more than %d levels deep", maxDepth)
			return
		}
		w.fields(l, r, false)
		return
	}
	// A type with a JSON form of its own goes under "value".
	mark := w.key("value", false)
	w.message(r)
	w.pointer = w.pointer[:mark]
}

func (w *writer) wrapper(m protoreflect.Message) {
	fd := m.Descriptor().Fields().ByNumber(1)
	w.value(w.layout(m.Descriptor()).field(fd), m.Get(fd))
}

// duration writes seconds with three, six or nine decimals, or none.
func (w *writer) duration(m protoreflect.Message) {
	const most = 315_576_000_000 // 10,000 years, as the type's definition allows
	var seconds, nanos int64
	if d, ok := m.Interface().(*durationpb.Duration); ok {
		seconds, nanos = d.GetSeconds(), int64(d.GetNanos())
	} else {
		seconds, nanos = at(m, 1).Int(), at(m, 2).Int()
	}
	if seconds < -most || seconds > most || nanos <= -1e9 || nanos >= 1e9 || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		w.fail("a duration of %d seconds and %d nanoseconds is out of range", seconds, nanos)
		return
	}
	w.buf = append(w.buf, '"')
	if seconds < 0 || nanos < 0 {
		w.buf, seconds, nanos = append(w.buf, '-'), -seconds, -nanos
	}
	w.buf = append(append(strconv.AppendInt(w.buf, seconds, 10), decimals(nanos)...), `s"`...)
}

func (w *writer) timestamp(m protoreflect.Message) {
	const first, last = -62_135_596_800, 253_402_300_799 // years 1 to 9999
	seconds, nanos := at(m, 1).Int(), at(m, 2).Int()
	if seconds < first || seconds > last || nanos < 0 || nanos >= 1e9 {
		w.fail("a timestamp of %d seconds and %d nanoseconds is out of range", seconds, nanos)
		return
	}
	w.buf = fmt.Appendf(w.buf, `"%s%sZ"`, time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05"), decimals(nanos))
}

func decimals(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	s := fmt.Sprintf(".%09d", nanos)
	for strings.HasSuffix(s, "000") {
		s = s[:len(s)-3]
	}
	return s
}

func (w *writer) structure(m protoreflect.Message) {
	if s, ok := m.Interface().(*structpb.Struct); ok {
		w.structFields(s)
		return
	}
	fd := m.Descriptor().Fields().ByNumber(1)
	w.mapping(w.layout(m.Descriptor()).field(fd), m.Get(fd).Map())
}

func (w *writer) listValue(m protoreflect.Message) {
	if l, ok := m.Interface().(*structpb.ListValue); ok {
		w.structList(l)
		return
	}
	fd := m.Descriptor().Fields().ByNumber(1)
	w.list(w.layout(m.Descriptor()).field(fd), m.Get(fd).List())
}

func (w *writer) dynamic(m protoreflect.Message) {
	if v, ok := m.Interface().(*structpb.Value); ok {
		w.structValue(v)
		return
	}
	fd := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if fd == nil {
		w.fail("a google.protobuf.Value without a kind")
		return
	}
	v := m.Get(fd)
	if fd.Kind() == protoreflect.DoubleKind && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		w.fail("a google.protobuf.Value cannot be %v", v.Float())
		return
	}
	w.value(w.layout(m.Descriptor()).field(fd), v)
}

// fieldMask joins the paths with commas, each in camel case; a path that would not come back the same is refused.
func (w *writer) fieldMask(m protoreflect.Message) {
	list := at(m, 1).List()
	paths := make([]string, list.Len())
	for i := range paths {
		path := list.Get(i).String()
		paths[i] = camelCase(path)
		if slices.ContainsFunc([]byte(path), func(c byte) bool { return c >= 'A' && c <= 'Z' }) || strings.Contains(path, "__") ||
			strings.HasSuffix(path, "_") {
			w.fail("the field mask path %q has no JSON form", path)
		}
	}
	w.string(strings.Join(paths, ","))
}

func camelCase(s string) string {
	var b strings.Builder
	up := false
	for _, c := range []byte(s) {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}
