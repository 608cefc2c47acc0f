// Package emit turns what was compiled into files: Envoy bootstraps with their source maps, goldens, and the differences between two sets of
// either.
//
// Nothing here changes a compiled configuration: where a bootstrap says something else than xDS does (routes and endpoints inline), the
// message around it is copied one level deep and its parts are shared.
package emit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// Bootstrap returns the proxy's Envoy bootstrap as JSON in canonical form (package canonical), ending in a line feed. Routes stand
// inline in the HTTP connection managers and endpoints in the clusters. The bytes depend on what the configuration says and not on
// the order in which it lists it. It fails only on messages that have no JSON form, which the compiler does not make.
func Bootstrap(cfg *compile.Configuration) ([]byte, error) {
	a := newAssembly(cfg)
	out, err := canonical.Marshal(a.bootstrap(), a.options(nil))
	if err != nil {
		return nil, fmt.Errorf("writing the bootstrap of %s: %w", cfg.Proxy.ID(), err)
	}
	return out, nil
}

// assembly puts one bootstrap together.
type assembly struct {
	cfg       *compile.Configuration
	routes    map[string]*routev3.RouteConfiguration
	endpoints map[string]*endpointv3.ClusterLoadAssignment
	// inlined holds what stands inside an Any of the bootstrap and not of the configuration: connection managers with their routes.
	inlined map[*anypb.Any]proto.Message
	// origin leads from a copy to the message that it was made from, which is the one whose sources are known.
	origin map[proto.Message]proto.Message
	// texts are those of clusters with their endpoints inline.
	texts map[*clusterv3.Cluster]*canonical.Texts
}

func newAssembly(cfg *compile.Configuration) *assembly {
	a := &assembly{
		cfg:       cfg,
		routes:    make(map[string]*routev3.RouteConfiguration, len(cfg.Routes)),
		endpoints: make(map[string]*endpointv3.ClusterLoadAssignment, len(cfg.Endpoints)),
		inlined:   map[*anypb.Any]proto.Message{},
		origin:    make(map[proto.Message]proto.Message, len(cfg.Clusters)),
		texts:     make(map[*clusterv3.Cluster]*canonical.Texts, len(cfg.Clusters)),
	}
	for _, r := range cfg.Routes {
		a.routes[r.GetName()] = r
	}
	for _, e := range cfg.Endpoints {
		a.endpoints[e.GetClusterName()] = e
	}
	return a
}

func (a *assembly) bootstrap() *bootstrapv3.Bootstrap {
	static := &bootstrapv3.Bootstrap_StaticResources{
		Listeners: sorted(a.cfg.Listeners, (*listenerv3.Listener).GetName),
		Secrets:   sorted(a.cfg.Secrets, (*tlsv3.Secret).GetName),
	}
	clusters := make([]*clusterv3.Cluster, 0, len(a.cfg.Clusters)+1)
	for _, c := range a.cfg.Clusters {
		clusters = append(clusters, a.cluster(c))
	}
	clusters = append(clusters, a.referenced()...)
	static.Clusters = sorted(clusters, (*clusterv3.Cluster).GetName)
	out := &bootstrapv3.Bootstrap{
		Node:            node(a.cfg),
		Admin:           &bootstrapv3.Admin{Address: socketAddress(a.localhost(), a.adminPort())},
		StaticResources: static,
		LayeredRuntime:  layeredRuntime(a.cfg),

		StatsConfig:        a.cfg.Statistics.Config,
		StatsFlushInterval: a.cfg.Statistics.FlushInterval,
	}
	if d := a.cfg.Statistics.EvictionInterval; d != nil {
		out.StatsEviction = &bootstrapv3.Bootstrap_StatsEvictionInterval{StatsEvictionInterval: d}
	}
	a.observe(out)
	a.serveAdmin(out)
	for _, p := range a.cfg.BootstrapPatches {
		out = patch.Merge{ReplaceLists: p.ReplaceLists, Copied: a.copied}.Into(out, p.Value).(*bootstrapv3.Bootstrap)
	}
	return out
}

// copied notes where a copy comes from, through copies of copies.
func (a *assembly) copied(from, to proto.Message) {
	if original, ok := a.origin[from]; ok {
		from = original
	}
	a.origin[to] = from
}

// sorted returns the resources ordered by name in a slice of their own.
func sorted[T proto.Message](resources []T, name func(T) string) []T {
	return slices.SortedStableFunc(slices.Values(resources), func(x, y T) int { return cmp.Compare(name(x), name(y)) })
}

