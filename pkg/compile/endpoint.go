package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// endpointBuilder builds the endpoints of one proxy. It holds what all of them are seen through.
type endpointBuilder struct {
	*builder
	// gateways lead into other networks; factor is what weights are multiplied by so that gateways can share them, 0 where there are none.
	gateways map[string][]networkGateway
	factor   uint32
	// mtls marks endpoints for mTLS, made once.
	mtls *structpb.Struct
}

func (b *builder) newEndpointBuilder() *endpointBuilder {
	eb := &endpointBuilder{builder: b}
	ways := shareOnce(b, "ways into networks", func(keeper) *waysIntoNetworks {
		w := &waysIntoNetworks{}
		w.gateways, w.factor = networkGateways(b.mesh.Settings.Networks, b.mesh.Services())
		return w
	})
	eb.gateways, eb.factor = ways.gateways, ways.factor
	return eb
}

// waysIntoNetworks is what networkGateways returns.
type waysIntoNetworks struct {
	gateways map[string][]networkGateway
	factor   uint32
}

// localityGroup are the endpoints of one locality: for each one what is known of it and what Envoy is told.
type localityGroup struct {
	locality  *corev3.Locality
	endpoints []*model.Endpoint
	lb        []*endpointv3.LbEndpoint
}

func (g *localityGroup) add(e *model.Endpoint, lb *endpointv3.LbEndpoint) {
	g.endpoints = append(g.endpoints, e)
	g.lb = append(g.lb, lb)
}

// message is the group as Envoy is told it. A group that has lost its endpoints stays, without a weight.
func (g *localityGroup) message() *endpointv3.LocalityLbEndpoints {
	out := &endpointv3.LocalityLbEndpoints{Locality: g.locality, LbEndpoints: g.lb}
	if len(g.lb) > 0 {
		out.LoadBalancingWeight = wrapperspb.UInt32(weightOf(g.lb))
	}
	return out
}

// weightOf sums weights, stopping at the largest number.
func weightOf(endpoints []*endpointv3.LbEndpoint) uint32 {
	var sum uint64
	for _, e := range endpoints {
		sum += uint64(e.GetLoadBalancingWeight().GetValue())
	}
	return uint32(min(sum, 1<<32-1))
}

// localityEndpoints are the endpoints of a target that the proxy is told, by locality.
func (b *endpointBuilder) localityEndpoints(t outboundTarget) []*localityGroup {
	groups := map[string]*localityGroup{}
	mode, takes := ruleTLSMode(t.rule, t.subset, t.port), b.taker(t)
	for _, e := range b.mesh.Endpoints(t.service, t.port) {
		if !takes(e) {
			continue
		}
		g := groups[e.Locality]
		if g == nil {
			g = &localityGroup{locality: localityOf(e.Locality)}
			groups[e.Locality] = g
		}
		g.add(e, b.lbEndpoint(e, b.speaksMTLS(e, mode)))
	}
	out := make([]*localityGroup, 0, len(groups))
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[key])
	}
	out = b.acrossNetworks(out)
	if t.sni {
		keepMTLS(out)
	}
	return out
}

// taker returns the test whether an endpoint of the service is one that the proxy is told for the target.
func (b *builder) taker(t outboundTarget) func(*model.Endpoint) bool {
	nodeLocal, sessions := t.service.NodeLocal(), t.service.KeepsSessions()
	// Who prefers near endpoints must know which of these are ill, to turn to the others.
	unhealthy := t.service.Distribution() != model.AnyEndpoint
	return func(e *model.Endpoint) bool {
		switch {
		case nodeLocal && e.Node != b.proxy.Node,
			e.Health == model.Terminating,
			e.Health == model.Unhealthy && !unhealthy,
			drains(e) && !sessions:
			return false
		}
		return hasLabels(e.Labels, t.subset.GetLabels()) && (t.kind != clusterv3.Cluster_EDS || reachable(e))
	}
}

// drainingLabel is what somebody puts on a pod to have it left out before it ends.
const drainingLabel = "istio.io/draining"

func drains(e *model.Endpoint) bool {
	return e.Health == model.Draining || e.Labels[drainingLabel] != ""
}

