package provenance_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model/resource"
)

var rule = &resource.Resource{Kind: "DestinationRule", Name: "reviews"}

func paths(sources []resource.Source) []string {
	var all []string
	for _, s := range sources {
		all = append(all, s.Path)
	}
	return all
}

func TestAddKeepsOrderAndDropsRepetitions(t *testing.T) {
	m, c := provenance.New(), &clusterv3.Cluster{}
	m.Add(c, rule.At("b"), rule.At("a"))
	m.Add(c, rule.At("a"), resource.Source{}, rule.At("c"))
	if diff := cmp.Diff([]string{"b", "a", "c"}, paths(m.Of(c))); diff != "" {
		t.Error(diff)
	}
	if got := m.Of(&clusterv3.Cluster{}); got != nil {
		t.Errorf("another message has %v", got)
	}
}

func TestUnpackGivesBackWhatWasPacked(t *testing.T) {
	m, inner := provenance.New(), &tlsv3.UpstreamTlsContext{Sni: "x"}
	packed := m.Pack(inner)
	if got, err := m.Unpack(packed); err != nil || got != inner {
		t.Errorf("got %v, %v, not the message itself", got, err)
	}
	foreign, err := anypb.New(inner)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Unpack(foreign)
	if err != nil || first.(*tlsv3.UpstreamTlsContext).GetSni() != "x" {
		t.Errorf("an Any from elsewhere gives %v, %v", first, err)
	}
	if second, _ := m.Unpack(foreign); second != first {
		t.Error("it was decoded twice")
	}
	if _, err := m.Unpack(&anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type"}); err == nil {
		t.Error("an unknown type was unpacked")
	}
}

// TestCloneKeepsSources: a patch changes the clone, and both still know where they come from.
func TestCloneKeepsSources(t *testing.T) {
	m := provenance.New()
	tls := &tlsv3.UpstreamTlsContext{Sni: "x"}
	socket := &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: m.Pack(tls)}}
	match := &clusterv3.Cluster_TransportSocketMatch{Name: "istio", TransportSocket: socket}
	c := &clusterv3.Cluster{Name: "c", TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{match},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{"http": m.Pack(&tlsv3.Secret{Name: "s"})}}
	m.Add(c, rule.At("spec"))
	m.Add(match, rule.At("spec.trafficPolicy.tls"))

	clone := provenance.Clone(m, c)
	clone.Name, clone.TransportSocketMatches[0].Name = "patched", "patched"
	if c.Name != "c" || match.Name != "istio" {
		t.Error("changing the clone changed the original")
	}
	if diff := cmp.Diff([]string{"spec"}, paths(m.Of(clone))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"spec.trafficPolicy.tls"}, paths(m.Of(clone.TransportSocketMatches[0]))); diff != "" {
		t.Error(diff)
	}
	if got, err := m.Unpack(clone.TransportSocketMatches[0].TransportSocket.GetTypedConfig()); err != nil || got != tls {
		t.Errorf("the clone's context is %v, %v, not the one that was packed", got, err)
	}
}
