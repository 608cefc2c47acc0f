package compile

import (
	"net/netip"
	"strconv"
	"strings"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// clusters returns every cluster of the proxy: outbound ones, inbound ones for a sidecar, passthrough and black hole. Where two have one name
// the first is kept.
func (b *builder) clusters() []*clusterv3.Cluster {
	cb := &clusterBuilder{endpointBuilder: b.newEndpointBuilder()}
	all := cb.outboundClusters(false)
	if b.proxy.Type == model.Router {
		all = append(all, cb.blackHole())
		if b.passesSNIThrough() {
			all = append(all, cb.outboundClusters(true)...)
		}
	} else {
		all = append(all, cb.blackHole(), cb.passthrough())
		all = append(all, cb.inboundClusters()...)
		all = append(all, cb.inboundPassthrough())
	}
	seen := make(map[string]bool, len(all))
	kept := all[:0]
	for _, c := range all {
		if !seen[c.Name] {
			seen[c.Name] = true
			kept = append(kept, c)
		}
	}
	return kept
}

// clusterBuilder builds the clusters of one proxy. It holds what many of them share.
type clusterBuilder struct {
	*endpointBuilder
	// exchange is the cluster filter of Istio's build, made once.
	exchange []*clusterv3.Filter
	// plaintext is what endpoints without mTLS get, made once.
	plaintext *clusterv3.Cluster_TransportSocketMatch
	// names are the identities of a service's endpoints, those of the service last asked for.
	names         []string
	namesOf       *model.Service
	passthroughOf *anypb.Any
}

// setConnectionPool writes what a connection pool asks for, and returns the part that ends up in the HTTP options.
func (b *clusterBuilder) setConnectionPool(c *clusterv3.Cluster, policy trafficPolicy) {
	mesh := b.mesh.Settings.Mesh
	pool := policy.connectionPool
	c.ConnectTimeout = translate.ConnectTimeout(pool.value, mesh.GetConnectTimeout())
	c.CircuitBreakers = translate.CircuitBreakers(pool.value, policy.retryBudget.value)
	b.sources.Add(c.CircuitBreakers, pool.from, policy.retryBudget.from)
	if keepalive := translate.TCPKeepalive(mesh.GetTcpKeepalive(), pool.value); keepalive != nil {
		c.UpstreamConnectionOptions = keepalive
		b.sources.Add(keepalive, pool.from)
	}
}

// setHTTPOptions packs a cluster's HTTP settings, where it has any.
func (b *clusterBuilder) setHTTPOptions(c *clusterv3.Cluster, protocol translate.UpstreamProtocol, pool part[*networking.ConnectionPoolSettings], names *corev3.UpstreamHttpProtocolOptions, port resource.Source) {
	options := translate.HTTPOptions(protocol, pool.value, names)
	if options == nil {
		return
	}
	b.sources.Add(options, port, pool.from)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{translate.HTTPOptionsKey: b.sources.Pack(options)}
}

// metadataExchangeFilters are the cluster filters by which Istio's proxies tell each other who they are; none for stock Envoy, which lacks them.
func (b *clusterBuilder) metadataExchangeFilters() []*clusterv3.Filter {
	if b.target != IstioProxy {
		return nil
	}
	if b.exchange == nil {
		b.exchange = []*clusterv3.Filter{{Name: metadataExchangeName, TypedConfig: b.sources.Pack(&udpa.TypedStruct{
			TypeUrl: "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange",
			Value: &structpb.Struct{Fields: map[string]*structpb.Value{
				"enable_discovery": structpb.NewBoolValue(true),
				"protocol":         structpb.NewStringValue("istio-peer-exchange"),
			}},
		})}}
	}
	return b.exchange
}

// istioMetadata is filter_metadata.istio of a cluster, by which telemetry tells services apart: the services behind it, and further fields.
func istioMetadata(services []*model.Service, fields map[string]*structpb.Value) *corev3.Metadata {
	values := make([]*structpb.Value, len(services))
	for i, s := range services {
		values[i] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"host":      structpb.NewStringValue(s.Hostname),
			"name":      structpb.NewStringValue(s.Name),
			"namespace": structpb.NewStringValue(s.Namespace),
		}})
	}
	if fields == nil {
		fields = map[string]*structpb.Value{}
	}
	fields["services"] = structpb.NewListValue(&structpb.ListValue{Values: values})
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"istio": {Fields: fields}}}
}

// statName is the name of a cluster in statistics: the cluster's own, or what MeshConfig's pattern makes of the service. The semicolon tells
// Istio's statistics where the name ends. (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/, inboundClusterStatName)
func statName(cluster, pattern string, svc *model.Service, port *model.Port, subset string, target uint32) string {
	if pattern == "" {
		return cluster + ";"
	}
	short := svc.Hostname
	if svc.Kubernetes {
		short = svc.Name + "." + svc.Namespace
	}
	return strings.NewReplacer(
		"%SERVICE%", short, "%SERVICE_NAME%", svc.Name, "%SERVICE_FQDN%", svc.Hostname, "%SUBSET_NAME%", subset,
		"%TARGET_PORT%", strconv.FormatUint(uint64(target), 10),
		"%SERVICE_PORT%", strconv.FormatUint(uint64(port.Number), 10), "%SERVICE_PORT_NAME%", port.Name,
	).Replace(pattern) + ";"
}

// ipv6 tells whether the proxy's own address is an IPv6 one.
func (b *builder) ipv6() bool {
	addr, err := netip.ParseAddr(b.proxy.IP)
	return err == nil && addr.Is6() && !addr.Is4In6()
}
