package compile

import (
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
)

// gatewayTLS returns the TLS context of a server that decrypts: the gateway's certificate, and in the mutual modes what the client's must
// hold. (https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings)
func (b *builder) gatewayTLS(s *gatewayServer) *tlsv3.DownstreamTlsContext {
	settings := s.spec.GetTls()
	var common *tlsv3.CommonTlsContext
	switch {
	case settings.GetMode() == networking.ServerTLSSettings_ISTIO_MUTUAL:
		common = b.meshCommonTLS(exactNames(settings.GetSubjectAltNames()))
		b.revoke(common, settings.GetCaCrl())
	case settings.GetCredentialName() != "" || len(settings.GetCredentialNames()) > 0:
		// Its Secret holds the list of revoked certificates as well.
		common = b.credentialTLS(settings)
	default:
		common = b.fileTLS(settings)
		b.revoke(common, settings.GetCaCrl())
	}
	common.AlpnProtocols = alpnHTTP()
	if settings.GetMode() == networking.ServerTLSSettings_ISTIO_MUTUAL && !s.endsHTTPS() {
		common.AlpnProtocols = alpnTCPWithPeerData()
	}
	if settings.GetMode() != networking.ServerTLSSettings_ISTIO_MUTUAL {
		common.TlsParams = b.gatewayParameters(settings)
	}
	requireCertificate := settings.GetMode() == networking.ServerTLSSettings_MUTUAL ||
		settings.GetMode() == networking.ServerTLSSettings_ISTIO_MUTUAL
	return &tlsv3.DownstreamTlsContext{CommonTlsContext: common, RequireClientCertificate: wrapperspb.Bool(requireCertificate)}
}

// revoke refuses clients' certificates that a list in the gateway's file system revokes. Stock Envoy without a directory of secrets is prepared
// for nothing and would refuse a file that is not there.
func (b *builder) revoke(common *tlsv3.CommonTlsContext, list string) {
	combined := common.GetCombinedValidationContext()
	if list == "" || combined == nil || (b.target == Envoy && b.secretsDir == "") {
		return
	}
	combined.DefaultValidationContext.Crl = fileSource(list)
}

// asksForCertificate tells whether the client's certificate is checked where it sends one.
func asksForCertificate(mode networking.ServerTLSSettings_TLSmode) bool {
	return mode == networking.ServerTLSSettings_MUTUAL || mode == networking.ServerTLSSettings_OPTIONAL_MUTUAL
}

// credentialTLS takes certificates from the Secrets that credentialName or credentialNames name; the roots for clients' certificates come
// from caCertCredentialName, or else from the first with -cacert behind its name.
func (b *builder) credentialTLS(settings *networking.ServerTLSSettings) *tlsv3.CommonTlsContext {
	names := settings.GetCredentialNames()
	if len(names) == 0 {
		names = []string{settings.GetCredentialName()}
	}
	common := &tlsv3.CommonTlsContext{}
	for _, name := range names {
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, b.gatewayCredential(name))
	}
	switch {
	case asksForCertificate(settings.GetMode()):
		validation := combinedValidation(b.gatewayCredential(b.clientRoots(settings, names[0])), exactNames(settings.GetSubjectAltNames()))
		context := validation.CombinedValidationContext.DefaultValidationContext
		context.VerifyCertificateSpki = settings.GetVerifyCertificateSpki()
		context.VerifyCertificateHash = settings.GetVerifyCertificateHash()
		if settings.GetInsecureSkipVerify().GetValue() {
			context.TrustChainVerification = tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED
		}
		common.ValidationContextType = validation
	case len(settings.GetSubjectAltNames()) > 0 && b.target == IstioProxy:
		// No client is asked for a certificate, and Envoy refuses names to check without roots.
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{
				//lint:ignore SA1019 istiod writes this field, and Envoy reads it as matches of any type of name.
				MatchSubjectAltNames: exactNames(settings.GetSubjectAltNames()),
			},
		}
	}
	return common
}

// clientRoots names the secret of the roots that clients' certificates are checked against: the one that the server names for them, or that
// which belongs to its first credential. A name of its own is complete; stock Envoy's secrets are told apart by their names' ends.
func (b *builder) clientRoots(settings *networking.ServerTLSSettings, credential string) string {
	name := settings.GetCaCertCredentialName()
	switch {
	case name == "":
		return credential + caSuffix
	case b.target == Envoy && !strings.HasSuffix(name, caSuffix):
		return name + caSuffix
	}
	return name
}

// caSuffix marks, in the name of a secret, the roots that belong to a certificate.
const caSuffix = "-cacert"

// gatewayCredential names the secret of a credentialName: a Secret of the gateway's namespace unless a scheme says otherwise.
func (b *builder) gatewayCredential(name string) *tlsv3.SdsSecretConfig {
	switch {
	case strings.HasPrefix(name, "builtin://"):
		if strings.HasSuffix(name, caSuffix) {
			return b.workloadSDS(rootSecret)
		}
		return b.workloadSDS(workloadSecret)
	case strings.Contains(name, "://"):
		return b.credentialSDS(name)
	default:
		return b.credentialSDS(credentialScheme + name)
	}
}

