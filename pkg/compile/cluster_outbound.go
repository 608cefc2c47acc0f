package compile

import (
	"iter"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	// dnsJitter spreads the DNS queries of many proxies.
	dnsJitter = 100 * time.Millisecond
	// dnsQueries is after how many queries c-ares takes another UDP socket.
	dnsQueries = 100
)

// outboundTarget is a port of a service, or of one subset of it, for which there is a cluster.
type outboundTarget struct {
	service *model.Service
	port    *model.Port
	rule    *model.DestinationRule
	// subset is nil for the cluster of all endpoints; subsetFrom is where it stands.
	subset     *networking.Subset
	subsetFrom resource.Source
	policy     trafficPolicy
	kind       clusterv3.Cluster_DiscoveryType
	// looksUpNames is set where the service's names are resolved, even if a rule then has connections passed through.
	looksUpNames bool
	// sni is set for the clusters of a gateway in AUTO_PASSTHROUGH mode, which hands on TLS connections by their server name.
	sni bool
}

// outboundTargets are those of all services that the proxy sees, subsets after their service's port.
func (b *builder) outboundTargets(sni bool) iter.Seq[outboundTarget] {
	return func(yield func(outboundTarget) bool) {
		for _, svc := range b.scope.Services {
			if svc.Resolution == model.Alias || sni && svc.MeshExternal {
				continue
			}
			rule := b.scope.DestinationRule(svc)
			for _, port := range svc.Ports {
				if port.Protocol == model.UDP {
					continue
				}
				t := outboundTarget{service: svc, port: port, rule: rule, policy: policyOf(rule, port), sni: sni}
				t.kind = b.discoveryType(svc, t.policy.loadBalancer.value)
				t.looksUpNames = svc.Resolution == model.DNSLB || svc.Resolution == model.DNSRoundRobinLB
				if !yield(t) {
					return
				}
				for subset := range t.subsets() {
					if !yield(subset) {
						return
					}
				}
			}
		}
	}
}

// subsets are the targets that the rule's subsets add to that of the port. A subset keeps the type of the port's cluster unless it passes
// connections through.
func (t outboundTarget) subsets() iter.Seq[outboundTarget] {
	return func(yield func(outboundTarget) bool) {
		if t.rule == nil {
			return
		}
		for i, subset := range t.rule.Spec.GetSubsets() {
			s := t
			s.subset, s.subsetFrom = subset, t.rule.SubsetFrom[i]
			s.policy = subsetPolicyOf(t.rule, subset, s.subsetFrom, t.port)
			own := passesThrough(subset.GetTrafficPolicy().GetLoadBalancer())
			if own || passesThrough(s.policy.loadBalancer.value) {
				s.kind = clusterv3.Cluster_ORIGINAL_DST
			}
			s.looksUpNames = s.looksUpNames && !own
			if !yield(s) {
				return
			}
		}
	}
}

func (t outboundTarget) subsetName() string { return t.subset.GetName() }

func (t outboundTarget) name() string {
	if t.sni {
		return translate.OutboundSNI(t.port.Number, t.subsetName(), t.service.Hostname)
	}
	return translate.OutboundCluster(t.port.Number, t.subsetName(), t.service.Hostname)
}

// discoveryType is how Envoy finds the endpoints of a service. A gateway is told them where a sidecar passes connections through, since
// connections to a gateway have no original destination.
func (b *builder) discoveryType(svc *model.Service, lb *networking.LoadBalancerSettings) clusterv3.Cluster_DiscoveryType {
	switch {
	case passesThrough(lb), svc.Resolution == model.Passthrough && b.proxy.Type != model.Router:
		return clusterv3.Cluster_ORIGINAL_DST
	case svc.Resolution == model.DNSLB:
		return clusterv3.Cluster_STRICT_DNS
	case svc.Resolution == model.DNSRoundRobinLB:
		return clusterv3.Cluster_LOGICAL_DNS
	case svc.Resolution == model.DynamicDNS:
		// Envoy has no type of its own for it: setDynamicDNS puts a custom one in its place.
		return clusterv3.Cluster_STATIC
	}
	return clusterv3.Cluster_EDS
}

// passesSNIThrough tells whether a Gateway of the proxy has a server in AUTO_PASSTHROUGH mode.
func (b *builder) passesSNIThrough() bool {
	for _, gateway := range b.mesh.GatewaysFor(b.proxy) {
		for _, server := range gateway.Spec.GetServers() {
			if server.GetTls().GetMode() == networking.ServerTLSSettings_AUTO_PASSTHROUGH {
				return true
			}
		}
	}
	return false
}

