package canonical

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// layout is what writing a message of one type needs to know, worked out once a document.
type layout struct {
	fields []fieldLayout // by index in the descriptor
	extra  map[protoreflect.FullName]*fieldLayout
	// write replaces the plain object for well-known types and Any.
	write func(*writer, protoreflect.Message)
}

type fieldLayout struct {
	rank  int
	key   string // `"name": `
	token string // "/name"
	kind  protoreflect.Kind
	enum  protoreflect.EnumDescriptor
	list  bool
	// mapValue is set for maps and describes their values.
	mapValue *fieldLayout
}

func (w *writer) layout(md protoreflect.MessageDescriptor) *layout {
	if l, ok := w.layouts[md]; ok {
		return l
	}
	fds := md.Fields()
	l := &layout{fields: make([]fieldLayout, fds.Len()), write: wellKnown(md.FullName())}
	for i := range fds.Len() {
		l.fields[i] = newFieldLayout(fds.Get(i), i)
	}
	w.layouts[md] = l
	return l
}

func (l *layout) field(fd protoreflect.FieldDescriptor) *fieldLayout {
	if !fd.IsExtension() {
		return &l.fields[fd.Index()]
	}
	if f, ok := l.extra[fd.FullName()]; ok {
		return f
	}
	if l.extra == nil {
		l.extra = map[protoreflect.FullName]*fieldLayout{}
	}
	// Extensions follow the message's own fields, by number, named as protojson names them.
	f := newFieldLayout(fd, len(l.fields)+int(fd.Number()))
	l.extra[fd.FullName()] = &f
	return &f
}

func newFieldLayout(fd protoreflect.FieldDescriptor, rank int) fieldLayout {
	name := fd.TextName()
	if name == "name" {
		rank = -1
	}
	f := fieldLayout{rank: rank, key: `"` + name + `": `, token: "/" + escapeToken(name), kind: fd.Kind(), enum: fd.Enum(), list: fd.IsList()}
	if fd.IsMap() {
		v := newFieldLayout(fd.MapValue(), 0)
		f.mapValue = &v
	}
	return f
}

// compareKeys orders map keys: false before true, numbers by size, text by bytes.
func compareKeys(a, b protoreflect.MapKey) int {
	switch x := a.Interface().(type) {
	case bool:
		if x == b.Bool() {
			return 0
		} else if x {
			return 1
		}
		return -1
	case int32, int64:
		return cmp.Compare(a.Int(), b.Int())
	case uint32, uint64:
		return cmp.Compare(a.Uint(), b.Uint())
	}
	return cmp.Compare(a.String(), b.String())
}

// appendToken appends one step of a JSON pointer (RFC 6901, section 3).
func appendToken(dst []byte, step string) []byte {
	if strings.ContainsAny(step, "~/") {
		step = escapeToken(step)
	}
	return append(dst, step...)
}

func escapeToken(step string) string {
	return strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1")
}

const hex = "0123456789abcdef"

// string writes a JSON string. Only what JSON demands is escaped, so text stays readable.
func (w *writer) string(s string) {
	if !utf8.ValidString(s) {
		w.fail("%w", errUTF8)
	}
	w.buf = append(w.buf, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		w.buf = append(w.buf, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			w.buf = append(w.buf, '\\', c)
		case '\n':
			w.buf = append(w.buf, '\\', 'n')
		case '\r':
			w.buf = append(w.buf, '\\', 'r')
		case '\t':
			w.buf = append(w.buf, '\\', 't')
		default:
			w.buf = append(w.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	w.buf = append(append(w.buf, s[start:]...), '"')
}

// float writes a number as ECMAScript does, and what JSON has no number for as text.
func (w *writer) float(v float64, bits int) {
	switch {
	case math.IsNaN(v):
		w.buf = append(w.buf, `"NaN"`...)
		return
	case math.IsInf(v, 1):
		w.buf = append(w.buf, `"Infinity"`...)
		return
	case math.IsInf(v, -1):
		w.buf = append(w.buf, `"-Infinity"`...)
		return
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	w.buf = strconv.AppendFloat(w.buf, v, format, -1, bits)
}
