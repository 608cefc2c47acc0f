package emit

import (
	"net/netip"
	"slices"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// adminPort is where Istio's proxies serve Envoy's admin interface.
const adminPort = 15000

// secretServer is the agent beside Istio's proxies, which serves them their certificates.
const secretServer = "sds-grpc"

// referenced returns the clusters that belong to the bootstrap itself and that the configuration refers to: sds-grpc. It has no
// endpoints, so that a secret which nobody will send is given up at once and the listener opens.
func (a *assembly) referenced() []*clusterv3.Cluster {
	if slices.ContainsFunc(a.cfg.Clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == secretServer }) || !a.wantsSecrets() {
		return nil
	}
	http2 := &upstreamhttpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
				},
			},
		},
	}
	return []*clusterv3.Cluster{{
		Name:                 secretServer,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: secretServer},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": a.pack(http2),
		},
	}}
}

// wantsSecrets reports whether any TLS context asks the secret server.
func (a *assembly) wantsSecrets() bool {
	found := false
	look := func(_ []byte, m proto.Message) bool {
		if g, ok := m.(*corev3.GrpcService_EnvoyGrpc); ok && g.GetClusterName() == secretServer {
			found = true
		}
		return !found
	}
	for _, l := range a.cfg.Listeners {
		canonical.Walk(l, a.cfg.Sources.Unpack, look)
	}
	for _, c := range a.cfg.Clusters {
		canonical.Walk(c, a.cfg.Sources.Unpack, look)
	}
	return found
}

// layeredRuntime returns the settings that Istio gives its proxies. Stock Envoy has its successor for one of them and warns about it.
func layeredRuntime(target compile.Target) *bootstrapv3.LayeredRuntime {
	settings := map[string]*structpb.Value{
		// Regular expressions have passed Istio's own check; Envoy must not refuse the long ones.
		"re2.max_program_size.error_level": structpb.NewNumberValue(32768),
		// A path with a fragment is served with the fragment cut off.
		"envoy.reloadable_features.http_reject_path_with_fragment": structpb.NewBoolValue(false),
	}
	if target == compile.IstioProxy {
		settings["overload.global_downstream_max_connections"] = structpb.NewNumberValue(2147483647)
	}
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{
		{Name: "global config", LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: settings}}},
		{Name: "admin", LayerSpecifier: &bootstrapv3.RuntimeLayer_AdminLayer_{AdminLayer: &bootstrapv3.RuntimeLayer_AdminLayer{}}},
	}}
}

func socketAddress(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
