package patch

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Violation returns the first rule of Envoy's API that the message or one packed inside it breaks, nil for none. Messages of types that
// are not linked in are not looked into.
func Violation(m proto.Message) error { return violation(m, 0) }

func violation(m proto.Message, depth int) error {
	if check, ok := m.(interface{ ValidateAll() error }); ok {
		if err := check.ValidateAll(); err != nil {
			return err
		}
	}
	return packed(m.ProtoReflect(), depth)
}

// packed looks into each Any below the message.
func packed(m protoreflect.Message, depth int) error {
	if depth > maxDepth {
		return nil
	}
	if a, ok := m.Interface().(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		if err != nil {
			return nil
		}
		return violation(inner, depth+1)
	}
	var found error
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					found = packed(v.Message(), depth+1)
					return found == nil
				})
			}
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				if found = packed(v.List().Get(i).Message(), depth+1); found != nil {
					break
				}
			}
		default:
			found = packed(v.Message(), depth+1)
		}
		return found == nil
	})
	return found
}