const credentialScheme = "kubernetes://"

// fileTLS takes certificates from files in the gateway's own file system; where none are named, the workload's own.
func (b *builder) fileTLS(settings *networking.ServerTLSSettings) *tlsv3.CommonTlsContext {
	common := &tlsv3.CommonTlsContext{}
	pairs := settings.GetTlsCertificates()
	if len(pairs) == 0 {
		pairs = []*networking.ServerTLSSettings_TLSCertificate{{
			ServerCertificate: settings.GetServerCertificate(), PrivateKey: settings.GetPrivateKey(),
		}}
	}
	for _, pair := range pairs {
		secret := b.workloadSDS(workloadSecret)
		if pair.GetServerCertificate() != "" && pair.GetPrivateKey() != "" {
			secret = b.fileSDS(fileCertificate + pair.GetServerCertificate() + "~" + pair.GetPrivateKey())
		}
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, secret)
	}
	if asksForCertificate(settings.GetMode()) {
		roots := b.workloadSDS(rootSecret)
		if settings.GetCaCertificates() != "" {
			roots = b.fileSDS(fileRoots + settings.GetCaCertificates())
		}
		common.ValidationContextType = combinedValidation(roots, exactNames(settings.GetSubjectAltNames()))
	}
	return common
}

// The names by which Istio's agent serves files: a certificate with its key, and roots.
const (
	fileCertificate = "file-cert:"
	fileRoots       = "file-root:"
)

// fileSDS names a secret that consists of files.
func (b *builder) fileSDS(name string) *tlsv3.SdsSecretConfig {
	if b.target == IstioProxy {
		return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: agentSource()}
	}
	return b.staticSDS(name)
}

// gatewayParameters are the protocol versions and cipher suites of a server, over those of MeshConfig.tlsDefaults; nil for Envoy's own.
func (b *builder) gatewayParameters(settings *networking.ServerTLSSettings) *tlsv3.TlsParameters {
	defaults := b.mesh.Settings.Mesh.GetTlsDefaults()
	params := &tlsv3.TlsParameters{
		EcdhCurves:   defaults.GetEcdhCurves(),
		CipherSuites: defaults.GetCipherSuites(),
	}
	if defaults.GetMinProtocolVersion() == meshconfig.MeshConfig_TLSConfig_TLSV1_3 {
		params.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_3
	} else if defaults.GetMinProtocolVersion() == meshconfig.MeshConfig_TLSConfig_TLSV1_2 {
		params.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_2
	}
	if version := tlsVersion(settings.GetMinProtocolVersion()); version != tlsv3.TlsParameters_TLS_AUTO {
		params.TlsMinimumProtocolVersion = version
	}
	params.TlsMaximumProtocolVersion = tlsVersion(settings.GetMaxProtocolVersion())
	if suites := knownCipherSuites(settings.GetCipherSuites()); len(suites) > 0 {
		params.CipherSuites = suites
	}
	unset := params.TlsMinimumProtocolVersion == tlsv3.TlsParameters_TLS_AUTO &&
		params.TlsMaximumProtocolVersion == tlsv3.TlsParameters_TLS_AUTO &&
		len(params.CipherSuites) == 0 && len(params.EcdhCurves) == 0
	if unset {
		return nil
	}
	return params
}

func tlsVersion(version networking.ServerTLSSettings_TLSProtocol) tlsv3.TlsParameters_TlsProtocol {
	switch version {
	case networking.ServerTLSSettings_TLSV1_0:
		return tlsv3.TlsParameters_TLSv1_0
	case networking.ServerTLSSettings_TLSV1_1:
		return tlsv3.TlsParameters_TLSv1_1
	case networking.ServerTLSSettings_TLSV1_2:
		return tlsv3.TlsParameters_TLSv1_2
	case networking.ServerTLSSettings_TLSV1_3:
		return tlsv3.TlsParameters_TLSv1_3
	default:
		return tlsv3.TlsParameters_TLS_AUTO
	}
}

// knownCipherSuites drops the suites that Envoy's TLS library does not know, since Envoy would refuse the whole listener, and repeated
// ones. (https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto)
func knownCipherSuites(suites []string) []string {
	var known []string
	seen := map[string]bool{}
	for _, suite := range suites {
		if isKnownCipherSuite(suite) && !seen[suite] {
			seen[suite] = true
			known = append(known, suite)
		}
	}
	return known
}

func isKnownCipherSuite(suite string) bool {
	switch suite {
	case "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-PSK-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-PSK-AES128-CBC-SHA",
		"ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-PSK-AES256-CBC-SHA",
		"ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256",
		"ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384",
		"[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]", "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
		"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "PSK-AES128-CBC-SHA", "PSK-AES256-CBC-SHA",
		"DES-CBC3-SHA":
		return true
	default:
		return false
	}
}

// exactNames match the names in a certificate as they are written; nil for none.
func exactNames(names []string) []*matcherv3.StringMatcher {
	var matchers []*matcherv3.StringMatcher
	for _, name := range names {
		matchers = append(matchers, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}})
	}
	return matchers
}
