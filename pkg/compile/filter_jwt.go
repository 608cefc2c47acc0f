package compile

import (
	"maps"
	"net/netip"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// keyServer serves key sets to the JWT filter; sources are the URIs that lead to it.
type keyServer struct {
	authz.KeyServer
	sources []resource.Source
}

// jwtFilter is the filter that reads tokens, nil where no policy asks for it.
func (b *builder) jwtFilter() *hcmv3.HttpFilter {
	b.keyServers = map[string]*keyServer{}
	return authz.JWT(b.mesh.RequestAuthenticationsFor(b.proxy), authz.JWTOptions{
		ClearRouteCache: b.proxy.Type == model.Router,
		FetchAhead:      b.target == Envoy,
		Cluster:         b.keyCluster,
		Sources:         b.sources,
	})
}

// keyCluster names the cluster over which keys are fetched: that of the service behind the host, or, for stock Envoy, one made for the
// purpose. Istio's own proxies get keys from istiod and need none.
func (b *builder) keyCluster(server authz.KeyServer, from resource.Source) string {
	suffix := "." + b.mesh.Settings.DomainSuffix
	host := server.Host
	for _, name := range []string{host, host + suffix, host + ".svc" + suffix} {
		if len(b.mesh.ServicesByHost(name)) > 0 {
			host = name
			break
		}
	}
	name := translate.OutboundCluster(server.Port, "", host)
	if b.target == Envoy {
		if b.keyServers[name] == nil {
			b.keyServers[name] = &keyServer{KeyServer: server}
		}
		b.keyServers[name].sources = append(b.keyServers[name].sources, from)
	}
	return name
}

// addKeyClusters adds those of the clusters over which keys are fetched that the proxy does not have.
func (b *builder) addKeyClusters(clusters []*clusterv3.Cluster) []*clusterv3.Cluster {
	for _, name := range slices.Sorted(maps.Keys(b.keyServers)) {
		if !slices.ContainsFunc(clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == name }) {
			cb := &clusterBuilder{endpointBuilder: b.newEndpointBuilder()}
			clusters = append(clusters, cb.keyServerCluster(name, b.keyServers[name]))
		}
	}
	return clusters
}

// keyServerCluster resolves the name of a host that serves keys and speaks TLS with it where the URI asks for that.
func (b *clusterBuilder) keyServerCluster(name string, server *keyServer) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 name,
		AltStatName:          name + ";",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS},
		DnsLookupFamily:      clusterv3.Cluster_V4_ONLY,
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: socketAddress(server.Host, server.Port)},
			}}},
		}}},
	}
	if b.ipv6() {
		c.DnsLookupFamily = clusterv3.Cluster_ALL
	}
	b.setConnectionPool(c, trafficPolicy{})
	if server.TLS {
		c.TransportSocket = b.clientTLSSocket(&tlsv3.UpstreamTlsContext{Sni: server.Host, CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: clientTLSParameters(),
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: &tlsv3.CertificateValidationContext{
						MatchTypedSubjectAltNames: namesOfServer(server.Host),
					},
					ValidationContextSdsSecretConfig: b.fileSDS(fileRoots + systemRoots),
				},
			},
		}}, server.sources...)
	}
	b.sources.Add(c, server.sources...)
	return c
}

// namesOfServer are the names that the certificate of the host must bear one of.
func namesOfServer(host string) []*tlsv3.SubjectAltNameMatcher {
	kind := tlsv3.SubjectAltNameMatcher_DNS
	if _, err := netip.ParseAddr(host); err == nil {
		kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	return []*tlsv3.SubjectAltNameMatcher{{
		SanType: kind, Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: host}},
	}}
}