// outboundCluster builds one cluster; nil for one that is to resolve the names of endpoints and has none.
func (b *clusterBuilder) outboundCluster(t outboundTarget) *clusterv3.Cluster {
	name, mesh := t.name(), b.mesh.Settings.Mesh
	c := &clusterv3.Cluster{
		Name:                 name,
		AltStatName:          statName(name, mesh.GetOutboundClusterStatName(), t.service, t.port, t.subsetName(), 0),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: t.kind},
		CommonLbConfig:       &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: panicThreshold(t)},
		Metadata:             b.outboundMetadata(t),
		Filters:              b.metadataExchangeFilters(),
	}
	b.sources.Add(c, t.port.Source, t.subsetFrom)
	if t.rule != nil && t.subset == nil {
		b.sources.Add(c, t.rule.PolicyFrom)
	}
	if !b.setDiscovery(c, t) {
		return nil
	}
	if t.subset == nil && !t.sni && t.service.KeepsSessions() {
		c.CommonLbConfig.OverrideHostStatus = &corev3.HealthStatusSet{Statuses: []corev3.HealthStatus{
			corev3.HealthStatus_HEALTHY, corev3.HealthStatus_DRAINING, corev3.HealthStatus_UNKNOWN, corev3.HealthStatus_DEGRADED,
		}}
	}
	b.setConnectionPool(c, t.policy)
	b.setBalancing(c, t)

	pool := t.policy.connectionPool
	upgrade := translate.UpgradesToHTTP2(t.port.Protocol, pool.value, mesh.GetH2UpgradePolicy())
	protocol := translate.UpstreamProtocolOf(t.port.Protocol, b.proxy.Type == model.Sidecar, upgrade, pool.value)
	var names *corev3.UpstreamHttpProtocolOptions
	if !t.sni {
		names = b.setClientTLS(c, t, protocol)
	}
	if t.kind == clusterv3.Cluster_STATIC {
		names = namesOfDynamicDNS(t.policy.tls.value)
	}
	b.setHTTPOptions(c, protocol, pool, names, t.port.Source)
	return c
}

// panicThreshold is never other than zero where endpoints are told that are not ready: in a panic Envoy would call these too.
func panicThreshold(t outboundTarget) *typev3.Percent {
	if t.service.Distribution() != model.AnyEndpoint {
		return translate.PanicThreshold(nil)
	}
	return translate.PanicThreshold(t.policy.outlierDetection.value)
}

// setDiscovery writes where the endpoints come from, and reports whether there can be any.
func (b *clusterBuilder) setDiscovery(c *clusterv3.Cluster, t outboundTarget) bool {
	switch t.kind {
	case clusterv3.Cluster_EDS:
		if b.discovery == nil {
			b.discovery = &corev3.ConfigSource{
				ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
				InitialFetchTimeout:   durationpb.New(0),
				ResourceApiVersion:    corev3.ApiVersion_V3,
			}
		}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{ServiceName: c.Name, EdsConfig: b.discovery}
	case clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_LOGICAL_DNS:
		endpoints := b.localityEndpoints(t)
		if len(endpoints) == 0 {
			return false
		}
		if t.kind == clusterv3.Cluster_LOGICAL_DNS {
			if endpoints = firstEndpoint(endpoints); endpoints == nil {
				return false
			}
		}
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.Name, Endpoints: b.balance(endpoints, t, t.subset == nil && !t.sni)}
		b.setLookup(c)
	case clusterv3.Cluster_ORIGINAL_DST:
		if t.looksUpNames && len(b.localityEndpoints(t)) == 0 {
			return false
		}
		if t.looksUpNames && b.target == IstioProxy {
			// istiod leaves them there, and Envoy does not look at them.
			b.setLookup(c)
		}
		if port := t.portOverride(); port != 0 {
			c.LbConfig = &clusterv3.Cluster_OriginalDstLbConfig_{OriginalDstLbConfig: &clusterv3.Cluster_OriginalDstLbConfig{
				UpstreamPortOverride: wrapperspb.UInt32(port),
			}}
		}
	}
	return true
}

