package patch_test

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
)

func TestMergeReplacesDurationsAndAppendsLists(t *testing.T) {
	list := func(limits ...uint32) *clusterv3.CircuitBreakers {
		b := &clusterv3.CircuitBreakers{}
		for i := range limits {
			b.Thresholds = append(b.Thresholds, &clusterv3.CircuitBreakers_Thresholds{TrackRemaining: i%2 == 0})
		}
		return b
	}
	to := &clusterv3.Cluster{Name: "c", ConnectTimeout: durationpb.New(10 * time.Second), CircuitBreakers: list(1)}
	value := &clusterv3.Cluster{ConnectTimeout: durationpb.New(500 * time.Millisecond), CircuitBreakers: list(1)}
	was, wasValue := proto.Clone(to), proto.Clone(value)
	for _, tt := range []struct {
		merge patch.Merge
		want  int
	}{{patch.Merge{}, 2}, {patch.Merge{ReplaceLists: true}, 1}} {
		got := tt.merge.Into(to, value).(*clusterv3.Cluster)
		if got.GetName() != "c" || got.GetConnectTimeout().AsDuration() != 500*time.Millisecond || len(got.GetCircuitBreakers().GetThresholds()) != tt.want {
			t.Errorf("merging with %+v gives %v", tt.merge.ReplaceLists, got)
		}
	}
	if diff := cmp.Diff(was, proto.Message(to), protocmp.Transform()); diff != "" {
		t.Errorf("what was merged into has changed:\n%s", diff)
	}
	if diff := cmp.Diff(wasValue, proto.Message(value), protocmp.Transform()); diff != "" {
		t.Errorf("the value has changed:\n%s", diff)
	}
}

func TestDecodeKeepsForeignTypes(t *testing.T) {
	value, err := structpb.NewStruct(map[string]any{
		"name": "f", "typed_config": map[string]any{"@type": "type.googleapis.com/stats.PluginConfig", "debug": "yes"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := patch.Decode(networking.EnvoyFilter_HTTP_FILTER, value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stats.PluginConfig"}, d.Foreign); diff != "" {
		t.Errorf("foreign types differ (-want +got):\n%s", diff)
	}
}

// FuzzDecode holds that no value makes the decoder panic, and that what it read can be merged and judged.
func FuzzDecode(f *testing.F) {
	f.Add(int32(8), `{"name": "c", "connect_timeout": "1s", "colour": 1}`)
	f.Add(int32(4), `{"name": "x", "typed_config": {"@type": "type.googleapis.com/stats.PluginConfig", "a": [null]}}`)
	f.Add(int32(4), `{"typed_config": {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "value": {"@type": 1}}}`)
	f.Add(int32(1), `{"filter_chains": [{"filters": [{}]}]}`)
	f.Fuzz(func(t *testing.T, to int32, text string) {
		value := &structpb.Struct{}
		if protojson.Unmarshal([]byte(text), value) != nil {
			return
		}
		d, err := patch.Decode(networking.EnvoyFilter_ApplyTo(to), value)
		if err != nil {
			return
		}
		_ = patch.Violation(d.Message)
		empty := patch.New(networking.EnvoyFilter_ApplyTo(to))
		if got := (patch.Merge{}).Into(empty, d.Message); !proto.Equal(got, d.Message) {
			t.Errorf("merged into nothing, %v became %v", d.Message, got)
		}
	})
}
