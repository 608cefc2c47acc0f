package emit_test

import (
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// world is a small configuration as the compiler makes them, with one knob a thing that tests turn.
type world struct {
	target compile.Target
	// weights of the subsets v1, v2, … of reviews
	weights []uint32
	// timeout of the route to reviews
	timeout time.Duration
	// without names a cluster to leave out
	without string
	// lines shifts the YAML down, as a comment above it would.
	lines int
	// paths are prefixes that get a route of their own to ratings before the others.
	paths []string
	// mtls gives the cluster of ratings a TLS context with secrets from the secret server.
	mtls bool
}

func (w world) configuration(t testing.TB, name string) *compile.Configuration {
	t.Helper()
	b := &worldBuilder{world: w, sources: provenance.New(), reviews: virtualService(t, w.lines)}
	cfg := &compile.Configuration{
		Proxy: &model.Proxy{
			Name: name, Namespace: "default", Type: model.Sidecar, IP: "10.244.0.7", ServiceAccount: "bookinfo",
			Labels: map[string]string{"app": strings.TrimSuffix(name, "-v1"), "version": "v1"}, Locality: "europe/a",
		},
		Target: w.target, Sources: b.sources, Settings: &model.Settings{DomainSuffix: "cluster.local", ClusterID: "Kubernetes", MeshID: "shop"},
		Listeners: []*listenerv3.Listener{b.listener()},
		Routes:    []*routev3.RouteConfiguration{b.routes()},
	}
	cfg.Clusters, cfg.Endpoints = b.clusters()
	return cfg
}

type worldBuilder struct {
	world
	sources *provenance.Map
	reviews *resource.Resource
}

// virtualService is the YAML behind the routes to reviews.
func virtualService(t testing.TB, lines int) *resource.Resource {
	t.Helper()
	text := strings.Repeat("#\n", lines) + `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - timeout: 1s
    route:
    - destination: {host: reviews, subset: v1}
      weight: 90
    - destination: {host: reviews, subset: v2}
      weight: 10
    - destination: {host: reviews, subset: v3}
      weight: 0
`
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	return &resource.Resource{
		APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Namespace: "default", Name: "reviews",
		Document: &document.Document{File: "reviews.yaml", Line: 1, Root: &root}, Node: root.Content[0],
	}
}

func (b *worldBuilder) pack(m proto.Message) *anypb.Any { return b.sources.Pack(m) }

func (b *worldBuilder) listener() *listenerv3.Listener {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix: "outbound_0.0.0.0_9080;",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "9080", ConfigSource: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.pack(&routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name: "0.0.0.0_9080", Address: address("127.0.0.1", 19080),
		FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{
				Name: "envoy.filters.network.http_connection_manager", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: b.pack(manager)},
			}},
		}},
	}
}

func (b *worldBuilder) routes() *routev3.RouteConfiguration {
	var weighted []*routev3.WeightedCluster_ClusterWeight
	for i, weight := range b.weights {
		w := &routev3.WeightedCluster_ClusterWeight{
			Name: "outbound|9080|v" + string(rune('1'+i)) + "|reviews.default.svc.cluster.local", Weight: wrapperspb.UInt32(weight),
		}
		b.sources.Add(w, b.reviews.At(resource.Index("spec.http[0].route", i)))
		weighted = append(weighted, w)
	}
	route := &routev3.Route{
		Name:  "default",
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{Clusters: weighted}},
			Timeout:          durationpb.New(b.timeout),
		}},
	}
	b.sources.Add(route, b.reviews.At("spec.http[0]"))
	var toRatings []*routev3.Route
	for _, prefix := range b.paths {
		toRatings = append(toRatings, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "outbound|9080||ratings.default.svc.cluster.local"}}},
		})
	}
	plain := &routev3.Route{
		Name:   "default",
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "outbound|9080||ratings.default.svc.cluster.local"}}},
	}
	return &routev3.RouteConfiguration{Name: "9080", VirtualHosts: []*routev3.VirtualHost{
		{Name: "ratings.default.svc.cluster.local:9080", Domains: []string{"ratings", "ratings.default"}, Routes: append(toRatings, plain)},
		{Name: "reviews.default.svc.cluster.local:9080", Domains: []string{"reviews", "reviews.default"}, Routes: []*routev3.Route{route}},
	}}
}

func (b *worldBuilder) clusters() ([]*clusterv3.Cluster, []*endpointv3.ClusterLoadAssignment) {
	names := []string{"outbound|9080||ratings.default.svc.cluster.local"}
	for i := range b.weights {
		names = append(names, "outbound|9080|v"+string(rune('1'+i))+"|reviews.default.svc.cluster.local")
	}
	var clusters []*clusterv3.Cluster
	var loads []*endpointv3.ClusterLoadAssignment
	for i, name := range names {
		if name == b.without {
			continue
		}
		c := &clusterv3.Cluster{
			Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}, ConnectTimeout: durationpb.New(10 * time.Second),
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: name},
		}
		if b.mtls && strings.Contains(name, "ratings") {
			c.TransportSocket = &corev3.TransportSocket{
				Name:       "envoy.transport_sockets.tls",
				ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: b.pack(upstreamTLS())},
			}
		}
		clusters = append(clusters, c)
		if i < 2 {
			loads = append(loads, &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
					Endpoint: &endpointv3.Endpoint{Address: address("10.244.0.8", 9080)},
				}}},
			}}})
		}
	}
	return clusters, loads
}

// upstreamTLS is a context whose secrets come from the secret server and are given up on at once.
func upstreamTLS() *tlsv3.UpstreamTlsContext {
	secret := func(name string) *tlsv3.SdsSecretConfig {
		return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
			ResourceApiVersion:  corev3.ApiVersion_V3,
			InitialFetchTimeout: durationpb.New(time.Millisecond),
			ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
				ApiType: corev3.ApiConfigSource_GRPC, TransportApiVersion: corev3.ApiVersion_V3,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: "sds-grpc"},
				}}},
			}},
		}}
	}
	return &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secret("default")},
		ValidationContextType:          &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: secret("ROOTCA")},
	}}
}

func address(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
