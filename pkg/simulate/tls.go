package simulate

import (
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// terminateTLS does what the chain's transport socket does, and reports whether the connection goes on.
func (w *walk) terminateTLS(chain *listenerv3.FilterChain) bool {
	context, ok := w.sim.unpack(chain.GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext)
	if !ok {
		if w.call.TLS != Plaintext {
			w.step(StageTLS, nil, "the filter chain passes TLS through unopened")
		}
		return true
	}
	parts := by(chain.GetTransportSocket(), context)
	if w.call.TLS == Plaintext {
		w.step(StageTLS, parts, "the filter chain wants TLS and the client speaks plaintext")
		w.fail(TLSError)
		return false
	}
	w.connection.decrypted = true
	w.connection.negotiated = negotiated(context.GetCommonTlsContext().GetAlpnProtocols(), w.call.ALPN)
	if w.call.TLS != MTLS {
		if requiresCertificate(context) {
			w.step(StageTLS, parts, "a client certificate is required and the client has none")
			w.fail(MTLSError)
			return false
		}
		w.step(StageTLS, parts, "TLS ends here; no client certificate is required")
		return true
	}
	if !context.GetRequireClientCertificate().GetValue() && context.GetCommonTlsContext().GetValidationContextType() == nil {
		// Envoy asks for no certificate that it could not look at.
		w.step(StageTLS, parts, "TLS ends here; the client is not asked for a certificate")
		return true
	}
	w.connection.certificate = true
	if name := w.identity(); name != "" && !acceptsPeer(context.GetCommonTlsContext(), name) {
		w.step(StageTLS, parts, "the name in the client's certificate is refused: %s", name)
		w.fail(MTLSError)
		return false
	}
	w.step(StageTLS, parts, "mutual TLS ends here")
	return true
}

// requiresCertificate tells whether clients without a certificate are refused: where that is said, and where certificates are held against
// names or digests, which none has none of.
func requiresCertificate(context *tlsv3.DownstreamTlsContext) bool {
	v := validationOf(context.GetCommonTlsContext())
	//lint:ignore SA1019 istiod writes this field.
	names := len(v.GetMatchSubjectAltNames()) + len(v.GetMatchTypedSubjectAltNames())
	return context.GetRequireClientCertificate().GetValue() || names+len(v.GetVerifyCertificateHash())+len(v.GetVerifyCertificateSpki()) > 0
}

// validationOf is what the context itself says of peers' certificates; secrets may say more.
func validationOf(context *tlsv3.CommonTlsContext) *tlsv3.CertificateValidationContext {
	if v := context.GetValidationContext(); v != nil {
		return v
	}
	return context.GetCombinedValidationContext().GetDefaultValidationContext()
}

// negotiated is the application protocol that both sides agree on: the first of the server's that the client offers, "" for none.
func negotiated(server []string, offered string) string {
	client := splitList(offered)
	for _, p := range server {
		if slices.Contains(client, p) {
			return p
		}
	}
	return ""
}

// acceptsPeer tells whether a certificate with the URI name passes the name checks of a TLS context. A context that validates nothing, or names
// nothing, takes any.
func acceptsPeer(context *tlsv3.CommonTlsContext, name string) bool {
	validation := validationOf(context)
	//lint:ignore SA1019 istiod writes this field.
	old := validation.GetMatchSubjectAltNames()
	typed := validation.GetMatchTypedSubjectAltNames()
	if len(old)+len(typed) == 0 {
		return true
	}
	for _, m := range old {
		if newStringMatcher(m).matches(name) {
			return true
		}
	}
	for _, m := range typed {
		if m.GetSanType() == tlsv3.SubjectAltNameMatcher_URI && newStringMatcher(m.GetMatcher()).matches(name) {
			return true
		}
	}
	return false
}
