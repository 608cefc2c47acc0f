package compile

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

const tlsSocketName = "envoy.transport_sockets.tls"

// The protocols by which Istio's proxies tell each other, in the TLS handshake, that the mesh's mTLS is spoken and what is inside.
// They are functions since a slice that is shared is a slice that somebody changes.
func alpnHTTP() []string            { return []string{"h2", "http/1.1"} }
func alpnPlaintextHTTP() []string   { return []string{"http/1.1", "h2c"} }
func alpnMeshTCP() []string         { return []string{"istio-peer-exchange", "istio"} }
func alpnMeshHTTP() []string        { return []string{"istio-http/1.0", "istio-http/1.1", "istio-h2"} }
func alpnMesh() []string            { return append([]string{"istio", "istio-peer-exchange"}, alpnMeshHTTP()...) }
func alpnTCPWithPeerData() []string { return []string{"istio-peer-exchange", "h2", "http/1.1"} }
func meshCipherSuites() []string {
	return []string{
		"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
		"AES256-GCM-SHA384", "AES128-GCM-SHA256",
	}
}

// meshServerTLS is the server's half of the mesh's mTLS: the workload's certificate, and callers whose certificates are of the mesh's
// trust domain or one of its aliases.
func (b *builder) meshServerTLS(alpn []string) *tlsv3.DownstreamTlsContext {
	common := b.meshCommonTLS(b.trustDomainMatchers())
	common.AlpnProtocols = alpn
	common.TlsParams = b.meshServerParameters()
	return &tlsv3.DownstreamTlsContext{CommonTlsContext: common, RequireClientCertificate: wrapperspb.Bool(true)}
}

// meshCommonTLS is what both halves of the mesh's mTLS share: the workload's secrets, and the names that the peer's certificate may hold
// (none: any).
func (b *builder) meshCommonTLS(names []*matcherv3.StringMatcher) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{b.workloadSDS(workloadSecret)},
		ValidationContextType:          combinedValidation(b.workloadSDS(rootSecret), names),
	}
}

// combinedValidation validates the peer by roots that a secret holds and by the names that may stand in its certificate.
func combinedValidation(roots *tlsv3.SdsSecretConfig, names []*matcherv3.StringMatcher) *tlsv3.CommonTlsContext_CombinedValidationContext {
	return &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: &tlsv3.CertificateValidationContext{
				//lint:ignore SA1019 istiod writes this field, and Envoy reads it as matches of any type of name.
				MatchSubjectAltNames: names,
			},
			ValidationContextSdsSecretConfig: roots,
		},
	}
}

// trustDomainMatchers match the identities of the mesh: spiffe://TRUSTDOMAIN/ and those of the aliases.
func (b *builder) trustDomainMatchers() []*matcherv3.StringMatcher {
	var matchers []*matcherv3.StringMatcher
	seen := map[string]bool{}
	for _, domain := range append([]string{b.mesh.Settings.TrustDomain()}, b.mesh.Settings.Mesh.GetTrustDomainAliases()...) {
		if seen[domain] {
			continue
		}
		seen[domain] = true
		matchers = append(matchers, &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "spiffe://" + domain + "/"},
		})
	}
	return matchers
}

// meshServerParameters are TLS 1.2 to 1.3 with Istio's cipher suites unless MeshConfig.meshMTLS says otherwise.
func (b *builder) meshServerParameters() *tlsv3.TlsParameters {
	params := &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		CipherSuites:              meshCipherSuites(),
	}
	mtls := b.mesh.Settings.Mesh.GetMeshMTLS()
	if mtls.GetMinProtocolVersion() == meshconfig.MeshConfig_TLSConfig_TLSV1_3 {
		params.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_3
	}
	if suites := mtls.GetCipherSuites(); len(suites) > 0 {
		params.CipherSuites = suites
	}
	return params
}

// serverTLSSocket packs a server's TLS context into the transport socket of a filter chain.
func (b *builder) serverTLSSocket(context *tlsv3.DownstreamTlsContext, sources ...resource.Source) *corev3.TransportSocket {
	socket := &corev3.TransportSocket{
		Name:       tlsSocketName,
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: b.sources.Pack(context)},
	}
	b.sources.Add(socket, sources...)
	return socket
}
