package canonical

import (
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Walk calls look with m and every message in it, parents first, those inside an Any too, and with the JSON pointer below m (empty for m),
// whose bytes are only valid during the call. Where look returns false the walk goes no deeper. Siblings come in no defined order. A nil unpack decodes; an Any that cannot
// be unpacked is a leaf. Like writing, it stops 500 levels deep.
func Walk(m proto.Message, unpack func(*anypb.Any) (proto.Message, error), look func(pointer []byte, m proto.Message) bool) {
	if unpack == nil {
		unpack = func(a *anypb.Any) (proto.Message, error) { return a.UnmarshalNew() }
	}
	w := walker{unpack: unpack, look: look}
	w.walk(m.ProtoReflect(), 0)
}

type walker struct {
	unpack  func(*anypb.Any) (proto.Message, error)
	look    func([]byte, proto.Message) bool
	pointer []byte
}

func (w *walker) walk(m protoreflect.Message, depth int) {
	if depth >= maxDepth || !w.look(w.pointer, m.Interface()) {
		return
	}
	if packed, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := w.unpack(packed); err == nil && inner != nil {
			w.walk(inner.ProtoReflect(), depth+1)
		}
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() != nil {
			w.field(fd, v, depth+1)
		}
		return true
	})
}

func (w *walker) field(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) {
	mark := len(w.pointer)
	w.pointer = append(append(w.pointer, '/'), fd.TextName()...)
	here := len(w.pointer)
	switch {
	case fd.IsMap():
		if fd.MapValue().Message() != nil {
			v.Map().Range(func(k protoreflect.MapKey, mv protoreflect.Value) bool {
				w.pointer = appendToken(append(w.pointer[:here], '/'), k.String())
				w.walk(mv.Message(), depth)
				return true
			})
		}
	case fd.IsList():
		for i := range v.List().Len() {
			w.pointer = strconv.AppendInt(append(w.pointer[:here], '/'), int64(i), 10)
			w.walk(v.List().Get(i).Message(), depth)
		}
	default:
		w.walk(v.Message(), depth)
	}
	w.pointer = w.pointer[:mark]
}
