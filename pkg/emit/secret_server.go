package emit

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/emit/canonical"
)

// secretServer is the agent beside Istio's proxies, which serves them their certificates.
const secretServer = "sds-grpc"

// referenced returns the clusters that belong to the bootstrap itself and that the configuration refers to: sds-grpc. It has no
// endpoints, so that a secret which nobody will send is given up at once and the listener opens.
func (a *assembly) referenced() []*clusterv3.Cluster {
	if slices.ContainsFunc(a.cfg.Clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == secretServer }) || !a.wantsSecrets() {
		return nil
	}
	return []*clusterv3.Cluster{{
		Name:                 secretServer,
		AltStatName:          secretServer + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: secretServer},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": a.pack(overHTTP2()),
		},
	}}
}

// wantsSecrets reports whether any TLS context asks the secret server. Clusters come first: in most meshes the first one tells.
func (a *assembly) wantsSecrets() bool {
	return slices.ContainsFunc(a.cfg.Clusters, func(c *clusterv3.Cluster) bool {
		if part := a.cfg.Part(c); part != nil {
			return part.Memo(asksServerKey{}, func() any { return a.asksServer(c) }).(bool)
		}
		return a.asksServer(c)
	}) || slices.ContainsFunc(a.cfg.Listeners, func(l *listenerv3.Listener) bool { return a.asksServer(l) })
}

// asksServerKey is what the answer for a cluster of several configurations is kept under.
type asksServerKey struct{}

// asksServer tells whether anything within the message asks the secret server.
func (a *assembly) asksServer(m proto.Message) bool {
	found := false
	canonical.Walk(m, a.cfg.Sources.Unpack, func(_ []byte, m proto.Message) bool {
		if g, ok := m.(*corev3.GrpcService_EnvoyGrpc); ok && g.GetClusterName() == secretServer {
			found = true
		}
		return !found
	})
	return found
}
