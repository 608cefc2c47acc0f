package compile_test

import (
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	dfpclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dynamic_forward_proxy/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile"
)

// TestPolicyThatResolvesUnknownNames holds that plain HTTP to unknown hosts goes where the name leads while all else passes through, and that
// a Sidecar's own policy takes the place of the mesh's.
func TestPolicyThatResolvesUnknownNames(t *testing.T) {
	world := meshConfig("outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS, tls: {mode: SIMPLE}}") + ownServices
	if findings := compile.NotCompiled(loadText(t, world), compile.Envoy); len(findings) > 0 {
		t.Errorf("left out: %v", findings)
	}
	const resolved = `
virtualOutbound bound http_inspector
  15001 -> BlackHoleCluster
  raw_buffer alpn http/1.1,h2c -> http AllowAnyDynamicDNSCluster as 
  else any -> PassthroughCluster
`
	if diff := cmp.Diff(resolved, listenersOf(t, world, "virtualOutbound")); diff != "" {
		t.Errorf("the listener differs (-want +got):\n%s", diff)
	}
	const own = `
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {outboundTrafficPolicy: {mode: ALLOW_ANY}}
`
	const passed = `
virtualOutbound bound
  15001 -> BlackHoleCluster
  any -> PassthroughCluster
`
	if diff := cmp.Diff(passed, listenersOf(t, world+own, "virtualOutbound")); diff != "" {
		t.Errorf("the listener differs under a Sidecar of its own (-want +got):\n%s", diff)
	}
}

// TestClusterOfUnknownNames holds that the policy's cluster and its filters share a cache, and that its TLS settings reach the cluster.
func TestClusterOfUnknownNames(t *testing.T) {
	cfg, listener := listenerNamed(t, meshConfig("outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS, tls: {mode: SIMPLE}}")+ownServices, "0.0.0.0_80",
		compile.Options{Target: compile.IstioProxy})
	i := slices.IndexFunc(cfg.Clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == "AllowAnyDynamicDNSCluster" })
	if i < 0 {
		t.Fatal("no cluster AllowAnyDynamicDNSCluster")
	}
	if got := cfg.Clusters[i].GetTransportSocket().GetName(); got != "envoy.transport_sockets.tls" {
		t.Errorf("transport socket %q", got)
	}
	cluster := unpacked[*dfpclusterv3.ClusterConfig](t, cfg, cfg.Clusters[i].GetClusterType().GetTypedConfig())
	filters := unpacked[*hcmv3.HttpConnectionManager](t, cfg, listener.GetFilterChains()[0].GetFilters()[0].GetTypedConfig()).GetHttpFilters()
	filter := unpacked[*dfpv3.FilterConfig](t, cfg, filters[len(filters)-2].GetTypedConfig())
	if diff := cmp.Diff(cluster.GetDnsCacheConfig(), filter.GetDnsCacheConfig(), protocmp.Transform()); diff != "" {
		t.Errorf("the filter's cache is not the cluster's (-cluster +filter):\n%s", diff)
	}
	const want = "allow_any_dynamic_dns [*] -> AllowAnyDynamicDNSCluster"
	if got := hosts(routesOn(t, cfg, "80")); len(got) == 0 || got[len(got)-1] != want {
		t.Errorf("virtual hosts %q, want the last to be %q", got, want)
	}
}

// unpacked is the message that a configuration's resource holds packed.
func unpacked[M proto.Message](t *testing.T, cfg *compile.Configuration, packed *anypb.Any) M {
	t.Helper()
	m, err := cfg.Sources.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := m.(M)
	if !ok {
		t.Fatalf("it holds a %T", m)
	}
	return out
}
