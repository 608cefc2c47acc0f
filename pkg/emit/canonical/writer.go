// Package canonical writes protocol buffer messages as JSON whose bytes depend on the message alone.
//
// The mapping is that of protojson (https://protobuf.dev/programming-guides/json/), so Envoy and every other reader of it understands
// the result. What differs is form: field names are written as the .proto file spells them (static_resources, not staticResources), which
// is what Envoy's documentation and its configuration dumps in YAML use; white space is fixed, where protojson's varies from build to
// build; and fields stand in the order in which the .proto file declares them, with "@type" and "name" in front, since a
// reviewer looks for them first. Declaration order keeps together what belongs together (a match before its action) and, unlike field
// numbers, is the order of Envoy's reference pages.
//
// One more thing differs on purpose: a google.protobuf.Any whose type is not linked into the program is written with its bytes
// in base64 rather than refused: {"@type": "type.googleapis.com/x.Y", "value": "CgNmb28="}.
package canonical

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxDepth bounds nesting, so that a configuration made to be deep ends in an error and not in an exhausted stack.
const maxDepth = 500

// Options for writing. The zero value writes a message on its own.
type Options struct {
	// Unpack returns the message inside an Any. A nil Unpack decodes it. Where it returns an error the Any is written as base64.
	Unpack func(*anypb.Any) (proto.Message, error)
	// Visit is called with every message before it is written, parents before children, and with the JSON pointer (RFC 6901) at
	// which it is written; the values inside a google.protobuf.Struct are data and not visited. An Any and the message inside it share a pointer; the Any comes first. The pointer's bytes are
	// only valid during the call.
	Visit func(pointer []byte, m proto.Message)
	// Texts returns where the text of a message is kept that several documents hold, nil for other messages, and may itself be nil. The
	// message must be written alike in all of them. Messages within it are not asked for.
	Texts func(m proto.Message) *Texts
	// Marked tells whether Visit is called with a message within kept text; nil for all.
	Marked func(m proto.Message) bool
}

// Marshal returns the message as indented JSON that ends in a line feed. It fails where protojson would: for a duration or timestamp
// out of range, text that is not UTF-8, a google.protobuf.Value without a kind, and nesting of more than 500 levels.
func Marshal(m proto.Message, opts Options) ([]byte, error) {
	w := writer{Options: opts, layouts: map[protoreflect.MessageDescriptor]*layout{}}
	w.collect = func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		w.set = append(w.set, field{w.current.field(fd), v})
		return true
	}
	if w.Unpack == nil {
		w.Unpack = func(a *anypb.Any) (proto.Message, error) { return a.UnmarshalNew() }
	}
	w.message(m.ProtoReflect())
	if w.err != nil {
		return nil, w.err
	}
	w.buf = append(w.buf, '\n')
	return slices.Concat(append(w.chunks, w.buf)...), nil
}

// chunkSize is what is written at a time, in bytes. Documents have megabytes, and a buffer that grows to that size copies itself often.
const chunkSize = 64 << 10

// writer holds what one document needs. The first error sticks; writing goes on to no effect.
type writer struct {
	Options
	buf     []byte
	chunks  [][]byte // full ones, before buf
	pointer []byte
	depth   int
	layouts map[protoreflect.MessageDescriptor]*layout
	// set is a stack: each message appends its populated fields, writes them in order and cuts them off again.
	set []field
	// collect appends to set the fields of a message with the layout current. It lives here so that no message costs a closure.
	collect func(protoreflect.FieldDescriptor, protoreflect.Value) bool
	current *layout
	// kept is the text that is being written to be kept, and base the length of the pointer to its message.
	kept *text
	base int
	err  error
}

// field is one populated field of a message that is being written.
type field struct {
	*fieldLayout
	value protoreflect.Value
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w", w.pointer, fmt.Errorf(format, args...))
	}
}

func (w *writer) message(m protoreflect.Message) {
	if w.depth >= maxDepth {
		w.fail("nested more than %d levels deep", maxDepth)
		return
	}
	if w.Texts != nil && w.kept == nil {
		if t := w.Texts(m.Interface()); t != nil {
			w.keep(t, m)
			return
		}
	}
	w.plain(m)
}

// plain writes a message in full.
func (w *writer) plain(m protoreflect.Message) {
	w.visit(m.Interface())
	l := w.layout(m.Descriptor())
	if l.write != nil {
		l.write(w, m)
		return
	}
	w.open('{')
	if !w.fields(l, m, true) {
		w.empty('}')
		return
	}
	w.close('}')
}

