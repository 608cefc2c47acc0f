package patch

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Merge is how a message is merged into another. The zero value appends lists.
type Merge struct {
	// ReplaceLists puts lists in the place of those that are there, instead of after their elements.
	ReplaceLists bool
	// Copied is told of each message that the merged one has a changed copy of, parents after their children; nil for nobody.
	Copied func(from, to proto.Message)
}

// Into returns dst with what src sets merged into it, as istiod does: scalars and durations replace, messages merge field by field, lists
// are appended, entries of maps replace those of the same key. Neither dst nor src is changed: what has to change is copied, and all
// else is shared with dst. Both must be of the same type; what is inside an Any is not looked at.
func (m Merge) Into(dst, src proto.Message) proto.Message {
	return m.message(dst.ProtoReflect(), src.ProtoReflect()).Interface()
}

func (m Merge) message(dst, src protoreflect.Message) protoreflect.Message {
	out := shallow(dst)
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList():
			out.Set(fd, m.list(out, fd, v.List()))
		case fd.IsMap():
			merged := out.NewField(fd).Map()
			copyMap(merged, out.Get(fd).Map(), false)
			copyMap(merged, v.Map(), fd.MapValue().Message() != nil)
			out.Set(fd, protoreflect.ValueOfMap(merged))
		case fd.Message() == nil:
			out.Set(fd, v)
		case !out.Has(fd) || fd.Message().FullName() == "google.protobuf.Duration":
			// Merging 500ms into 1s would give 1.5s.
			out.Set(fd, protoreflect.ValueOfMessage(clone(v.Message())))
		default:
			out.Set(fd, protoreflect.ValueOfMessage(m.message(out.Get(fd).Message(), v.Message())))
		}
		return true
	})
	if unknown := src.GetUnknown(); len(unknown) > 0 {
		out.SetUnknown(append(append(protoreflect.RawFields(nil), out.GetUnknown()...), unknown...))
	}
	if m.Copied != nil {
		m.Copied(dst.Interface(), out.Interface())
	}
	return out
}

func (m Merge) list(dst protoreflect.Message, fd protoreflect.FieldDescriptor, src protoreflect.List) protoreflect.Value {
	merged := dst.NewField(fd).List()
	if !m.ReplaceLists {
		have := dst.Get(fd).List()
		for i := range have.Len() {
			merged.Append(have.Get(i))
		}
	}
	for i := range src.Len() {
		v := src.Get(i)
		if fd.Message() != nil {
			v = protoreflect.ValueOfMessage(clone(v.Message()))
		}
		merged.Append(v)
	}
	return protoreflect.ValueOfList(merged)
}

func copyMap(to, from protoreflect.Map, deep bool) {
	from.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if deep {
			v = protoreflect.ValueOfMessage(clone(v.Message()))
		}
		to.Set(k, v)
		return true
	})
}

func clone(m protoreflect.Message) protoreflect.Message {
	return proto.Clone(m.Interface()).ProtoReflect()
}

// Shallow returns a copy of m that shares its parts. Its lists and maps are m's own, and must be replaced rather than added to.
func Shallow[T proto.Message](m T) T {
	return shallow(m.ProtoReflect()).Interface().(T)
}

func shallow(from protoreflect.Message) protoreflect.Message {
	to := from.New()
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(fd, v)
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to
}

// Touched returns the part of before that merging src would change: the fields that src sets, with what they hold in before. Fields
// that before lacks are absent.
func Touched(before, src proto.Message) proto.Message {
	return touched(before.ProtoReflect(), src.ProtoReflect()).Interface()
}

func touched(before, src protoreflect.Message) protoreflect.Message {
	out := before.New()
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !before.Has(fd) {
			return true
		}
		was := before.Get(fd)
		switch {
		case fd.IsMap():
			kept := out.NewField(fd).Map()
			v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
				if was.Map().Has(k) {
					kept.Set(k, was.Map().Get(k))
				}
				return true
			})
			if kept.Len() > 0 {
				out.Set(fd, protoreflect.ValueOfMap(kept))
			}
		case fd.IsList() || fd.Message() == nil || fd.Message().FullName() == "google.protobuf.Any":
			out.Set(fd, was)
		default:
			out.Set(fd, protoreflect.ValueOfMessage(touched(was.Message(), v.Message())))
		}
		return true
	})
	return out
}
