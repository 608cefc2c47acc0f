package compile

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	meshconfig "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// tlsCase is what the rule for a host asks for, and what its cluster then holds besides the secrets' sources.
type tlsCase struct {
	name string
	tls  string
	// proxy is a sidecar unless set; selector gives the rule one.
	proxy    model.ProxyType
	selector bool
	protocol translate.UpstreamProtocol
	sans     []string
	// certificate, roots, exact, alpn and sni describe the context; socket is false where there is none.
	socket             bool
	certificate, roots string
	exact, alpn        []string
	sni                string
	names              string
}

func tlsCases() []tlsCase {
	return []tlsCase{
		{name: "DISABLE", tls: `{mode: DISABLE}`},
		{
			name: "ISTIO_MUTUAL", tls: `{mode: ISTIO_MUTUAL}`, sans: []string{"spiffe://cluster.local/ns/x/sa/y"},
			socket: true, certificate: "default", roots: "ROOTCA", exact: []string{"spiffe://cluster.local/ns/x/sa/y"},
			alpn: []string{"istio-peer-exchange", "istio"}, sni: "outbound_.80_._.host.example",
		},
		{
			name: "ISTIO_MUTUAL with names of its own", tls: `{mode: ISTIO_MUTUAL, sni: own.sni, subjectAltNames: [own.name]}`, protocol: translate.HTTP2,
			sans:   []string{"spiffe://cluster.local/ns/x/sa/y"},
			socket: true, certificate: "default", roots: "ROOTCA", exact: []string{"own.name"},
			alpn: []string{"istio-peer-exchange", "istio", "h2"}, sni: "own.sni",
		},
		{
			name: "SIMPLE, by the system's roots and the request's host", tls: `{mode: SIMPLE}`,
			socket: true, roots: "file-root:system", names: `{autoSni: true, autoSanValidation: true}`,
		},
		{
			name: "SIMPLE over HTTP/2", tls: `{mode: SIMPLE, sni: a.example, caCertificates: /ca.pem, subjectAltNames: [a.example]}`, protocol: translate.HTTP2,
			socket: true, roots: "file-root:/ca.pem", exact: []string{"a.example"}, alpn: []string{"h2"}, sni: "a.example",
		},
		{
			name: "SIMPLE with the names of the ServiceEntry", tls: `{mode: SIMPLE, sni: a.example}`, sans: []string{"b.example"},
			socket: true, roots: "file-root:system", exact: []string{"b.example"}, sni: "a.example",
		},
		{
			name: "SIMPLE without verification", tls: `{mode: SIMPLE, insecureSkipVerify: true}`,
			socket: true, names: `{autoSni: true}`,
		},
		{
			name: "SIMPLE with a credential, at a gateway", tls: `{mode: SIMPLE, credentialName: vendor, sni: a.example}`, proxy: model.Router,
			socket: true, roots: "kubernetes://vendor-cacert", sni: "a.example",
		},
		{name: "with a credential, at a sidecar", tls: `{mode: SIMPLE, credentialName: vendor}`},
		{
			name: "with a credential, at a sidecar that the rule selects", tls: `{mode: MUTUAL, credentialName: vendor, sni: a.example}`, selector: true,
			socket: true, certificate: "kubernetes://vendor", roots: "kubernetes://vendor-cacert", sni: "a.example",
		},
		{
			name: "MUTUAL", tls: `{mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem, sni: a.example}`,
			socket: true, certificate: "file-cert:/c.pem~/k.pem", roots: "file-root:/ca.pem", sni: "a.example",
		},
		{
			name: "MUTUAL without a certificate", tls: `{mode: MUTUAL}`, names: `{autoSni: true, autoSanValidation: true}`,
		},
	}
}

