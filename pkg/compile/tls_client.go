package compile

import (
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/structpb"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	rawBufferName     = "envoy.transport_sockets.raw_buffer"
	proxyProtocolName = "envoy.transport_sockets.upstream_proxy_protocol"
	// systemRoots is what Istio calls the roots of the proxy's operating system, and systemRootsFile where Debian and its kin, among them
	// Envoy's own images, keep them.
	systemRoots     = "system"
	systemRootsFile = "/etc/ssl/certs/ca-certificates.crt"
	// noCredential is the credentialName of a backend whose roots could not be found: its TLS must fail rather than be left out.
	noCredential = "invalid://"
)

// setClientTLS writes how the proxy connects to the endpoints: by the rule's TLS settings, or else, automatically, by the mesh's mTLS to
// those that have a sidecar. It returns the options by which a certificate's names follow the request's host, nil for none.
// (https://istio.io/latest/docs/ops/configuration/traffic-management/tls-configuration/#auto-mtls)
func (b *clusterBuilder) setClientTLS(c *clusterv3.Cluster, t outboundTarget, protocol translate.UpstreamProtocol) *corev3.UpstreamHttpProtocolOptions {
	rule := t.policy.tls
	var names *corev3.UpstreamHttpProtocolOptions
	switch {
	case rule.value == nil:
		b.setAutomaticMTLS(c, t, protocol)
	case rule.value.GetMode() == networking.ClientTLSSettings_ISTIO_MUTUAL:
		sni := rule.value.GetSni()
		if sni == "" {
			sni = translate.OutboundSNI(t.port.Number, t.subsetName(), t.service.Hostname)
		}
		sans := rule.value.GetSubjectAltNames()
		if len(sans) == 0 {
			sans = b.identities(t.service)
		}
		c.TransportSocket = b.clientTLSSocket(b.meshClientTLS(sni, sans, protocol), rule.from)
	case originatesTLS(rule.value) && !b.withheldCredential(t):
		if context := b.originatedTLS(t, protocol); context != nil {
			c.TransportSocket = b.clientTLSSocket(context, rule.from)
		}
		names = namesFromRequest(rule.value)
	}
	b.setProxyProtocol(c, t.policy.proxyProtocol)
	return names
}

// withheldCredential tells whether the rule names a credential that sidecars do not get: only a rule that selects its workloads may give
// sidecars a Secret, since all the others, who may not read it, would wait for it.
func (b *clusterBuilder) withheldCredential(t outboundTarget) bool {
	name := t.policy.tls.value.GetCredentialName()
	return name != "" && name != noCredential && !strings.HasPrefix(name, "configmap://") &&
		b.proxy.Type == model.Sidecar && t.rule.Spec.GetWorkloadSelector() == nil
}

// setAutomaticMTLS gives mTLS to the endpoints that are marked for it and plaintext to the others. Where the original destination is the
// endpoint nothing is marked, so all of them get it.
func (b *clusterBuilder) setAutomaticMTLS(c *clusterv3.Cluster, t outboundTarget, protocol translate.UpstreamProtocol) {
	auto := b.mesh.Settings.Mesh.GetEnableAutoMtls()
	if t.service.MeshExternal || auto != nil && !auto.GetValue() {
		return
	}
	mtls := b.mesh.MTLSFor(t.service.Namespace, nil)
	if mtls.Mode == security.PeerAuthentication_MutualTLS_DISABLE || b.lacksSidecar(t) {
		return
	}
	sni := translate.OutboundSNI(t.port.Number, t.subsetName(), t.service.Hostname)
	socket := b.clientTLSSocket(b.meshClientTLS(sni, b.identities(t.service), protocol), mtls.From...)
	if t.kind == clusterv3.Cluster_ORIGINAL_DST {
		c.TransportSocket = socket
		return
	}
	c.TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{
		{
			Name:            "tlsMode-istio",
			Match:           &structpb.Struct{Fields: map[string]*structpb.Value{"tlsMode": structpb.NewStringValue("istio")}},
			TransportSocket: socket,
		},
		b.plaintextMatch(),
	}
}

