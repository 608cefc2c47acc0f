package compile

import (
	"cmp"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// patchClusters merges into clusters, removes and adds them. A cluster that is added under a name that is taken is left out, which does no harm
// where several EnvoyFilters bring the same one.
func (b *builder) patchClusters(clusters []*clusterv3.Cluster) []*clusterv3.Cluster {
	if len(b.patches.byTarget[networking.EnvoyFilter_CLUSTER]) == 0 {
		return clusters
	}
	var out []*clusterv3.Cluster
	taken := map[string]bool{}
	for _, c := range clusters {
		if c := b.patchCluster(b.clusterContext(c), c); c != nil && !taken[c.GetName()] {
			taken[c.GetName()] = true
			out = append(out, c)
		}
	}
	added := map[string]proto.Message{}
	for _, p := range b.patches.byTarget[networking.EnvoyFilter_CLUSTER] {
		if p.operation != networking.EnvoyFilter_Patch_ADD || !p.fits(b.proxy.Type) {
			continue
		}
		name := p.value.(*clusterv3.Cluster).GetName()
		switch {
		case added[name] != nil && proto.Equal(added[name], p.value):
			b.applied(p)
		case taken[name]:
			b.failed(p, "there is a cluster "+name+" already")
		default:
			taken[name], added[name] = true, p.value
			out = append(out, inserted[*clusterv3.Cluster](b, p))
		}
	}
	return out
}

func (b *builder) clusterContext(c *clusterv3.Cluster) networking.EnvoyFilter_PatchContext {
	switch {
	case b.proxy.Type == model.Router:
		return networking.EnvoyFilter_GATEWAY
	case c.GetName() == translate.InboundPassthroughCluster, strings.HasPrefix(c.GetName(), "inbound|"):
		return networking.EnvoyFilter_SIDECAR_INBOUND
	default:
		return networking.EnvoyFilter_SIDECAR_OUTBOUND
	}
}

// patchCluster returns the cluster as patched, nil where a patch removes it.
func (b *builder) patchCluster(context networking.EnvoyFilter_PatchContext, c *clusterv3.Cluster) *clusterv3.Cluster {
	for _, p := range b.patchesOf(context, networking.EnvoyFilter_CLUSTER) {
		if !p.matchesCluster(c) {
			continue
		}
		switch {
		case p.operation == networking.EnvoyFilter_Patch_REMOVE:
			b.removed = append(b.removed, Removed{Kind: "clusters", Change: provenance.Change{By: p.from, Operation: p.operation.String(), Before: c}})
			b.applied(p)
			return nil
		case patch.Merges(p.operation):
			c = b.mergeCluster(p, c)
		}
	}
	return c
}

// mergeCluster merges into a cluster. As in istiod, a patch with a transport socket does nothing else: what is inside is merged into that of
// the same name, among those for endpoints with mTLS and without if there are such, or takes the place of another.
func (b *builder) mergeCluster(p *envoyPatch, c *clusterv3.Cluster) *clusterv3.Cluster {
	want := p.value.(*clusterv3.Cluster).GetTransportSocket()
	if want == nil {
		return merged(b, p, c)
	}
	if matches := c.GetTransportSocketMatches(); len(matches) > 0 {
		i := slices.IndexFunc(matches, func(m *clusterv3.Cluster_TransportSocketMatch) bool {
			return m.GetTransportSocket() != nil && m.GetTransportSocket().GetName() == want.GetName()
		})
		if i < 0 {
			b.failed(p, "the cluster has transport sockets for endpoints with mTLS and without, of which none is named "+want.GetName())
			return c
		}
		socket := b.mergeSocket(p, matches[i].GetTransportSocket(), want)
		if socket == matches[i].GetTransportSocket() {
			return c
		}
		matches = slices.Clone(matches)
		matches[i] = edited(b, matches[i], func(m *clusterv3.Cluster_TransportSocketMatch) { m.TransportSocket = socket })
		return edited(b, c, func(c *clusterv3.Cluster) { c.TransportSocketMatches = matches })
	}
	have := c.GetTransportSocket()
	if have.GetName() != want.GetName() || have == nil {
		out := edited(b, c, func(c *clusterv3.Cluster) { c.TransportSocket = want })
		if !b.accepted(p, c, out) {
			return c
		}
		change := provenance.Change{By: p.from, Operation: p.operation.String()}
		if have != nil {
			change.Before = have
		}
		b.sources.Changed(out, change)
		b.applied(p)
		return out
	}
	socket := b.mergeSocket(p, have, want)
	if socket == have {
		return c
	}
	return edited(b, c, func(c *clusterv3.Cluster) { c.TransportSocket = socket })
}

// askedFor are the endpoints of clusters that are there.
func askedFor(endpoints []*endpointv3.ClusterLoadAssignment, clusters []*clusterv3.Cluster) []*endpointv3.ClusterLoadAssignment {
	names := map[string]bool{}
	for _, c := range clusters {
		names[cmp.Or(c.GetEdsClusterConfig().GetServiceName(), c.GetName())] = true
	}
	return slices.DeleteFunc(endpoints, func(e *endpointv3.ClusterLoadAssignment) bool { return !names[e.GetClusterName()] })
}

// Removed is a listener or cluster that a patch took out.
type Removed struct {
	// Kind is where it would stand in a bootstrap's static_resources: listeners or clusters.
	Kind string
	provenance.Change
}