func TestClientTLS(t *testing.T) {
	for _, tt := range tlsCases() {
		t.Run(tt.name, func(t *testing.T) {
			b := &clusterBuilder{endpointBuilder: &endpointBuilder{builder: &builder{
				mesh: &model.Mesh{Settings: model.Settings{Mesh: &meshconfig.MeshConfig{}}}, target: IstioProxy,
				proxy: &model.Proxy{Type: model.Sidecar}, sources: provenance.New(),
			}}}
			if tt.proxy != "" {
				b.proxy.Type = tt.proxy
			}
			spec := "{host: host.example, trafficPolicy: {tls: " + tt.tls + "}}"
			if tt.selector {
				spec = "{host: host.example, workloadSelector: {matchLabels: {app: x}}, trafficPolicy: {tls: " + tt.tls + "}}"
			}
			rule, port := ruleOf(t, spec), &model.Port{Number: 80}
			target := outboundTarget{
				service: &model.Service{Hostname: "host.example", SubjectAltNames: tt.sans}, port: port, rule: rule, policy: policyOf(rule, port),
			}
			c := &clusterv3.Cluster{}
			names := b.setClientTLS(c, target, tt.protocol)

			var want *corev3.UpstreamHttpProtocolOptions
			if tt.names != "" {
				want = &corev3.UpstreamHttpProtocolOptions{}
				text, err := yaml.YAMLToJSON([]byte(tt.names))
				if err != nil {
					t.Fatal(err)
				}
				if err := protojson.Unmarshal(text, want); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, names, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			tt.check(t, b, c)
		})
	}
}

// check holds the cluster's transport socket against the case.
func (tt tlsCase) check(t *testing.T, b *clusterBuilder, c *clusterv3.Cluster) {
	t.Helper()
	got := tlsCase{name: tt.name, socket: c.GetTransportSocket() != nil}
	if got.socket {
		m, err := b.sources.Unpack(c.GetTransportSocket().GetTypedConfig())
		if err != nil {
			t.Fatal(err)
		}
		context := m.(*tlsv3.UpstreamTlsContext)
		common := context.GetCommonTlsContext()
		got.sni, got.alpn = context.GetSni(), common.GetAlpnProtocols()
		for _, s := range common.GetTlsCertificateSdsSecretConfigs() {
			got.certificate += s.GetName()
		}
		validation := common.GetCombinedValidationContext()
		got.roots = validation.GetValidationContextSdsSecretConfig().GetName()
		//lint:ignore SA1019 The field that istiod writes.
		for _, s := range validation.GetDefaultValidationContext().GetMatchSubjectAltNames() {
			got.exact = append(got.exact, s.GetExact())
		}
		if minimum := common.GetTlsParams().GetTlsMinimumProtocolVersion(); minimum != tlsv3.TlsParameters_TLSv1_2 {
			t.Errorf("TLS from %v on, want 1.2", minimum)
		}
	}
	want := tlsCase{
		name: tt.name, socket: tt.socket, certificate: tt.certificate, roots: tt.roots, exact: tt.exact, alpn: tt.alpn, sni: tt.sni,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tlsCase{})); diff != "" {
		t.Error(diff)
	}
}

// TestProxyProtocol wraps whatever socket there is.
func TestProxyProtocol(t *testing.T) {
	b := &clusterBuilder{endpointBuilder: &endpointBuilder{builder: &builder{sources: provenance.New()}}}
	rule := ruleOf(t, `{host: h, trafficPolicy: {proxyProtocol: {version: V2}}}`)
	setting := policyOf(rule, &model.Port{}).proxyProtocol
	raw, matched := &clusterv3.Cluster{}, &clusterv3.Cluster{TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{b.plaintextMatch()}}
	b.setProxyProtocol(raw, setting)
	b.setProxyProtocol(matched, setting)
	if got := raw.GetTransportSocket().GetName(); got != proxyProtocolName {
		t.Errorf("plaintext goes through %q, want %q", got, proxyProtocolName)
	}
	if matched.GetTransportSocket() != nil || matched.GetTransportSocketMatches()[0].GetTransportSocket().GetName() != proxyProtocolName {
		t.Errorf("not each match is wrapped: %v", matched)
	}
	if b.plaintextMatch().GetTransportSocket().GetName() != rawBufferName {
		t.Error("the shared match was changed")
	}
}

// TestSystemRoots gives stock Envoy a file for the roots that Istio's agent would look for.
func TestSystemRoots(t *testing.T) {
	b := &builder{secretsDir: "/etc/secrets"}
	for name, want := range map[string]string{
		fileRoots + systemRoots:   systemRootsFile,
		fileRoots + "/etc/ca.pem": "/etc/ca.pem",
	} {
		if got := b.fileSecret(name).GetValidationContext().GetTrustedCa().GetFilename(); got != want {
			t.Errorf("roots of %s are in %q, want %q", name, got, want)
		}
	}
}

// TestIdentities holds in which trust domains the names of a service's endpoints are accepted.
func TestIdentities(t *testing.T) {
	for _, tt := range []struct {
		name string
		sans []string
		want []string
	}{
		{
			"a service account in each", []string{"spiffe://cluster.local/ns/x/sa/y"},
			[]string{"spiffe://cluster.local/ns/x/sa/y", "spiffe://old.example/ns/x/sa/y"},
		},
		{"another name as it is", []string{"spiffe://partner.example/service", "host.example"}, []string{"host.example", "spiffe://partner.example/service"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &clusterBuilder{endpointBuilder: &endpointBuilder{builder: &builder{mesh: &model.Mesh{Settings: model.Settings{
				Mesh: &meshconfig.MeshConfig{TrustDomainAliases: []string{"old.example"}},
			}}}}}
			if diff := cmp.Diff(tt.want, b.identities(&model.Service{SubjectAltNames: tt.sans})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