// lacksSidecar tells whether connections pass through to endpoints of which one has no sidecar, or to none that are known.
func (b *clusterBuilder) lacksSidecar(t outboundTarget) bool {
	var policy *networking.TrafficPolicy
	if t.rule != nil {
		policy = t.rule.Spec.GetTrafficPolicy()
	}
	if t.subset != nil {
		policy = t.subset.GetTrafficPolicy()
	}
	if t.service.Resolution != model.Passthrough && !passesThrough(policy.GetLoadBalancer()) {
		return false
	}
	endpoints := b.mesh.Endpoints(t.service, t.port)
	return len(endpoints) == 0 || slices.ContainsFunc(endpoints, func(e *model.Endpoint) bool { return e.TLSMode != "istio" })
}

// identities are the names that the certificates of a service's endpoints may hold: their service accounts, in the trust domain and its
// aliases, and what a ServiceEntry names.
func (b *clusterBuilder) identities(svc *model.Service) []string {
	if b.namesOf == svc {
		return b.names
	}
	var names []string
	for _, port := range svc.Ports {
		for _, e := range b.mesh.Endpoints(svc, port) {
			if e.ServiceAccount != "" {
				names = append(names, e.ServiceAccount)
			}
		}
	}
	names = append(names, svc.SubjectAltNames...)
	aliases := b.mesh.Settings.Mesh.GetTrustDomainAliases()
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, "spiffe://"); ok {
			parts := strings.Split(rest, "/")
			if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
				continue // Other names than those of service accounts belong to their trust domain alone.
			}
			for _, alias := range aliases {
				parts[0] = alias
				names = append(names, "spiffe://"+strings.Join(parts, "/"))
			}
		}
	}
	slices.Sort(names)
	b.names, b.namesOf = slices.Compact(names), svc
	return b.names
}

// meshClientTLS is the client's half of the mesh's mTLS.
func (b *clusterBuilder) meshClientTLS(sni string, names []string, protocol translate.UpstreamProtocol) *tlsv3.UpstreamTlsContext {
	if b.certificate == nil {
		b.certificate, b.roots = b.workloadSDS(workloadSecret), b.workloadSDS(rootSecret)
	}
	b.needSecret(workloadSecret)
	b.needSecret(rootSecret)
	common := &tlsv3.CommonTlsContext{
		TlsParams:                      clientTLSParameters(),
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{b.certificate},
		ValidationContextType:          combinedValidation(b.roots, exactNames(names)),
	}
	common.AlpnProtocols = alpnMeshTCP()
	if protocol == translate.HTTP2 {
		common.AlpnProtocols = append(common.AlpnProtocols, "h2")
	}
	return &tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: sni}
}

// originatedTLS is the context of a rule's SIMPLE or MUTUAL mode; nil where MUTUAL lacks its certificate.
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings)
func (b *clusterBuilder) originatedTLS(t outboundTarget, protocol translate.UpstreamProtocol) *tlsv3.UpstreamTlsContext {
	tls := t.policy.tls.value
	mutual := tls.GetMode() == networking.ClientTLSSettings_MUTUAL
	common := &tlsv3.CommonTlsContext{TlsParams: clientTLSParameters()}
	sans := tls.GetSubjectAltNames()
	if len(sans) == 0 && !t.service.Kubernetes {
		sans = b.identities(t.service)
	}
	validation := &tlsv3.CertificateValidationContext{
		//lint:ignore SA1019 istiod writes this field, and Envoy reads it as matches of any type of name.
		MatchSubjectAltNames: exactNames(sans),
	}
	skip := tls.GetInsecureSkipVerify().GetValue()
	var roots *tlsv3.SdsSecretConfig
	if name := tls.GetCredentialName(); name != "" {
		if mutual {
			common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{b.gatewayCredential(name)}
		}
		roots = b.gatewayCredential(name + caSuffix)
	} else {
		if mutual {
			if tls.GetClientCertificate() == "" || tls.GetPrivateKey() == "" {
				return nil
			}
			file := fileCertificate + tls.GetClientCertificate() + "~" + tls.GetPrivateKey()
			common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{b.fileSDS(file)}
		}
		if path := tls.GetCaCrl(); path != "" {
			validation.Crl = &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
		}
		path := tls.GetCaCertificates()
		if path == "" {
			path = systemRoots
		}
		roots = b.fileSDS(fileRoots + path)
		if skip {
			common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{}
		}
	}
	if !skip {
		common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: validation, ValidationContextSdsSecretConfig: roots,
			},
		}
	}
	defaults := b.mesh.Settings.Mesh.GetTlsDefaults()
	common.TlsParams.EcdhCurves = defaults.GetEcdhCurves()
	common.TlsParams.CipherSuites = defaults.GetCipherSuites()
	if protocol == translate.HTTP2 {
		common.AlpnProtocols = []string{"h2"}
	}
	return &tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: tls.GetSni()}
}

