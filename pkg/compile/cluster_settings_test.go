package compile_test

import (
	"math"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// clusterNamed compiles the sidecar and returns one of its clusters, nil where it has none of the name.
func clusterNamed(t *testing.T, world, name string) *clusterv3.Cluster {
	t.Helper()
	for _, c := range compile.Compile(loadText(t, world), sidecar(), compile.Options{Target: compile.IstioProxy}).Clusters {
		if c.GetName() == name {
			return c
		}
	}
	return nil
}

const namesEntry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far, namespace: shop}
spec: {hosts: [far.example], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: far, namespace: shop}
spec: {host: far.example, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}
`

// TestPassthroughOfResolvedNames holds that a rule takes the endpoints from a cluster of names, and that istiod leaves how they are looked up.
func TestPassthroughOfResolvedNames(t *testing.T) {
	c := clusterNamed(t, namesEntry, "outbound|80||far.example")
	if c.GetType() != clusterv3.Cluster_ORIGINAL_DST || c.GetLbPolicy() != clusterv3.Cluster_CLUSTER_PROVIDED || c.GetLoadAssignment() != nil {
		t.Errorf("not passed through: %v", c)
	}
	//lint:ignore SA1019 istiod writes these fields of the cluster.
	if c.GetDnsLookupFamily() != clusterv3.Cluster_V4_ONLY || c.GetDnsRefreshRate() == nil || c.GetTypedDnsResolverConfig() == nil {
		t.Errorf("the lookup is gone: %v", c)
	}
}

// TestPortOverride holds that connections to an entry without resolution go to its targetPort wherever that is written.
func TestPortOverride(t *testing.T) {
	const world = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far, namespace: shop}
spec:
  hosts: [far.example]
  resolution: NONE
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 81, name: same, protocol: HTTP, targetPort: 81}, {number: 82, name: none, protocol: HTTP}]
`
	got := map[string]uint32{}
	for _, port := range []string{"80", "81", "82"} {
		got[port] = clusterNamed(t, world, "outbound|"+port+"||far.example").GetOriginalDstLbConfig().GetUpstreamPortOverride().GetValue()
	}
	if diff := cmp.Diff(map[string]uint32{"80": 8080, "81": 81, "82": 0}, got); diff != "" {
		t.Errorf("overrides differ (-want +got):\n%s", diff)
	}
}

// boundedClient is the sidecar's own service, with a rule that bounds connections to it.
const boundedClient = `
apiVersion: v1
kind: Service
metadata: {name: client, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: client}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all, namespace: shop}
spec: {host: client, trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}}
---
`

// TestInboundIgnoresRulesForSomeWorkloads holds that the pool of a rule that is for the proxy's own calls does not bound calls to it.
func TestInboundIgnoresRulesForSomeWorkloads(t *testing.T) {
	const world = boundedClient + `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: some, namespace: shop}
spec: {host: client, workloadSelector: {matchLabels: {app: client}}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}
`
	for name, want := range map[string]uint32{"inbound|8080||": 7, "outbound|80||client.shop.svc.cluster.local": 3} {
		if got := clusterNamed(t, world, name).GetCircuitBreakers().GetThresholds()[0].GetMaxConnections().GetValue(); got != want {
			t.Errorf("%s: %d connections, want %d", name, got, want)
		}
	}
}

// TestInboundIgnoresRulesOfUnseenServices holds that a rule for the proxy's own service counts only where its Sidecar lets it see the service.
func TestInboundIgnoresRulesOfUnseenServices(t *testing.T) {
	const world = boundedClient + `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {egress: [{hosts: ["HOSTS"]}]}
`
	for hosts, want := range map[string]uint32{"./*": 7, "istio-system/*": math.MaxUint32} {
		c := clusterNamed(t, strings.Replace(world, "HOSTS", hosts, 1), "inbound|8080||")
		if got := c.GetCircuitBreakers().GetThresholds()[0].GetMaxConnections().GetValue(); got != want {
			t.Errorf("with egress hosts %s: %d connections, want %d", hosts, got, want)
		}
	}
}

// TestAccountsOfAnnotations holds that a Service can name identities that its endpoints are known by.
func TestAccountsOfAnnotations(t *testing.T) {
	const world = `
apiVersion: v1
kind: Service
metadata:
  name: near
  namespace: shop
  annotations:
    alpha.istio.io/canonical-serviceaccounts: "spiffe://other.example/ns/a/sa/b"
    alpha.istio.io/kubernetes-serviceaccounts: "first,second"
spec: {clusterIP: 10.96.0.1, selector: {app: near}, ports: [{name: http, port: 80}]}
`
	context := &tlsv3.UpstreamTlsContext{}
	match := clusterNamed(t, world, "outbound|80||near.shop.svc.cluster.local").GetTransportSocketMatches()[0]
	if err := match.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
		t.Fatal(err)
	}
	var got []string
	//lint:ignore SA1019 istiod writes this field.
	for _, m := range context.GetCommonTlsContext().GetCombinedValidationContext().GetDefaultValidationContext().GetMatchSubjectAltNames() {
		got = append(got, m.GetExact())
	}
	want := []string{"spiffe://cluster.local/ns/shop/sa/first", "spiffe://cluster.local/ns/shop/sa/second", "spiffe://other.example/ns/a/sa/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names differ (-want +got):\n%s", diff)
	}
}
