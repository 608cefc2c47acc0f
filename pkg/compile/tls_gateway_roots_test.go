package compile_test

import (
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// TestClientRootsOfGateways holds which secret a gateway's server checks clients against, and whether it insists.
func TestClientRootsOfGateways(t *testing.T) {
	const gateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: edge}
spec:
  selector: {app: edge}
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: MUTUAL, credentialName: cert, SETTINGS}}]
`
	type roots struct {
		Secret string
		Trust  tlsv3.CertificateValidationContext_TrustChainVerification
	}
	for _, tt := range []struct {
		name, settings string
		target         compile.Target
		want           roots
	}{
		{"those beside the certificate", "", compile.IstioProxy, roots{Secret: "kubernetes://cert-cacert"}},
		{"of a ConfigMap", "caCertCredentialName: configmap://edge/ca-cacert", compile.IstioProxy, roots{Secret: "configmap://edge/ca-cacert"}},
		{"of another Secret, for stock Envoy", "caCertCredentialName: ca", compile.Envoy, roots{Secret: "kubernetes://ca-cacert"}},
		{
			"looked at, yet not insisted on", "insecureSkipVerify: true", compile.IstioProxy,
			roots{"kubernetes://cert-cacert", tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy := &model.Proxy{Name: "edge", Namespace: "edge", Type: model.Router, IP: "10.244.0.8", Labels: map[string]string{"app": "edge"}}
			mesh := loadText(t, strings.Replace(gateway, "SETTINGS", tt.settings, 1))
			cfg := compile.Compile(mesh, proxy, compile.Options{Target: tt.target})
			context := &tlsv3.DownstreamTlsContext{}
			if err := cfg.Listeners[0].GetFilterChains()[0].GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
				t.Fatal(err)
			}
			validation := context.GetCommonTlsContext().GetCombinedValidationContext()
			got := roots{validation.GetValidationContextSdsSecretConfig().GetName(), validation.GetDefaultValidationContext().GetTrustChainVerification()}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("roots differ (-want +got):\n%s", diff)
			}
		})
	}
}
