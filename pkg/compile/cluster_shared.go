package compile

import (
	"maps"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
)

// targetKey is all that the cluster of a target and its endpoints depend on.
type targetKey struct {
	service *model.Service
	port    *model.Port
	rule    *model.DestinationRule
	subset  *networking.Subset
	kind    clusterv3.Cluster_DiscoveryType
	sni     bool
	// looksUpNames is the target's.
	looksUpNames bool
	viewpoint
}

// viewpoint is what of a proxy decides over the clusters that it sees; what does not matter for a target is left empty.
type viewpoint struct {
	role                    model.ProxyType
	ipv6                    bool
	locality, network, node string
	// labels are those that endpoints are compared with, and labelled tells whether the proxy has any at all.
	labels   string
	labelled bool
}

// targetParts are the messages made for a target.
type targetParts struct {
	cluster   *clusterv3.Cluster
	endpoints *endpointv3.ClusterLoadAssignment // nil where no EDS is asked
	secrets   []string
}

// targetBuilder collects the outbound clusters of one proxy with their endpoints, and makes those that no other proxy has made.
type targetBuilder struct {
	*endpointBuilder
	clusters  []*clusterv3.Cluster
	endpoints []*endpointv3.ClusterLoadAssignment
	assigned  map[string]bool
	// makers are the builders of what is missing, one for each point of view.
	makers map[viewpoint]*clusterBuilder
}

// add adds the clusters of all targets, those for gateways in AUTO_PASSTHROUGH mode if sni is set.
func (tb *targetBuilder) add(sni bool) {
	for t := range tb.outboundTargets(sni) {
		key := targetKey{
			service: t.service, port: t.port, rule: t.rule, subset: t.subset, kind: t.kind, sni: t.sni, looksUpNames: t.looksUpNames,
			viewpoint: tb.viewpointOf(t),
		}
		parts := shareOnce(tb.builder, key, func(keep keeper) *targetParts { return tb.make(key.viewpoint, t, keep) })
		for _, name := range parts.secrets {
			tb.secretNames[name] = true
		}
		if parts.cluster != nil {
			tb.clusters = append(tb.clusters, parts.cluster)
		}
		if e := parts.endpoints; e != nil && !tb.assigned[e.ClusterName] {
			tb.assigned[e.ClusterName] = true
			tb.endpoints = append(tb.endpoints, e)
		}
	}
}

// viewpointOf is what of the proxy matters for the target.
func (tb *targetBuilder) viewpointOf(t outboundTarget) viewpoint {
	v := viewpoint{role: tb.proxy.Type, ipv6: tb.ipv6()}
	if tb.factor != 0 {
		v.network = tb.proxy.Network
	}
	if t.service.NodeLocal() {
		v.node = tb.proxy.Node
	}
	setting, failover := tb.localitySetting(t)
	if setting.GetDistribute() != nil || setting != nil && failover {
		v.locality = tb.proxy.Locality
	}
	if failover && len(setting.GetFailoverPriority()) > 0 {
		v.labelled = len(tb.topologyLabels()) > 0
		v.labels = labelsAmong(tb.topologyLabels(), setting.GetFailoverPriority())
	}
	return v
}

// proxy is a stand-in for the proxies that share the point of view.
func (v viewpoint) proxy() *model.Proxy {
	p := &model.Proxy{Type: v.role, IP: "0.0.0.0", Locality: v.locality, Network: v.network, Node: v.node, Labels: labelsFrom(v.labels)}
	if v.ipv6 {
		p.IP = "::"
	}
	if v.labelled && len(p.Labels) == 0 {
		p.Labels = map[string]string{"": ""}
	}
	return p
}

func (tb *targetBuilder) make(v viewpoint, t outboundTarget, keep keeper) *targetParts {
	cb := tb.makers[v]
	if cb == nil {
		cb = &clusterBuilder{endpointBuilder: tb.standIn(v.proxy()).newEndpointBuilder()}
		if tb.makers == nil {
			tb.makers = map[viewpoint]*clusterBuilder{}
		}
		tb.makers[v] = cb
	}
	clear(cb.secretNames)
	parts := &targetParts{cluster: cb.outboundCluster(t)}
	if t.kind == clusterv3.Cluster_EDS {
		parts.endpoints = &endpointv3.ClusterLoadAssignment{
			ClusterName: t.name(), Endpoints: cb.balance(cb.localityEndpoints(t), t, true),
		}
	}
	parts.secrets = slices.Collect(maps.Keys(cb.secretNames))
	var messages []proto.Message
	if parts.cluster != nil {
		messages = append(messages, parts.cluster)
	}
	if parts.endpoints != nil {
		messages = append(messages, parts.endpoints)
	}
	keep(cb.sources, messages...)
	return parts
}
