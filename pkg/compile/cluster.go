package compile

import (
	"net/netip"
	"strconv"
	"strings"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// clusters returns every cluster of the proxy: outbound ones, inbound ones for a sidecar, passthrough and black hole; and the load assignment
// of each that istiod sends endpoints for by EDS. Where two have one name the first is kept.
func (b *builder) clusters() ([]*clusterv3.Cluster, []*endpointv3.ClusterLoadAssignment) {
	cb := &clusterBuilder{endpointBuilder: b.newEndpointBuilder()}
	targets := &targetBuilder{endpointBuilder: cb.endpointBuilder, assigned: map[string]bool{}}
	targets.add(false)
	all := targets.clusters
	if b.proxy.Type == model.Router {
		all = append(all, cb.blackHole())
		if b.passesSNIThrough() {
			targets.clusters = all
			targets.add(true)
			all = targets.clusters
		}
	} else {
		all = append(all, cb.blackHole(), cb.passthrough())
		if unknown := cb.unknownHostsCluster(); unknown != nil {
			all = append(all, unknown)
		}
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
	return kept, targets.endpoints
}

// clusterBuilder builds the clusters of one proxy. Beside the proxy's it holds messages that many clusters have in common, made once and never
// changed.
type clusterBuilder struct {
	*endpointBuilder
	// exchange is the cluster filter of Istio's build.
	exchange []*clusterv3.Filter
	// plaintext is what endpoints without mTLS get, and certificate and roots the secrets of those with.
	plaintext          *clusterv3.Cluster_TransportSocketMatch
	certificate, roots *tlsv3.SdsSecretConfig
	// unlimited are the circuit breakers of clusters without a connection pool.
	unlimited *clusterv3.CircuitBreakers
	// discovery is how clusters are told their endpoints.
	discovery     *corev3.ConfigSource
	passthroughOf *anypb.Any
	// names are the identities of a service's endpoints, and described is its entry in metadata: those of the service last asked for.
	names       []string
	namesOf     *model.Service
	described   *structpb.Value
	describedOf *model.Service
}

// setConnectionPool writes what a connection pool asks for, and returns the part that ends up in the HTTP options.
func (b *clusterBuilder) setConnectionPool(c *clusterv3.Cluster, policy trafficPolicy) {
	mesh := b.mesh.Settings.Mesh
	pool := policy.connectionPool
	c.ConnectTimeout = translate.ConnectTimeout(pool.value, mesh.GetConnectTimeout())
	if pool.value == nil && policy.retryBudget.value == nil {
		if b.unlimited == nil {
			b.unlimited = translate.CircuitBreakers(nil, nil)
		}
		c.CircuitBreakers = b.unlimited
	} else {
		c.CircuitBreakers = translate.CircuitBreakers(pool.value, policy.retryBudget.value)
		b.sources.Add(c.CircuitBreakers, pool.from, policy.retryBudget.from)
	}
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
func (b *clusterBuilder) istioMetadata(services []*model.Service, fields map[string]*structpb.Value) *corev3.Metadata {
	values := make([]*structpb.Value, len(services))
	for i, s := range services {
		values[i] = b.describe(s)
	}
	fields["services"] = structpb.NewListValue(&structpb.ListValue{Values: values})
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"istio": {Fields: fields}}}
}

func (b *clusterBuilder) describe(s *model.Service) *structpb.Value {
	if b.describedOf != s {
		b.describedOf = s
		b.described = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"host":      structpb.NewStringValue(s.Hostname),
			"name":      structpb.NewStringValue(s.Name),
			"namespace": structpb.NewStringValue(s.Namespace),
		}})
	}
	return b.described
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

// wildcard is every address of the proxy, in the family of its own.
func (b *builder) wildcard() string {
	if b.ipv6() {
		return "::"
	}
	return "0.0.0.0"
}

// loopback is where the proxy listens for clients in its own pod.
func (b *builder) loopback() string {
	if b.ipv6() {
		return "::1"
	}
	return "127.0.0.1"
}