// reachable tells whether Envoy can connect to the address without resolving it: an IP, or a Unix domain socket.
func reachable(e *model.Endpoint) bool {
	if e.Port == 0 {
		return true
	}
	_, err := netip.ParseAddr(e.Address)
	return err == nil
}

func hasLabels(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// speaksMTLS tells whether the mesh's mTLS is spoken to an endpoint: as the rule says, or else where a sidecar accepts it.
func (b *endpointBuilder) speaksMTLS(e *model.Endpoint, rule *networking.ClientTLSSettings_TLSmode) bool {
	if rule != nil {
		return *rule == networking.ClientTLSSettings_ISTIO_MUTUAL && e.TLSMode == mtlsMode
	}
	return e.TLSMode == mtlsMode &&
		b.mesh.MTLSFor(e.Namespace, e.Labels).ForPort(e.Port) != security.PeerAuthentication_MutualTLS_DISABLE
}

// mtlsMode marks endpoints whose sidecar accepts mTLS.
const mtlsMode = "istio"

// lbEndpoint is one endpoint as Envoy is told it. The health of what Kubernetes does not watch is not known.
func (b *endpointBuilder) lbEndpoint(e *model.Endpoint, mtls bool) *endpointv3.LbEndpoint {
	out := &endpointv3.LbEndpoint{
		HostIdentifier:      &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: endpointAddress(e.Address, e.Port)}},
		LoadBalancingWeight: wrapperspb.UInt32(max(1, e.Weight)),
		Metadata:            b.endpointMetadata(b.workloadOf(e), mtls),
	}
	switch {
	case drains(e):
		out.HealthStatus = corev3.HealthStatus_DRAINING
	case e.Health == model.Unhealthy:
		out.HealthStatus = corev3.HealthStatus_UNHEALTHY
	case watched(e.Source):
		out.HealthStatus = corev3.HealthStatus_HEALTHY
	}
	b.sources.Add(out, e.Source)
	return out
}

func watched(s resource.Source) bool {
	return s.Resource == nil || s.Resource.Kind != "ServiceEntry" && s.Resource.Kind != "WorkloadEntry"
}

// workloadOf describes the workload of an endpoint for telemetry: name, namespace, canonical service and revision, cluster.
// (https://istio.io/latest/docs/reference/config/metrics/)
func (b *builder) workloadOf(e *model.Endpoint) string {
	l := e.Labels
	service := cmp.Or(l["service.istio.io/canonical-name"], l["app.kubernetes.io/name"], l["app"], e.WorkloadName)
	revision := cmp.Or(l["service.istio.io/canonical-revision"], l["app.kubernetes.io/version"], l["version"])
	if revision == "latest" {
		revision = ""
	}
	return strings.Join([]string{e.WorkloadName, e.Namespace, service, revision, b.mesh.Settings.ClusterID}, ";")
}

func (b *endpointBuilder) endpointMetadata(workload string, mtls bool) *corev3.Metadata {
	out := &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		"istio": {Fields: map[string]*structpb.Value{"workload": structpb.NewStringValue(workload)}},
	}}
	if mtls {
		if b.mtls == nil {
			b.mtls = &structpb.Struct{Fields: map[string]*structpb.Value{"tlsMode": structpb.NewStringValue(mtlsMode)}}
		}
		out.FilterMetadata[socketMatchKey] = b.mtls
	}
	return out
}

// socketMatchKey is the metadata that transport_socket_matches look at.
const socketMatchKey = "envoy.transport_socket_match"

// keepMTLS leaves only the endpoints marked for mTLS: what a gateway hands on by its server name is the mesh's mTLS, or so it must take it.
func keepMTLS(groups []*localityGroup) {
	for _, g := range groups {
		all := *g
		g.endpoints, g.lb = nil, nil
		for i, lb := range all.lb {
			if markedMTLS(lb) {
				g.add(all.endpoints[i], lb)
			}
		}
	}
}

func markedMTLS(lb *endpointv3.LbEndpoint) bool {
	_, ok := lb.GetMetadata().GetFilterMetadata()[socketMatchKey]
	return ok
}

// localityOf splits region/zone/subzone.
func localityOf(locality string) *corev3.Locality {
	region, zone, subzone := model.SplitLocality(locality)
	return &corev3.Locality{Region: region, Zone: zone, SubZone: subzone}
}