// namesFromRequest takes the server name from the request's host where the rule gives none, and checks the certificate against it where the
// rule names no subjects either.
func namesFromRequest(tls *networking.ClientTLSSettings) *corev3.UpstreamHttpProtocolOptions {
	if tls.GetSni() != "" {
		return nil
	}
	return &corev3.UpstreamHttpProtocolOptions{
		AutoSni:           true,
		AutoSanValidation: len(tls.GetSubjectAltNames()) == 0 && !tls.GetInsecureSkipVerify().GetValue(),
	}
}

func clientTLSParameters() *tlsv3.TlsParameters {
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
	}
}

// clientTLSSocket packs a client's TLS context into a transport socket.
func (b *clusterBuilder) clientTLSSocket(context *tlsv3.UpstreamTlsContext, sources ...resource.Source) *corev3.TransportSocket {
	socket := &corev3.TransportSocket{
		Name:       tlsSocketName,
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: b.sources.Pack(context)},
	}
	b.sources.Add(socket, sources...)
	return socket
}

// plaintextMatch is what endpoints get that are not marked for mTLS.
func (b *clusterBuilder) plaintextMatch() *clusterv3.Cluster_TransportSocketMatch {
	if b.plaintext == nil {
		b.plaintext = &clusterv3.Cluster_TransportSocketMatch{
			Name: "tlsMode-disabled", Match: &structpb.Struct{}, TransportSocket: b.rawBuffer(),
		}
	}
	return b.plaintext
}

func (b *clusterBuilder) rawBuffer() *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       rawBufferName,
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: b.sources.Pack(&rawbufferv3.RawBuffer{})},
	}
}

// setProxyProtocol sends a PROXY header before whatever else is sent, where the rule asks for it.
func (b *clusterBuilder) setProxyProtocol(c *clusterv3.Cluster, setting part[*networking.TrafficPolicy_ProxyProtocol]) {
	if setting.value == nil {
		return
	}
	wrap := func(inner *corev3.TransportSocket) *corev3.TransportSocket {
		outer := &corev3.TransportSocket{Name: proxyProtocolName, ConfigType: &corev3.TransportSocket_TypedConfig{
			TypedConfig: b.sources.Pack(&proxyprotocolv3.ProxyProtocolUpstreamTransport{
				Config:          &corev3.ProxyProtocolConfig{Version: corev3.ProxyProtocolConfig_Version(setting.value.GetVersion())},
				TransportSocket: inner,
			}),
		}}
		b.sources.Add(outer, setting.from)
		return outer
	}
	switch {
	case c.TransportSocket != nil:
		c.TransportSocket = wrap(c.TransportSocket)
	case len(c.TransportSocketMatches) == 0:
		c.TransportSocket = wrap(b.rawBuffer())
	}
	for i, m := range c.TransportSocketMatches {
		c.TransportSocketMatches[i] = &clusterv3.Cluster_TransportSocketMatch{
			Name: m.GetName(), Match: m.GetMatch(), TransportSocket: wrap(m.GetTransportSocket()),
		}
	}
}
