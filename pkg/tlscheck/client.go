package tlscheck

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// speaker is a client as it speaks to one endpoint: what is reported of it, and what else a verdict depends on.
type speaker struct {
	Client
	// names are those of which the server's certificate must hold one; none: any of the mesh.
	names []string
	// sni and alpn are the server name and the protocols that the TLS handshake offers.
	sni  string
	alpn []string
	// http tells that the application speaks HTTP, and not TLS.
	http bool
	// automatic tells that mTLS would be automatic if no rule said anything.
	automatic bool
	// fromNamespace tells that a PeerAuthentication of the service's namespace keeps automatic mTLS from it, passesThrough that connections pass
	// through to endpoints of which one lacks a sidecar.
	fromNamespace, passesThrough bool
}

// clientSide is what a cluster's clients speak, to endpoints that are marked for mTLS and to others.
type clientSide struct {
	upstream         *compile.Upstream
	marked, unmarked speaker
}

func newClientSide(mesh *model.Mesh, u *compile.Upstream) *clientSide {
	base := speaker{Client: Client{Mode: Auto}, http: u.Port.Protocol.IsHTTP()}
	auto := mesh.Settings.Mesh.GetEnableAutoMtls()
	base.automatic = (auto == nil || auto.GetValue()) && u.Cluster.GetType() != clusterv3.Cluster_ORIGINAL_DST &&
		mesh.MTLSFor(u.Service.Namespace, nil).Mode != security.PeerAuthentication_MutualTLS_DISABLE
	switch {
	case u.TLS != nil:
		base.Mode, base.Policy = u.TLS.GetMode().String(), policyOf(u.TLSFrom)
	case auto != nil && !auto.GetValue():
		base.Mode, base.Policy = networking.ClientTLSSettings_DISABLE.String(), policyOf(mesh.Settings.Source("enableAutoMtls"))
		base.Why = "the mesh's settings turn automatic mTLS off"
	}
	c := &clientSide{upstream: u}
	c.marked, c.unmarked = c.speaker(mesh, base, true), c.speaker(mesh, base, false)
	return c
}

func (c *clientSide) speaker(mesh *model.Mesh, s speaker, marked bool) speaker {
	context, from := c.upstream.ClientTLS(marked)
	s.Sends = sent(context, c.upstream.Port)
	if context != nil {
		s.names, s.sni, s.alpn = acceptedNames(context), context.GetSni(), context.GetCommonTlsContext().GetAlpnProtocols()
	}
	if patch := lastOf(from, "EnvoyFilter"); patch != nil {
		s.Policy, s.Why = patch, "an EnvoyFilter shapes the transport socket"
		return s
	}
	switch {
	case s.Mode == Auto && context == nil:
		c.explainPlaintext(mesh, &s, marked)
	case c.upstream.Withheld:
		s.Why = "sidecars get the Secret of a credentialName only from a DestinationRule with a workloadSelector, so the rule's TLS is left out"
	case context == nil && s.Mode == networking.ClientTLSSettings_MUTUAL.String():
		s.Why = "MUTUAL lacks its clientCertificate or privateKey, so the rule's TLS is left out"
	}
	return s
}

// explainPlaintext says why automatic mTLS is not used.
func (c *clientSide) explainPlaintext(mesh *model.Mesh, s *speaker, marked bool) {
	u := c.upstream
	namespace := mesh.MTLSFor(u.Service.Namespace, nil)
	switch {
	case u.Service.MeshExternal:
		s.Why = "automatic mTLS is for services of the mesh"
	case namespace.Mode == security.PeerAuthentication_MutualTLS_DISABLE:
		s.fromNamespace = true
		if len(namespace.From) > 0 {
			s.Policy = policyOf(namespace.From[len(namespace.From)-1])
		}
		s.Why = "the PeerAuthentication for the service's whole namespace is DISABLE, so clients send plaintext to it"
	case marked && len(u.Cluster.GetTransportSocketMatches()) == 0 && u.Cluster.GetTransportSocket() == nil:
		s.passesThrough = true
		s.Why = "connections pass through to the address that the client chose, and an endpoint of the service has no sidecar"
	}
}

// speaks is what clients speak to an endpoint; nil stands for one outside the mesh.
func (c *clientSide) speaks(e *compile.UpstreamEndpoint) speaker {
	if e == nil {
		return c.unmarked
	}
	if e.MTLS {
		return c.marked
	}
	s := c.unmarked
	if c.marked.passesThrough {
		s = c.marked
	}
	return s
}

// speaksTo is what clients would speak to a workload of the service, of which none is known.
func (c *clientSide) speaksTo(s server) speaker {
	if s.mtls {
		return c.marked
	}
	return c.unmarked
}

// sent says what a cluster for the port sends with a TLS context, nil for none: what the application sends, then.
func sent(context *tlsv3.UpstreamTlsContext, port *model.Port) string {
	switch {
	case context == nil && port.Protocol.IsTLS():
		return AppTLS
	case context == nil:
		return Plaintext
	}
	switch presents, mesh := compile.IsMeshCertificate(context.GetCommonTlsContext()); {
	case mesh:
		return MeshMTLS
	case presents:
		return OwnMTLS
	}
	return TLS
}

// acceptedNames are the names of which the server's certificate must hold one.
func acceptedNames(context *tlsv3.UpstreamTlsContext) []string {
	var names []string
	//lint:ignore SA1019 istiod writes this field.
	for _, m := range context.GetCommonTlsContext().GetCombinedValidationContext().GetDefaultValidationContext().GetMatchSubjectAltNames() {
		if m.GetExact() == "" {
			return nil
		}
		names = append(names, m.GetExact())
	}
	return names
}

// lastOf returns the last of the sources that is of a kind, as a policy; nil for none.
func lastOf(from []resource.Source, kind string) *Policy {
	for _, s := range slices.Backward(from) {
		if s.Resource.Kind == kind {
			return policyOf(s)
		}
	}
	return nil
}