// portOverride is the port that connections to a ServiceEntry with resolution NONE go to in place of the one that they were made to: the
// targetPort, where it is written; else 0.
func (t outboundTarget) portOverride() uint32 {
	if t.service.Resolution != model.Passthrough || t.service.Kubernetes || t.service.Source.Resource == nil {
		return 0
	}
	entry, ok := t.service.Source.Resource.Object.(*networking.ServiceEntry)
	if !ok {
		return 0
	}
	for _, p := range entry.GetPorts() {
		if p.GetNumber() == t.port.Number {
			return p.GetTargetPort()
		}
	}
	return 0
}

// setLookup says how names are resolved.
func (b *clusterBuilder) setLookup(c *clusterv3.Cluster) {
	c.DnsLookupFamily = b.lookupFamily()
	//lint:ignore SA1019 istiod writes these fields of the cluster.
	c.DnsRefreshRate, c.DnsJitter, c.RespectDnsTtl = b.mesh.Settings.Mesh.GetDnsRefreshRate(), durationpb.New(dnsJitter), true
	c.TypedDnsResolverConfig = &corev3.TypedExtensionConfig{
		Name:        "envoy.network.dns_resolver.cares",
		TypedConfig: b.sources.Pack(&caresv3.CaresDnsResolverConfig{UdpMaxQueries: wrapperspb.UInt32(dnsQueries)}),
	}
}

// lookupFamily is the family of addresses that the proxy can connect to: that of its own.
func (b *builder) lookupFamily() clusterv3.Cluster_DnsLookupFamily {
	if b.ipv6() {
		return clusterv3.Cluster_V6_ONLY
	}
	return clusterv3.Cluster_V4_ONLY
}

// firstEndpoint keeps one endpoint, nil where there is none: a name that is looked up once for all connections is all that Envoy takes in a LOGICAL_DNS cluster, and a
// ServiceEntry with several addresses has it several times over.
func firstEndpoint(groups []*localityGroup) []*localityGroup {
	for _, g := range groups {
		if len(g.lb) > 0 {
			return []*localityGroup{{locality: g.locality, endpoints: g.endpoints[:1], lb: g.lb[:1]}}
		}
	}
	return nil
}

// setBalancing writes outlier detection, the load balancer and whether localities have weights.
func (b *clusterBuilder) setBalancing(c *clusterv3.Cluster, t outboundTarget) {
	outlier, lb := t.policy.outlierDetection, t.policy.loadBalancer
	if o := translate.OutlierDetection(outlier.value); o != nil {
		c.OutlierDetection = o
		b.sources.Add(o, outlier.from)
		b.sources.Add(c.CommonLbConfig, outlier.from)
	}
	setting, failover := b.localitySetting(t)
	if translate.LocalityWeighted(setting, failover) {
		c.CommonLbConfig.LocalityConfigSpecifier = &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig_{
			LocalityWeightedLbConfig: &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig{},
		}
		b.sources.Add(c.CommonLbConfig, lb.from)
	}
	switch t.kind {
	case clusterv3.Cluster_STATIC:
		b.setDynamicDNS(c, t)
		return
	case clusterv3.Cluster_ORIGINAL_DST:
		c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
		return
	}
	translate.SetLoadBalancer(c, lb.value)
	b.sources.Add(c, lb.from)
	for _, config := range []proto.Message{c.GetRingHashLbConfig(), c.GetMaglevLbConfig(), c.GetRoundRobinLbConfig(), c.GetLeastRequestLbConfig()} {
		if config.ProtoReflect().IsValid() {
			b.sources.Add(config, lb.from)
		}
	}
}

// outboundMetadata says which service, rule and subset are behind the cluster.
func (b *clusterBuilder) outboundMetadata(t outboundTarget) *corev3.Metadata {
	fields := map[string]*structpb.Value{}
	if t.subset != nil {
		fields["subset"] = structpb.NewStringValue(t.subset.GetName())
	} else if t.service.MeshExternal {
		fields["external"] = structpb.NewBoolValue(true)
	}
	if t.rule != nil {
		fields["config"] = structpb.NewStringValue(translate.ConfigPath(t.rule.From[0].Resource))
		if originatesTLS(t.policy.tls.value) {
			// The filter that marks requests as the mesh's own must not do so where the server is not one of the mesh.
			fields["alpn_override"] = structpb.NewStringValue("false")
		}
	}
	return b.istioMetadata([]*model.Service{t.service}, fields)
}

// originatesTLS tells whether the rule asks for TLS that is not the mesh's own.
func originatesTLS(tls *networking.ClientTLSSettings) bool {
	return tls.GetMode() == networking.ClientTLSSettings_SIMPLE || tls.GetMode() == networking.ClientTLSSettings_MUTUAL
}
