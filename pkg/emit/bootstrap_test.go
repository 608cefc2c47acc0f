package emit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

func TestBootstrapIgnoresOrder(t *testing.T) {
	w := world{target: compile.Envoy, weights: []uint32{90, 10}, mtls: true}
	want, err := emit.Bootstrap(w.configuration(t, "productpage-v1"))
	if err != nil {
		t.Fatal(err)
	}
	shuffled := w.configuration(t, "productpage-v1")
	slices.Reverse(shuffled.Clusters)
	slices.Reverse(shuffled.Endpoints)
	got, err := emit.Bootstrap(shuffled)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestBootstrapClusters shows where a cluster's endpoints come from and what type it gets.
func TestBootstrapClusters(t *testing.T) {
	load := func(name, host string) *endpointv3.ClusterLoadAssignment {
		return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(host, 80)}},
		}}}}}
	}
	typed := func(kind clusterv3.Cluster_DiscoveryType) *clusterv3.Cluster {
		return &clusterv3.Cluster{Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: kind}}
	}
	eds := typed(clusterv3.Cluster_EDS)
	eds.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{ServiceName: "service"}
	own := typed(clusterv3.Cluster_STRICT_DNS)
	own.LoadAssignment = load("c", "own.example")
	tests := []struct {
		name      string
		cluster   *clusterv3.Cluster
		endpoints *endpointv3.ClusterLoadAssignment
		want      string
	}{
		{"EDS", eds, load("service", "10.0.0.1"), "STATIC service 10.0.0.1"},
		{"EDS without a service name", typed(clusterv3.Cluster_EDS), load("c", "fd00::1"), "STATIC c fd00::1"},
		{"EDS without endpoints", eds, nil, "STATIC service"},
		{"EDS with endpoints that have names", eds, load("service", "db.example"), "STRICT_DNS service db.example"},
		{"DNS with its own endpoints", own, load("c", "10.0.0.1"), "STRICT_DNS c own.example"},
		{"DNS with endpoints beside it", typed(clusterv3.Cluster_STRICT_DNS), load("c", "db.example"), "STRICT_DNS c db.example"},
		{"original destination", typed(clusterv3.Cluster_ORIGINAL_DST), load("c", "10.0.0.1"), "ORIGINAL_DST"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := &compile.Configuration{Proxy: &model.Proxy{Name: "p", Namespace: "n"}, Clusters: []*clusterv3.Cluster{test.cluster}, Sources: provenance.New()}
			if test.endpoints != nil {
				cfg.Endpoints = append(cfg.Endpoints, test.endpoints)
			}
			c := read(t, cfg).GetStaticResources().GetClusters()[0]
			words := []string{c.GetType().String()}
			if c.GetLoadAssignment() != nil {
				words = append(words, c.GetLoadAssignment().GetClusterName())
			}
			for _, l := range c.GetLoadAssignment().GetEndpoints() {
				words = append(words, l.GetLbEndpoints()[0].GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
			}
			if diff := cmp.Diff(test.want, strings.Join(words, " ")); diff != "" {
				t.Error(diff)
			}
			if c.GetEdsClusterConfig() != nil {
				t.Error("still asks for endpoints")
			}
		})
	}
}

// read compiles the bootstrap and reads it back.
func read(t *testing.T, cfg *compile.Configuration) *bootstrapv3.Bootstrap {
	t.Helper()
	text, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBootstrapRoutes takes a table that nobody made for an empty one: Envoy would wait for it for ever.
func TestBootstrapRoutes(t *testing.T) {
	for name, spoil := range map[string]func(*compile.Configuration){
		"9080 2": func(*compile.Configuration) {},
		"9080 0": func(cfg *compile.Configuration) { cfg.Routes = nil },
	} {
		cfg := world{weights: []uint32{1}}.configuration(t, "a")
		spoil(cfg)
		m := &hcmv3.HttpConnectionManager{}
		packed := read(t, cfg).GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig()
		if err := packed.UnmarshalTo(m); err != nil {
			t.Fatal(err)
		}
		if m.GetRds() != nil {
			t.Error("still asks for routes")
		}
		if got := fmt.Sprint(m.GetRouteConfig().GetName(), " ", len(m.GetRouteConfig().GetVirtualHosts())); got != name {
			t.Errorf("got table %s, want %s", got, name)
		}
	}
}

// TestBootstrapChangesNothing holds the configuration before against the one after.
func TestBootstrapChangesNothing(t *testing.T) {
	cfg := world{target: compile.Envoy, weights: []uint32{90, 10}, mtls: true}.configuration(t, "a")
	before := &bootstrapv3.Bootstrap_StaticResources{}
	after := &bootstrapv3.Bootstrap_StaticResources{Listeners: cfg.Listeners, Clusters: cfg.Clusters}
	proto.Merge(before, after)
	routes := proto.Clone(cfg.Routes[0])
	if _, _, err := emit.BootstrapWithSourceMap(cfg); err != nil {
		t.Fatal(err)
	}
	if err := emit.Validate(cfg); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(routes, proto.Message(cfg.Routes[0]), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestNode(t *testing.T) {
	cfg := &compile.Configuration{
		Proxy: &model.Proxy{
			Name: "gw", Namespace: "edge", Type: model.Router, IP: "10.0.0.1", Labels: map[string]string{"app": "gateway"},
			ServiceAccount: "sa", Locality: "r/z/s", Network: "n1",
		},
		Settings: &model.Settings{DomainSuffix: "corp.local", ClusterID: "c1", MeshID: "m1"}, Sources: provenance.New(),
	}
	want := `{"id":"router~10.0.0.1~gw.edge~edge.svc.corp.local","cluster":"gateway.edge","locality":{"region":"r","zone":"z","sub_zone":"s"},
		"metadata":{"NAME":"gw","NAMESPACE":"edge","SERVICE_ACCOUNT":"sa","NETWORK":"n1","CLUSTER_ID":"c1","MESH_ID":"m1","LABELS":{"app":"gateway"}}}`
	n := &corev3.Node{}
	if err := protojson.Unmarshal([]byte(want), n); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n, read(t, cfg).GetNode(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}
