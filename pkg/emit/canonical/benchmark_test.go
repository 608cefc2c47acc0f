package canonical_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/pkg/emit/canonical"
)

// thousandClusters is a bootstrap of 1,000 clusters as the compiler makes them.
func thousandClusters(b *testing.B) (*bootstrapv3.Bootstrap, func(*anypb.Any) (proto.Message, error)) {
	inner := map[*anypb.Any]proto.Message{}
	static := &bootstrapv3.Bootstrap_StaticResources{}
	for i := range 1000 {
		name := fmt.Sprintf("outbound|9080||service-%d.default.svc.cluster.local", i)
		options := &upstreamhttpv3.HttpProtocolOptions{UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{MaxConcurrentStreams: wrapperspb.UInt32(1073741824)},
			}},
		}}
		packed := pack(b, options)
		inner[packed] = options
		metadata, err := structpb.NewStruct(map[string]any{"services": []any{map[string]any{"host": name, "name": "service", "namespace": "default"}}})
		if err != nil {
			b.Fatal(err)
		}
		limits := wrapperspb.UInt32(4294967295)
		static.Clusters = append(static.Clusters, &clusterv3.Cluster{
			Name: name, AltStatName: name + ";", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			ConnectTimeout: durationpb.New(10 * time.Second), LbPolicy: clusterv3.Cluster_LEAST_REQUEST,
			CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{}, Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"istio": metadata}},
			TypedExtensionProtocolOptions: map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed},
			CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
				MaxConnections: limits, MaxPendingRequests: limits, MaxRequests: limits, MaxRetries: limits, TrackRemaining: true,
			}}},
			LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
					Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
						Address: "10.244.0.8", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 9080},
					}}},
				}}}},
			}}},
		})
	}
	return &bootstrapv3.Bootstrap{StaticResources: static}, func(a *anypb.Any) (proto.Message, error) { return inner[a], nil }
}

func BenchmarkMarshal(b *testing.B) {
	m, unpack := thousandClusters(b)
	b.ReportAllocs()
	for b.Loop() {
		out, err := canonical.Marshal(m, canonical.Options{Unpack: unpack})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out)))
	}
}

func BenchmarkProtojsonIndented(b *testing.B) {
	m, _ := thousandClusters(b)
	b.ReportAllocs()
	for b.Loop() {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		var out bytes.Buffer
		if err := json.Indent(&out, text, "", "  "); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(out.Len()))
	}
}