// fields writes the populated fields as members and reports whether there were any.
func (w *writer) fields(l *layout, m protoreflect.Message, first bool) bool {
	start := len(w.set)
	w.current = l
	m.Range(w.collect)
	end := len(w.set)
	slices.SortFunc(w.set[start:end], func(a, b field) int { return a.rank - b.rank })
	for i := start; i < end; i++ {
		f := w.set[i]
		w.member(first)
		first = false
		w.buf = append(w.buf, f.key...)
		mark := len(w.pointer)
		w.pointer = append(w.pointer, f.token...)
		w.field(f.fieldLayout, f.value)
		w.pointer = w.pointer[:mark]
	}
	w.set = w.set[:start]
	return end > start
}

func (w *writer) field(f *fieldLayout, v protoreflect.Value) {
	switch {
	case f.list:
		w.list(f, v.List())
	case f.mapValue != nil:
		w.mapping(f, v.Map())
	default:
		w.value(f, v)
	}
}

func (w *writer) list(f *fieldLayout, list protoreflect.List) {
	n := list.Len()
	if n == 0 {
		w.buf = append(w.buf, "[]"...)
		return
	}
	w.open('[')
	mark := len(w.pointer)
	for i := range n {
		w.member(i == 0)
		w.pointer = strconv.AppendInt(append(w.pointer, '/'), int64(i), 10)
		w.value(f, list.Get(i))
		w.pointer = w.pointer[:mark]
	}
	w.close(']')
}

func (w *writer) mapping(f *fieldLayout, m protoreflect.Map) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	if len(keys) == 0 {
		w.buf = append(w.buf, "{}"...)
		return
	}
	slices.SortFunc(keys, compareKeys)
	w.open('{')
	for i, k := range keys {
		mark := w.key(k.String(), i == 0)
		w.value(f.mapValue, m.Get(k))
		w.pointer = w.pointer[:mark]
	}
	w.close('}')
}

// key begins the member of a map and returns how long the pointer was before.
func (w *writer) key(name string, first bool) int {
	w.member(first)
	w.string(name)
	w.buf = append(w.buf, ": "...)
	mark := len(w.pointer)
	w.pointer = appendToken(append(w.pointer, '/'), name)
	return mark
}

func (w *writer) value(f *fieldLayout, v protoreflect.Value) {
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		w.message(v.Message())
	case protoreflect.StringKind:
		w.string(v.String())
	case protoreflect.BoolKind:
		w.buf = strconv.AppendBool(w.buf, v.Bool())
	case protoreflect.EnumKind:
		w.enum(f.enum, v.Enum())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		w.buf = strconv.AppendInt(w.buf, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		w.buf = strconv.AppendUint(w.buf, v.Uint(), 10)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		// 64 bits do not fit the numbers of JSON readers, so the mapping puts them in quotes.
		w.buf = append(strconv.AppendInt(append(w.buf, '"'), v.Int(), 10), '"')
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.buf = append(strconv.AppendUint(append(w.buf, '"'), v.Uint(), 10), '"')
	case protoreflect.FloatKind:
		w.float(v.Float(), 32)
	case protoreflect.DoubleKind:
		w.float(v.Float(), 64)
	case protoreflect.BytesKind:
		w.bytes(v.Bytes())
	default:
		w.fail("a field of the unknown kind %v", f.kind)
	}
}

func (w *writer) enum(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) {
	if ed.FullName() == "google.protobuf.NullValue" {
		w.buf = append(w.buf, "null"...)
		return
	}
	if v := ed.Values().ByNumber(n); v != nil {
		w.buf = append(append(append(w.buf, '"'), v.Name()...), '"')
		return
	}
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
}

func (w *writer) bytes(b []byte) {
	w.buf = append(base64.StdEncoding.AppendEncode(append(w.buf, '"'), b), '"')
}

func (w *writer) open(bracket byte) {
	w.buf = append(w.buf, bracket)
	w.depth++
}

func (w *writer) close(bracket byte) {
	w.depth--
	w.newline()
	w.buf = append(w.buf, bracket)
}

func (w *writer) empty(bracket byte) {
	w.depth--
	w.buf = append(w.buf, bracket)
}

// member begins a line for the next member or element.
func (w *writer) member(first bool) {
	if !first {
		w.buf = append(w.buf, ',')
	}
	if len(w.buf) > chunkSize {
		w.chunks = append(w.chunks, w.buf)
		w.buf = make([]byte, 0, chunkSize+chunkSize/8)
	}
	w.newline()
}

func (w *writer) newline() {
	const blanks = "\n                                                                "
	if n := 2 * w.depth; n < len(blanks) {
		w.buf = append(w.buf, blanks[:1+n]...)
		return
	}
	w.buf = append(w.buf, '\n')
	for range w.depth {
		w.buf = append(w.buf, "  "...)
	}
}

var errUTF8 = errors.New("text that is not valid UTF-8")
