package canonical

import (
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
)

// Metadata makes up a good part of what Istio tells Envoy, all of it google.protobuf.Struct. Its Go types are written here without
// reflection; wellknown.go has the general way, for messages whose types were made at run time.

func (w *writer) structFields(s *structpb.Struct) {
	if len(s.GetFields()) == 0 {
		w.buf = append(w.buf, "{}"...)
		return
	}
	keys := make([]string, 0, len(s.GetFields()))
	for k := range s.GetFields() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	w.open('{')
	for i, k := range keys {
		mark := w.key(k, i == 0)
		w.structValue(s.GetFields()[k])
		w.pointer = w.pointer[:mark]
	}
	w.close('}')
}

func (w *writer) structList(l *structpb.ListValue) {
	if len(l.GetValues()) == 0 {
		w.buf = append(w.buf, "[]"...)
		return
	}
	w.open('[')
	mark := len(w.pointer)
	for i, v := range l.GetValues() {
		w.member(i == 0)
		w.pointer = strconv.AppendInt(append(w.pointer, '/'), int64(i), 10)
		w.structValue(v)
		w.pointer = w.pointer[:mark]
	}
	w.close(']')
}

func (w *writer) structValue(v *structpb.Value) {
	if w.depth >= maxDepth {
		w.fail("nested more than %d levels deep", maxDepth)
		return
	}
	switch k := v.GetKind().(type) {
	case *structpb.Value_NullValue:
		w.buf = append(w.buf, "null"...)
	case *structpb.Value_BoolValue:
		w.buf = strconv.AppendBool(w.buf, k.BoolValue)
	case *structpb.Value_NumberValue:
		if math.IsNaN(k.NumberValue) || math.IsInf(k.NumberValue, 0) {
			w.fail("a google.protobuf.Value cannot be %v", k.NumberValue)
			return
		}
		w.float(k.NumberValue, 64)
	case *structpb.Value_StringValue:
		w.string(k.StringValue)
	case *structpb.Value_StructValue:
		w.structFields(k.StructValue)
	case *structpb.Value_ListValue:
		w.structList(k.ListValue)
	default:
		w.fail("a google.protobuf.Value without a kind")
	}
}
