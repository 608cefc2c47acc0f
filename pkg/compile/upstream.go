package compile

import (
	"iter"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Upstream is one cluster by which a proxy calls a port of a service, or one subset of it, and what it was made of. It is valid until the next
// one is asked for.
type Upstream struct {
	Service *model.Service
	Port    *model.Port
	// Subset is "" for the cluster of all endpoints.
	Subset string
	// Cluster is as EnvoyFilters left it.
	Cluster *clusterv3.Cluster
	// TLS are the settings of the DestinationRule that count here, and TLSFrom where they stand; nil where no rule has any and the mesh's mTLS is
	// automatic.
	TLS     *networking.ClientTLSSettings
	TLSFrom resource.Source
	// Withheld tells that TLS names a Secret that the proxy does not get, so that nothing is left of the settings.
	Withheld bool
	// Endpoints are those that the proxy can reach.
	Endpoints []UpstreamEndpoint

	sources *provenance.Map
}

// UpstreamEndpoint is an endpoint, and whether it is marked for the mesh's mTLS, which transport_socket_matches look at.
type UpstreamEndpoint struct {
	*model.Endpoint
	MTLS bool
}

// Upstreams yields the clusters by which the proxy calls services, in the order of services, ports and subsets. They are those that Compile
// gives the proxy; clusters that lead to no service (passthrough, what EnvoyFilters add) are not among them.
func (c *Compiler) Upstreams(p *model.Proxy) iter.Seq[Upstream] {
	return func(yield func(Upstream) bool) {
		b := c.builder(p)
		cb := &clusterBuilder{endpointBuilder: b.newEndpointBuilder()}
		seen := map[string]bool{}
		for t := range b.outboundTargets(false) {
			if seen[t.name()] {
				continue
			}
			built := cb.outboundCluster(t)
			if built == nil {
				continue
			}
			seen[t.name()] = true
			if built = b.patchCluster(b.clusterContext(built), built); built == nil {
				continue
			}
			u := Upstream{
				Service: t.service, Port: t.port, Subset: t.subsetName(), Cluster: built, TLS: t.policy.tls.value, TLSFrom: t.policy.tls.from,
				Endpoints: cb.upstreamEndpoints(t), sources: b.sources,
			}
			u.Withheld = originatesTLS(u.TLS) && cb.withheldCredential(t)
			if !yield(u) {
				return
			}
		}
	}
}

// upstreamEndpoints are the endpoints that connections can reach: those of the target, or any where connections pass through to the address that
// the client chose. Those behind another network's gateways take the mesh's mTLS alone.
func (b *endpointBuilder) upstreamEndpoints(t outboundTarget) []UpstreamEndpoint {
	var out []UpstreamEndpoint
	mode, takes := ruleTLSMode(t.rule, t.subset, t.port), b.taker(t)
	for _, e := range b.mesh.Endpoints(t.service, t.port) {
		if !takes(e) && t.kind != clusterv3.Cluster_ORIGINAL_DST {
			continue
		}
		mtls := b.speaksMTLS(e, mode)
		if mtls || b.inNetwork(e.Network) || len(b.gateways[e.Network]) == 0 {
			out = append(out, UpstreamEndpoint{e, mtls})
		}
	}
	return out
}

// ClientTLS returns the TLS that the cluster speaks to endpoints, those that are marked for mTLS or the others; nil for plaintext. From are the
// policies and patches that shaped it.
func (u *Upstream) ClientTLS(marked bool) (context *tlsv3.UpstreamTlsContext, from []resource.Source) {
	socket := u.Cluster.GetTransportSocket()
	for _, m := range u.Cluster.GetTransportSocketMatches() {
		if mode := m.GetMatch().GetFields()["tlsMode"]; mode == nil && len(m.GetMatch().GetFields()) == 0 || marked && mode.GetStringValue() == mtlsMode {
			socket = m.GetTransportSocket()
			break
		}
	}
	from = slices.Clip(u.sources.Of(socket))
	for _, change := range u.sources.Changes(u.Cluster) {
		if _, replaced := change.Before.(*corev3.TransportSocket); replaced || change.Before == nil && change.After == nil {
			from = append(from, change.By)
		}
	}
	context, _ = u.unwrap(socket).(*tlsv3.UpstreamTlsContext)
	return context, from
}

// unwrap returns the configuration of a transport socket without the PROXY header around it; nil for none.
func (u *Upstream) unwrap(socket *corev3.TransportSocket) proto.Message {
	for socket.GetTypedConfig() != nil {
		config, err := u.sources.Unpack(socket.GetTypedConfig())
		if err != nil {
			return nil
		}
		outer, ok := config.(*proxyprotocolv3.ProxyProtocolUpstreamTransport)
		if !ok {
			return config
		}
		socket = outer.GetTransportSocket()
	}
	return nil
}

// IsMeshCertificate tells whether a TLS context presents the workload's own certificate, which the mesh signed; presents tells whether it
// presents any.
func IsMeshCertificate(context *tlsv3.CommonTlsContext) (presents, mesh bool) {
	secrets := context.GetTlsCertificateSdsSecretConfigs()
	return len(secrets) > 0 || len(context.GetTlsCertificates()) > 0, len(secrets) > 0 && secrets[0].GetName() == workloadSecret
}

// UpstreamKey is equal for proxies whose Upstreams are equal, but for what tells nothing of TLS (localities, weights): those of one kind and
// namespace, to which the same Sidecar, the same DestinationRules for some workloads and the same EnvoyFilters apply, in one network.
func (c *Compiler) UpstreamKey(p *model.Proxy) string {
	b := c.builder(p)
	key := []string{string(p.Type), p.Namespace, p.Network}
	name := func(r *resource.Resource, path string) { key = append(key, r.Kind, r.Namespace, r.Name, path) }
	if b.scope.Sidecar != nil {
		name(b.scope.Sidecar.Resource, "")
	}
	for _, r := range c.selective() {
		if r.Namespace == p.Namespace && model.Selects(r.Spec.GetWorkloadSelector().GetMatchLabels(), p.Labels) {
			name(r.Resource, "")
		}
	}
	if slices.ContainsFunc(b.scope.Services, (*model.Service).NodeLocal) {
		key = append(key, p.Node)
	}
	for _, patch := range b.patches.byTarget[networking.EnvoyFilter_CLUSTER] {
		name(patch.from.Resource, patch.from.Path)
	}
	return strings.Join(key, "\x00")
}

// selectiveRules are the DestinationRules for some workloads.
func selectiveRules(mesh *model.Mesh) []resource.Of[*networking.DestinationRule] {
	return slices.DeleteFunc(model.All[*networking.DestinationRule](mesh), func(r resource.Of[*networking.DestinationRule]) bool {
		return r.Spec.GetWorkloadSelector() == nil
	})
}

// Inbound returns the part of a proxy's configuration that takes in calls: the inbound listeners of a sidecar, all those of a gateway. They are
// those of Compile, at a fraction of its cost; everything else is left empty.
func (c *Compiler) Inbound(p *model.Proxy) *Configuration {
	b := c.builder(p)
	cfg := &Configuration{Proxy: p, Target: b.target, Settings: &b.mesh.Settings, ProxyConfig: b.proxyConfig(), Sources: b.sources}
	if p.Type == model.Router {
		merged := b.mergeGateways()
		b.serverPorts = merged.serverPorts()
		cfg.Listeners = b.gatewayListeners(merged)
	} else {
		cfg.Listeners = b.inboundListeners()
	}
	cfg.Listeners = b.patchListeners(cfg.Listeners)
	return cfg
}
