package translate_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// poolYAML reads a connection pool as a DestinationRule writes it.
func poolYAML(t *testing.T, text string) *networking.ConnectionPoolSettings {
	t.Helper()
	if text == "" {
		return nil
	}
	var out networking.ConnectionPoolSettings
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestUpstreamProtocolOf(t *testing.T) {
	for _, tt := range []struct {
		name           string
		protocol       model.Protocol
		sniff, upgrade bool
		pool           string
		want           translate.UpstreamProtocol
	}{
		{"HTTP", model.HTTP, true, false, "", translate.HTTP1},
		{"gRPC", model.GRPC, true, false, "", translate.HTTP2},
		{"upgraded", model.HTTP, true, true, "", translate.HTTP2},
		{"undeclared, sidecar", model.Unsupported, true, false, "", translate.DownstreamProtocol},
		{"undeclared, gateway", model.Unsupported, false, false, "", translate.HTTP1},
		{"undeclared and upgraded", model.Unsupported, true, true, "", translate.HTTP2},
		{"the client's", model.HTTP2, true, true, "http: {useClientProtocol: true}", translate.DownstreamProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := translate.UpstreamProtocolOf(tt.protocol, tt.sniff, tt.upgrade, poolYAML(t, tt.pool)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUpgradesToHTTP2(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol model.Protocol
		pool     string
		mesh     meshconfig.MeshConfig_H2UpgradePolicy
		want     bool
	}{
		{"by default", model.HTTP, "", meshconfig.MeshConfig_DO_NOT_UPGRADE, false},
		{"by the mesh", model.HTTP, "", meshconfig.MeshConfig_UPGRADE, true},
		{"not what is not HTTP", model.TCP, "", meshconfig.MeshConfig_UPGRADE, false},
		{"against the mesh", model.HTTP, "http: {h2UpgradePolicy: DO_NOT_UPGRADE}", meshconfig.MeshConfig_UPGRADE, false},
		{"whatever the port", model.TCP, "http: {h2UpgradePolicy: UPGRADE}", meshconfig.MeshConfig_DO_NOT_UPGRADE, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := translate.UpgradesToHTTP2(tt.protocol, poolYAML(t, tt.pool), tt.mesh); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestHTTPOptions(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol translate.UpstreamProtocol
		pool     string
		names    *corev3.UpstreamHttpProtocolOptions
		want     string
	}{
		{name: "nothing to say", protocol: translate.HTTP1, pool: "http: {maxRetries: 3}", want: ""},
		{name: "HTTP/2", protocol: translate.HTTP2, want: `{explicitHttpConfig: {http2ProtocolOptions: {}}}`},
		{
			name: "downstream", protocol: translate.DownstreamProtocol,
			want: `{useDownstreamProtocolConfig: {httpProtocolOptions: {}, http2ProtocolOptions: {}}}`,
		},
		{
			name: "everything", protocol: translate.HTTP2,
			pool: "{tcp: {maxConnectionDuration: 1h, idleTimeout: 90s}, http: {idleTimeout: 15s, maxRequestsPerConnection: 13, maxConcurrentStreams: 16}}",
			want: `{commonHttpProtocolOptions: {idleTimeout: 15s, maxConnectionDuration: 3600s, maxRequestsPerConnection: 13},
				explicitHttpConfig: {http2ProtocolOptions: {maxConcurrentStreams: 16}}}`,
		},
		{
			name: "idle timeout of TCP", protocol: translate.HTTP1, pool: "{tcp: {idleTimeout: 90s}}",
			want: `{commonHttpProtocolOptions: {idleTimeout: 90s}, explicitHttpConfig: {httpProtocolOptions: {}}}`,
		},
		{
			name: "streams without a place", protocol: translate.HTTP1, pool: "{http: {maxConcurrentStreams: 5}}",
			want: `{commonHttpProtocolOptions: {}, explicitHttpConfig: {httpProtocolOptions: {}}}`,
		},
		{
			name: "names", protocol: translate.HTTP1, names: &corev3.UpstreamHttpProtocolOptions{AutoSni: true},
			want: `{upstreamHttpProtocolOptions: {autoSni: true}, explicitHttpConfig: {httpProtocolOptions: {}}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := translate.HTTPOptions(tt.protocol, poolYAML(t, tt.pool), tt.names)
			if tt.want == "" {
				if got != nil {
					t.Fatalf("got %v, want none", got)
				}
				return
			}
			want := &httpv3.HttpProtocolOptions{}
			text, err := yaml.YAMLToJSON([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal(text, want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
