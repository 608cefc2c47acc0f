package compile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

// leftOutWorld holds one of each sort of resource that is left out, and for the ones with selectors one for another workload.
const leftOutWorld = ownServices + `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: compiled, namespace: istio-system}
spec: {}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: waypoint, namespace: shop}
spec: {targetRefs: [{kind: Service, group: "", name: client}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: own, namespace: shop}
spec:
  selector: {matchLabels: {app: client}}
  jwtRules:
  - {issuer: keys@example.test, jwksUri: "https://keys.example.test/jwks"}
  - {issuer: "https://discovered.example.test"}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: own, namespace: shop}
spec: {workloadSelector: {labels: {app: client}}}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gateways, namespace: shop}
spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: front}], url: "oci://example.test/filter:1"}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: istios, namespace: shop, annotations: {kubernetes.io/ingress.class: istio}}
spec: {defaultBackend: {service: {name: client, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: anothers, namespace: shop}
spec: {ingressClassName: nginx, defaultBackend: {service: {name: client, port: {number: 80}}}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
  workloadSelector: {labels: {app: client}}
  ingress:
  - port: {number: 9443, protocol: HTTPS, name: https}
    defaultEndpoint: 127.0.0.1:8443
    tls: {mode: SIMPLE, serverCertificate: /etc/cert.pem, privateKey: /etc/key.pem}
`

// leftOutResources lists what findings are about.
func leftOutResources(t *testing.T, findings []diag.Finding) []string {
	t.Helper()
	var out []string
	for _, f := range findings {
		if f.Rule != "compile/not-compiled" || f.Severity != diag.Info || f.Location.File != "world.yaml" {
			t.Errorf("unexpected finding: %+v", f)
		}
		where := f.Resource.Kind + " " + f.Resource.Namespace + "/" + f.Resource.Name
		if f.Path != "" {
			where += " " + f.Path
		}
		out = append(out, where)
	}
	return out
}

func TestNotCompiled(t *testing.T) {
	mesh := loadText(t, leftOutWorld)
	ingress := &model.Proxy{
		Name: "ingress", Namespace: "istio-system", Type: model.Router, IP: "10.244.0.8", Labels: map[string]string{"istio": "ingressgateway"},
	}
	front := &model.Proxy{
		Name: "front", Namespace: "shop", Type: model.Router, IP: "10.244.0.7",
		Labels: map[string]string{"gateway.networking.k8s.io/gateway-name": "front"},
	}
	for _, tt := range []struct {
		name string
		got  []diag.Finding
		want []string
	}{
		{"mesh", compile.NotCompiled(mesh, compile.Envoy), []string{
			"AuthorizationPolicy shop/waypoint spec.targetRefs", "RequestAuthentication shop/own spec.jwtRules[1]", "WasmPlugin shop/gateways spec.url",
			"Gateway shop/waypoint", "Sidecar shop/own spec.ingress[0].tls",
		}},
		{"sidecar", compile.Compile(mesh, sidecar(), compile.Options{}).Findings, []string{
			"RequestAuthentication shop/own spec.jwtRules[1]",
			"Sidecar shop/own spec.ingress[0].tls",
		}},
		{"ingress gateway", compile.Compile(mesh, ingress, compile.Options{}).Findings, nil},
		{"gateway of the Gateway API", compile.Compile(mesh, front, compile.Options{}).Findings, []string{
			"WasmPlugin shop/gateways spec.url",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, leftOutResources(t, tt.got)); diff != "" {
				t.Errorf("resources differ (-want +got):\n%s", diff)
			}
		})
	}
}
