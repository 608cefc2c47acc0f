package canonical_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

func TestMain(m *testing.M) { golden.Main(m) }

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestGolden shows the form: order of fields, well-known types, Any, what is escaped.
func TestGolden(t *testing.T) {
	metadata, err := structpb.NewStruct(map[string]any{
		"text": "a \"quoted\" line\nwith <html> & ümlaut \u2028 \x01", "number": 0.1, "whole": 3, "none": nil, "list": []any{true, "x", map[string]any{}}, "empty": []any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	cluster := &clusterv3.Cluster{
		Name: "outbound|9080|v1|reviews.default.svc.cluster.local", ConnectTimeout: durationpb.New(1500e6), LbPolicy: clusterv3.Cluster_LEAST_REQUEST,
		TransportSocketMatches:        []*clusterv3.Cluster_TransportSocketMatch{{Name: "tlsMode-disabled", Match: &structpb.Struct{}}},
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(0),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		Metadata:                      &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"z/~": {}, "istio": metadata}},
		LoadAssignment:                &endpointv3.ClusterLoadAssignment{ClusterName: "c", Policy: &endpointv3.ClusterLoadAssignment_Policy{}},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"fault":    pack(t, &faultv3.HTTPFault{MaxActiveFaults: wrapperspb.UInt32(7)}),
			"nested":   pack(t, pack(t, durationpb.New(-1))),
			"empty":    pack(t, &emptypb.Empty{}),
			"blank":    {},
			"unlinked": {TypeUrl: "type.googleapis.com/istio.not.Linked", Value: []byte("\n\x03foo")},
			"damaged":  {TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster", Value: []byte{255}},
		},
		CleanupInterval: durationpb.New(0), CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{},
	}
	got, err := canonical.Marshal(cluster, canonical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "cluster.json")
	if golden.Update() {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestAgreesWithProtojson holds the writer against protojson over random messages of the types that bootstraps are made of.
func TestAgreesWithProtojson(t *testing.T) {
	for seed := range uint64(300) {
		g := generator{rand.New(rand.NewPCG(seed, 0))}
		for _, m := range []proto.Message{&bootstrapv3.Bootstrap{}, &clusterv3.Cluster{}, &hcmv3.HttpConnectionManager{}} {
			g.fill(m.ProtoReflect(), 4)
			agree(t, m)
		}
	}
}

func agree(t *testing.T, m proto.Message) {
	t.Helper()
	want, wantErr := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	got, err := canonical.Marshal(m, canonical.Options{})
	if wantErr != nil {
		// protojson refuses a type that is not linked in; everything else it refuses must be refused.
		if err == nil && !strings.Contains(wantErr.Error(), "unable to resolve") && !strings.Contains(wantErr.Error(), "unable to unmarshal") {
			t.Errorf("protojson refuses with %q what was written as\n%s", wantErr, got)
		}
		return
	}
	if err != nil {
		t.Errorf("%v, where protojson writes\n%s", err, want)
		return
	}
	if diff := cmp.Diff(decode(t, want), decode(t, got)); diff != "" {
		t.Errorf("not what protojson writes (-want +got):\n%s", diff)
	}
	back := m.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(got, back); err != nil {
		t.Fatalf("protojson cannot read this: %v\n%s", err, got)
	}
	wantBack := m.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(want, wantBack); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantBack, back, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("reads back as another message:\n%s", diff)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(indented.String(), string(got)); diff != "" {
		t.Errorf("not indented as encoding/json does:\n%s", diff)
	}
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// generator fills messages with random values, including awkward ones.
type generator struct{ *rand.Rand }

func (g generator) fill(m protoreflect.Message, depth int) {
	if g.special(m, depth) {
		return
	}
	fds := m.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		if g.IntN(4) != 0 || (depth == 0 && fd.Message() != nil) {
			continue
		}
		switch {
		case fd.IsMap():
			for range g.IntN(4) {
				v := m.Mutable(fd).Map().NewValue()
				if fd.MapValue().Message() != nil {
					g.fill(v.Message(), depth-1)
				} else {
					v = g.scalar(fd.MapValue())
				}
				m.Mutable(fd).Map().Set(g.scalar(fd.MapKey()).MapKey(), v)
			}
		case fd.IsList():
			for range g.IntN(3) {
				if fd.Message() != nil {
					g.fill(m.Mutable(fd).List().AppendMutable().Message(), depth-1)
				} else {
					m.Mutable(fd).List().Append(g.scalar(fd))
				}
			}
		case fd.Message() != nil:
			g.fill(m.Mutable(fd).Message(), depth-1)
		default:
			m.Set(fd, g.scalar(fd))
		}
	}
}

// special fills the types whose random content would nearly always be invalid, and only now and then is.
func (g generator) special(m protoreflect.Message, depth int) bool {
	switch x := m.Interface().(type) {
	case *anypb.Any:
		inner := []proto.Message{&faultv3.HTTPFault{}, &durationpb.Duration{}, &structpb.Struct{}, &emptypb.Empty{}, &clusterv3.Cluster{}}[g.IntN(5)]
		if depth > 0 {
			g.fill(inner.ProtoReflect(), depth-1)
		}
		value, err := proto.Marshal(inner)
		if err != nil {
			return true
		}
		x.TypeUrl, x.Value = "type.googleapis.com/"+string(inner.ProtoReflect().Descriptor().FullName()), value
	case *durationpb.Duration:
		x.Seconds, x.Nanos = g.Int64N(2000)-1000, []int32{0, 1, 1e6, 1_500_000, 999_999_999, 120}[g.IntN(6)]
		if x.Seconds < 0 {
			x.Nanos = -x.Nanos
		}
	case *timestamppb.Timestamp:
		x.Seconds, x.Nanos = g.Int64N(4e9), int32(g.IntN(1e9))
	case *fieldmaskpb.FieldMask:
		x.Paths = []string{"a_b.c", "name", "weird_1"}[:g.IntN(4)]
	case *structpb.Value:
		v, err := structpb.NewValue([]any{nil, true, g.text(), g.Float64() * 1e9, 1e-7, 1e21, float64(g.IntN(100)), []any{}, []any{g.text()}, map[string]any{g.text(): "x"}}[g.IntN(10)])
		if err != nil {
			v = structpb.NewNullValue()
		}
		x.Kind = v.Kind
	default:
		return false
	}
	return true
}

func (g generator) text() string {
	return []string{"", "a", "ümlaut", "\"\\/\b\f\n\r\t\x00\x7f", "<&>\u2028", "a~/b", "日本"}[g.IntN(7)]
}

func (g generator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(g.IntN(6)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(g.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(g.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(g.Uint64()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(g.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0.1, 1e-7, 3, math.MaxFloat32, -0, float32(math.Inf(1))}[g.IntN(6)])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0.1, 1e-7, 3, 1e21, 123456789, math.NaN(), math.Inf(-1)}[g.IntN(7)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(g.text()))
	}
	return protoreflect.ValueOfString(g.text())
}

func TestRefuses(t *testing.T) {
	deep := structpb.NewNullValue()
	for range 300 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	deeper := structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"a": deep}})
	for range 300 {
		deeper = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deeper}})
	}
	tests := []struct {
		name string
		m    proto.Message
		want string
	}{
		{"duration too long", &clusterv3.Cluster{ConnectTimeout: &durationpb.Duration{Seconds: 1 << 40}},
			"/connect_timeout: a duration of 1099511627776 seconds and 0 nanoseconds is out of range"},
		{"duration of two signs", &durationpb.Duration{Seconds: 1, Nanos: -1}, ": a duration of 1 seconds and -1 nanoseconds is out of range"},
		{"timestamp after year 9999", &timestamppb.Timestamp{Seconds: 1 << 40}, ": a timestamp of 1099511627776 seconds and 0 nanoseconds is out of range"},
		{"text that is not UTF-8", &clusterv3.Cluster{Name: "\xff"}, "/name: text that is not valid UTF-8"},
		{"value without a kind", &structpb.ListValue{Values: []*structpb.Value{{}}}, "/0: a google.protobuf.Value without a kind"},
		{"value that is no number", structpb.NewNumberValue(math.NaN()), ": a google.protobuf.Value cannot be NaN"},
		{"too deep", deeper, strings.Repeat("/0", 300) + "/a" + strings.Repeat("/0", 199) + ": nested more than 500 levels deep"},
		{"field mask that cannot come back", &fieldmaskpb.FieldMask{Paths: []string{"aB"}}, `: the field mask path "aB" has no JSON form`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := canonical.Marshal(test.m, canonical.Options{})
			if err == nil {
				t.Fatalf("written as %s", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestVisit resolves each reported pointer in the JSON and expects to find the message there.
func TestVisit(t *testing.T) {
	for seed := range uint64(50) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		m := &bootstrapv3.Bootstrap{}
		g.fill(m.ProtoReflect(), 4)
		visited := map[string]string{}
		text, err := canonical.Marshal(m, canonical.Options{Visit: func(pointer []byte, m proto.Message) {
			if alone, err := canonical.Marshal(m, canonical.Options{}); err == nil {
				visited[string(pointer)] = string(alone)
			}
		}})
		if err != nil {
			continue
		}
		root := decode(t, text)
		for pointer, alone := range visited {
			at, ok := resolve(root, pointer)
			if !ok {
				t.Fatalf("%s leads nowhere in\n%s", pointer, text)
			}
			want := decode(t, []byte(alone))
			// The message inside an Any is visited at the Any, which also shows its type.
			if o, ok := at.(map[string]any); ok {
				delete(o, "@type")
			}
			if o, ok := want.(map[string]any); ok {
				delete(o, "@type")
			}
			if diff := cmp.Diff(strip(want), strip(at)); diff != "" {
				t.Fatalf("%s: %s", pointer, diff)
			}
		}
	}
}

// TestWalk comes by every message, those inside an Any too, and goes no deeper where it is told so.
func TestWalk(t *testing.T) {
	fault := &faultv3.HTTPFault{MaxActiveFaults: wrapperspb.UInt32(7)}
	m := &clusterv3.Cluster{
		ConnectTimeout:                durationpb.New(1),
		TransportSocketMatches:        []*clusterv3.Cluster_TransportSocketMatch{{}, {Match: &structpb.Struct{}}},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{"a/b": pack(t, fault)},
	}
	walk := func(into func(proto.Message) bool) []string {
		var pointers []string
		canonical.Walk(m, nil, func(pointer []byte, m proto.Message) bool {
			pointers = append(pointers, string(pointer)+" "+string(m.ProtoReflect().Descriptor().Name()))
			return into(m)
		})
		slices.Sort(pointers)
		return pointers
	}
	want := []string{
		" Cluster",
		"/connect_timeout Duration",
		"/transport_socket_matches/0 TransportSocketMatch",
		"/transport_socket_matches/1 TransportSocketMatch",
		"/transport_socket_matches/1/match Struct",
		"/typed_extension_protocol_options/a~1b Any",
		"/typed_extension_protocol_options/a~1b HTTPFault",
		"/typed_extension_protocol_options/a~1b/max_active_faults UInt32Value",
	}
	if diff := cmp.Diff(want, walk(func(proto.Message) bool { return true })); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:1], walk(func(proto.Message) bool { return false })); diff != "" {
		t.Error(diff)
	}
}

// strip removes "@type" everywhere: a parent whose Any was looked at before lacks it already.
func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "@type")
		for _, e := range v {
			strip(e)
		}
	case []any:
		for _, e := range v {
			strip(e)
		}
	}
	return v
}

func resolve(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch c := v.(type) {
		case map[string]any:
			next, ok := c[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func FuzzAgreesWithProtojson(f *testing.F) {
	for seed := range uint64(20) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		m := &clusterv3.Cluster{}
		g.fill(m.ProtoReflect(), 3)
		if data, err := proto.Marshal(m); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &clusterv3.Cluster{}
		if proto.Unmarshal(data, m) == nil {
			agree(t, m)
		}
	})
}
