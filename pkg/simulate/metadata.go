package simulate

import (
	"slices"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// matchesMetadata decides about what filters left for the request, such as the claims of its token.
func matchesMetadata(m *matcherv3.MetadataMatcher, metadata map[string]*structpb.Struct) bool {
	value := structpb.NewStructValue(metadata[m.GetFilter()])
	for _, step := range m.GetPath() {
		value = value.GetStructValue().GetFields()[step.GetKey()]
	}
	if len(m.GetPath()) == 0 {
		value = nil
	}
	return matchesValue(m.GetValue(), value) != m.GetInvert()
}

func matchesValue(m *matcherv3.ValueMatcher, value *structpb.Value) bool {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_NullMatch_:
		_, ok := value.GetKind().(*structpb.Value_NullValue)
		return ok
	case *matcherv3.ValueMatcher_PresentMatch:
		return (value.GetKind() != nil) == p.PresentMatch
	case *matcherv3.ValueMatcher_StringMatch:
		s, ok := value.GetKind().(*structpb.Value_StringValue)
		return ok && newStringMatcher(p.StringMatch).matches(s.StringValue)
	case *matcherv3.ValueMatcher_BoolMatch:
		b, ok := value.GetKind().(*structpb.Value_BoolValue)
		return ok && b.BoolValue == p.BoolMatch
	case *matcherv3.ValueMatcher_DoubleMatch:
		n, ok := value.GetKind().(*structpb.Value_NumberValue)
		if !ok {
			return false
		}
		if r := p.DoubleMatch.GetRange(); r != nil {
			return n.NumberValue >= r.GetStart() && n.NumberValue < r.GetEnd()
		}
		return n.NumberValue == p.DoubleMatch.GetExact()
	case *matcherv3.ValueMatcher_ListMatch:
		return slices.ContainsFunc(value.GetListValue().GetValues(), func(v *structpb.Value) bool {
			return matchesValue(p.ListMatch.GetOneOf(), v)
		})
	case *matcherv3.ValueMatcher_OrMatch:
		return slices.ContainsFunc(p.OrMatch.GetValueMatchers(), func(m *matcherv3.ValueMatcher) bool { return matchesValue(m, value) })
	}
	return false
}