// cluster returns the cluster with its endpoints inline. Where other bootstraps hold the same two, they hold the same copy.
func (a *assembly) cluster(c *clusterv3.Cluster) *clusterv3.Cluster {
	load := a.endpoints[cmp.Or(c.GetEdsClusterConfig().GetServiceName(), c.GetName())]
	part := a.cfg.Part(c)
	if part == nil || load != nil && a.cfg.Part(load) == nil || !part.Recurs() {
		return a.derived(withEndpoints(c, load), c)
	}
	inline := part.Memo(inlineKey{load}, func() any { return &inlineCluster{cluster: withEndpoints(c, load)} }).(*inlineCluster)
	a.texts[inline.cluster] = &inline.texts
	return a.derived(inline.cluster, c)
}

// inlineKey is what a cluster with its endpoints inline is kept under.
type inlineKey struct {
	load *endpointv3.ClusterLoadAssignment
}

type inlineCluster struct {
	cluster *clusterv3.Cluster
	texts   canonical.Texts
}

// derived notes what a message was made from, if it is not the same.
func (a *assembly) derived(out, from *clusterv3.Cluster) *clusterv3.Cluster {
	if out != from {
		a.origin[out] = from
	}
	return out
}

// withEndpoints returns a copy of the cluster that holds its endpoints, nil for none, or the cluster itself where nobody sends it any.
func withEndpoints(c *clusterv3.Cluster, load *endpointv3.ClusterLoadAssignment) *clusterv3.Cluster {
	kind, ok := c.GetClusterDiscoveryType().(*clusterv3.Cluster_Type)
	if !ok || c.GetLoadAssignment() != nil {
		return c
	}
	if kind.Type != clusterv3.Cluster_EDS {
		if load == nil || kind.Type == clusterv3.Cluster_ORIGINAL_DST {
			return c
		}
		out := shallow(c)
		out.LoadAssignment = load
		return out
	}
	if load == nil {
		load = &endpointv3.ClusterLoadAssignment{ClusterName: cmp.Or(c.GetEdsClusterConfig().GetServiceName(), c.GetName())}
	}
	out := shallow(c)
	out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	if hasHostname(load) {
		// STATIC wants addresses; names are looked up by STRICT_DNS alone.
		out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
	}
	out.EdsClusterConfig = nil
	out.LoadAssignment = load
	return out
}

// options are those by which the bootstrap is written; visit may be nil.
func (a *assembly) options(visit func([]byte, proto.Message)) canonical.Options {
	return canonical.Options{Unpack: a.unpack, Visit: visit, Texts: a.textsOf, Marked: func(m proto.Message) bool {
		if original, ok := a.origin[m]; ok {
			m = original
		}
		return len(a.cfg.Sources.Of(m)) > 0
	}}
}

// textsOf returns where the text of a message that several bootstraps hold is kept, nil for any other.
func (a *assembly) textsOf(m proto.Message) *canonical.Texts {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return a.texts[m]
	case *routev3.VirtualHost:
		if part := a.cfg.Part(m); part != nil && part.Recurs() {
			return part.Memo(textsKey{}, func() any { return &canonical.Texts{} }).(*canonical.Texts)
		}
	}
	return nil
}

// textsKey is what the texts of a message are kept under.
type textsKey struct{}

// unpack returns the message inside an Any as the bootstrap shows it: a connection manager with its routes inline.
func (a *assembly) unpack(packed *anypb.Any) (proto.Message, error) {
	if m, ok := a.inlined[packed]; ok {
		return m, nil
	}
	m, err := a.cfg.Sources.Unpack(packed)
	if err != nil {
		return nil, err
	}
	manager, ok := m.(*hcmv3.HttpConnectionManager)
	if !ok || manager.GetRds() == nil {
		return m, nil
	}
	routes := a.routes[manager.GetRds().GetRouteConfigName()]
	if routes == nil {
		// Over xDS Envoy would wait for this table; with nobody to send it, a table without hosts answers 404 as an absent one would.
		routes = &routev3.RouteConfiguration{Name: manager.GetRds().GetRouteConfigName()}
	}
	out := shallow(manager)
	out.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	a.inlined[packed] = out
	a.origin[out] = manager
	return out, nil
}

// pack wraps a message that belongs to the bootstrap alone; the configuration's own map stays as it is.
func (a *assembly) pack(m proto.Message) *anypb.Any {
	packed := &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName())}
	a.inlined[packed] = m
	return packed
}

// shallow returns a copy of m that shares its parts.
func shallow[T proto.Message](m T) T {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(fd, v)
		return true
	})
	return to.Interface().(T)
}

func hasHostname(load *endpointv3.ClusterLoadAssignment) bool {
	for _, locality := range load.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			if address := e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress(); address != "" && !isIP(address) {
				return true
			}
		}
	}
	return false
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
