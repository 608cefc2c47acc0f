package compile_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
	"github.com/meshc/meshc/pkg/model"
)

// TestSidecarClusters shows all clusters and endpoints of one sidecar.
func TestSidecarClusters(t *testing.T) {
	cfg := compiled(t, load(t, "clusters/world.yaml"), "cart-v1.shop")
	var out bytes.Buffer
	write := func(m proto.Message) {
		text, err := canonical.Marshal(m, canonical.Options{Unpack: cfg.Sources.Unpack})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	for _, c := range cfg.Clusters {
		write(c)
	}
	for _, e := range cfg.Endpoints {
		write(e)
	}
	golden.Compare(t, "clusters/cart-v1.shop.json", out.Bytes())
}

// TestClustersKnowTheirYAML holds which fields shaped which parts of the clusters.
func TestClustersKnowTheirYAML(t *testing.T) {
	cfg := compiled(t, load(t, "clusters/world.yaml"), "cart-v1.shop")
	of := func(m proto.Message) string {
		var out []string
		for _, s := range cfg.Sources.Of(m) {
			out = append(out, s.Resource.ID()+" "+s.Path)
		}
		return strings.Join(out, ", ")
	}
	got := map[string]string{}
	for _, c := range cfg.Clusters {
		got[c.Name] = of(c)
		got[c.Name+" circuit_breakers"] = of(c.GetCircuitBreakers())
		got[c.Name+" outlier_detection"] = of(c.GetOutlierDetection())
		if c.GetRingHashLbConfig() != nil {
			got[c.Name+" ring_hash_lb_config"] = of(c.GetRingHashLbConfig())
		}
		if c.GetTransportSocket() != nil {
			got[c.Name+" transport_socket"] = of(c.GetTransportSocket())
		}
	}
	for _, e := range cfg.Endpoints {
		for _, g := range e.GetEndpoints() {
			got[e.ClusterName+" locality"] = of(g)
			for _, lb := range g.GetLbEndpoints() {
				got[e.ClusterName+" "+lb.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()] = of(lb)
			}
		}
	}
	for what, want := range map[string]string{
		"outbound|80||cart.shop.svc.cluster.local":                       "Service shop/cart spec.ports[0], DestinationRule shop/cart spec.trafficPolicy",
		"outbound|80||cart.shop.svc.cluster.local circuit_breakers":      "DestinationRule shop/cart spec.trafficPolicy.connectionPool",
		"outbound|80||cart.shop.svc.cluster.local outlier_detection":     "DestinationRule shop/cart spec.trafficPolicy.outlierDetection",
		"outbound|80|v1|cart.shop.svc.cluster.local":                     "Service shop/cart spec.ports[0], DestinationRule shop/cart spec.subsets[0], DestinationRule shop/cart spec.subsets[0].trafficPolicy.loadBalancer",
		"outbound|9090||cart.shop.svc.cluster.local transport_socket":    "DestinationRule shop/cart spec.trafficPolicy.portLevelSettings[0].tls",
		"outbound|80|v1|cart.shop.svc.cluster.local ring_hash_lb_config": "DestinationRule shop/cart spec.subsets[0].trafficPolicy.loadBalancer",
		"outbound|80||cart.shop.svc.cluster.local locality":              "DestinationRule shop/cart spec.trafficPolicy.outlierDetection",
		"outbound|80||pay.example.com":                                   "ServiceEntry shop/payments spec.ports[1], DestinationRule shop/payments spec.trafficPolicy",
		"outbound|80|v2|cart.shop.svc.cluster.local 10.244.0.12":         "Pod shop/cart-v2 ",
		"inbound|8080||":                  "Service shop/cart spec.ports[0], DestinationRule shop/cart spec.trafficPolicy",
		"inbound|8080|| circuit_breakers": "DestinationRule shop/cart spec.trafficPolicy.connectionPool",
	} {
		if got[what] != want {
			t.Errorf("%s: shaped by %q, want %q", what, got[what], want)
		}
	}
}

// TestStockEnvoyClusters holds what only Istio's build has out of the clusters of stock Envoy.
func TestStockEnvoyClusters(t *testing.T) {
	mesh := load(t, "clusters/world.yaml")
	cfg := compile.Compile(mesh, proxyOf(t, mesh, "cart-v1.shop"), compile.Options{})
	if len(cfg.Clusters) == 0 {
		t.Fatal("no clusters")
	}
	for _, c := range cfg.Clusters {
		if len(c.GetFilters()) > 0 {
			t.Errorf("%s has filters: %v", c.Name, c.GetFilters())
		}
	}
}

// TestServerNameClusters holds the clusters that a gateway in AUTO_PASSTHROUGH mode has besides: without TLS of their own, and with
// endpoints that speak mTLS alone. There is none for hosts outside the mesh.
func TestServerNameClusters(t *testing.T) {
	cfg := compiled(t, load(t, "clusters/crossnetwork.yaml"), "eastwest.istio-system")
	var got []string
	for _, c := range cfg.Clusters {
		if c.GetType() == clusterv3.Cluster_EDS && strings.Contains(c.GetName(), "80") {
			got = append(got, fmt.Sprintf("%s tls=%t", c.GetName(), len(c.GetTransportSocketMatches()) > 0))
		}
	}
	for _, e := range cfg.Endpoints {
		for _, g := range e.GetEndpoints() {
			for _, lb := range g.GetLbEndpoints() {
				if address := lb.GetEndpoint().GetAddress().GetSocketAddress(); address.GetPortValue() == 8080 {
					got = append(got, e.GetClusterName()+" "+address.GetAddress())
				}
			}
		}
	}
	want := []string{
		"outbound_.80_._.cart.shop.svc.cluster.local tls=false",
		"outbound_.80_.v1_.cart.shop.svc.cluster.local tls=false",
		"outbound|80|v1|cart.shop.svc.cluster.local tls=true",
		"outbound|80||cart.shop.svc.cluster.local tls=true",
		"outbound|80||outside.example.com tls=false",
		"outbound_.80_._.cart.shop.svc.cluster.local 10.244.0.41",
		"outbound_.80_.v1_.cart.shop.svc.cluster.local 10.244.0.41",
		"outbound|80|v1|cart.shop.svc.cluster.local 10.244.0.41",
		"outbound|80|v1|cart.shop.svc.cluster.local 10.244.0.42",
		"outbound|80||cart.shop.svc.cluster.local 10.244.0.41",
		"outbound|80||cart.shop.svc.cluster.local 10.244.0.42",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkSidecarClusters compiles one sidecar of a mesh with a thousand services of two endpoints each.
func BenchmarkSidecarClusters(b *testing.B) {
	var world strings.Builder
	world.WriteString("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}\n")
	for i := range 1000 {
		fmt.Fprintf(&world, `---
apiVersion: v1
kind: Service
metadata: {name: s%[1]d, namespace: shop}
spec:
  clusterIP: 10.96.%[2]d.%[3]d
  selector: {app: s%[1]d}
  ports: [{name: http, port: 80}]
`, i, i/250, i%250+1)
		for j := range 2 {
			fmt.Fprintf(&world, `---
apiVersion: v1
kind: Pod
metadata: {name: s%[1]d-%[4]d, namespace: shop, labels: {app: s%[1]d, security.istio.io/tlsMode: istio}}
spec:
  serviceAccountName: s%[1]d
  containers: [{name: app, image: example.test/app}]
status: {podIP: 10.%[5]d.%[2]d.%[3]d, phase: Running}
`, i, i/250, i%250+1, j, 100+j)
		}
	}
	mesh, err := model.Load(b.Context(), model.Options{FS: fstest.MapFS{"world.yaml": {Data: []byte(world.String())}}}, "world.yaml")
	if err != nil {
		b.Fatal(err)
	}
	proxy := proxyOf(b, mesh, "s0-0.shop")
	compiler := compile.New(mesh, compile.Options{})
	compiler.Compile(proxy)
	for b.Loop() {
		if cfg := compiler.Compile(proxy); len(cfg.Clusters) < 1000 {
			b.Fatalf("%d clusters", len(cfg.Clusters))
		}
	}
}
