package tlscheck_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// shop is a client and a server with sidecars, and a server without one.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {template: {metadata: {labels: {app: cart, version: v1}}, spec: {serviceAccountName: cart, containers: [{name: cart}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 90, targetPort: 9090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: old, namespace: shop}
spec: {template: {metadata: {labels: {app: old, sidecar.istio.io/inject: "false"}}, spec: {containers: [{name: old}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: old, namespace: shop}
spec: {selector: {app: old}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: shop}
spec: {selector: {app: empty}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: shop}
spec: {hosts: [api.example.com], ports: [{number: 443, name: https, protocol: HTTPS}], resolution: DNS}
---
`

func strict(mode string) string {
	return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: ` + mode + `}}
---
`
}

func rule(host, policy string) string {
	return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: rule, namespace: shop}
spec:
  host: ` + host + `
` + policy + `
---
`
}

func load(t *testing.T, text string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{Stdin: strings.NewReader(text)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("%s: %s", f.Location.File, f.Message)
	}
	return mesh
}

// say writes a verdict as a line: what is sent to what mode, how that ends.
func say(vs []tlscheck.Verdict) []string {
	var lines []string
	for _, v := range vs {
		line := v.Client.Mode + " sends " + v.Client.Sends + " to " + v.Server.Mode + ": " + string(v.Status)
		if v.Subset != "" {
			line = v.Subset + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		config string
		host   string
		port   uint32
		want   []string
	}{
		{"automatic", "", "cart.shop.svc.cluster.local", 80, []string{"AUTO sends mTLS to PERMISSIVE: OK"}},
		{"strict", strict("STRICT"), "cart.shop.svc.cluster.local", 80, []string{"AUTO sends mTLS to STRICT: OK"}},
		{"disabled", strict("DISABLE"), "cart.shop.svc.cluster.local", 80, []string{"AUTO sends plaintext to DISABLE: OK"}},
		{"no sidecar", strict("STRICT"), "old.shop.svc.cluster.local", 80, []string{"AUTO sends plaintext to NO SIDECAR: OK"}},
		{"no workload", strict("STRICT"), "empty.shop.svc.cluster.local", 80, []string{"AUTO sends mTLS to STRICT: OK"}},
		{"outside", "", "api.example.com", 443, []string{"AUTO sends application TLS to OUTSIDE: UNKNOWN"}},
		{
			"rule without TLS to strict", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: DISABLE}}"), "cart.shop.svc.cluster.local", 80,
			[]string{"DISABLE sends plaintext to STRICT: CONFLICT"},
		},
		{
			"the mesh's mTLS to a workload without sidecar", rule("old", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"), "old.shop.svc.cluster.local", 80,
			[]string{"ISTIO_MUTUAL sends mTLS to NO SIDECAR: CONFLICT"},
		},
		{
			"the mesh's mTLS to plaintext", strict("DISABLE") + rule("cart", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"), "cart.shop.svc.cluster.local", 80,
			[]string{"ISTIO_MUTUAL sends mTLS to DISABLE: CONFLICT"},
		},
		{
			"TLS of its own to an HTTP port", rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "cart.shop.svc.cluster.local", 80,
			[]string{"SIMPLE sends TLS to PERMISSIVE: CONFLICT"},
		},
		{
			"TLS of its own to a TCP port", rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "cart.shop.svc.cluster.local", 90,
			[]string{"SIMPLE sends TLS to PERMISSIVE: UNKNOWN"},
		},
		{
			"another name", rule("cart", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: [spiffe://cluster.local/ns/shop/sa/other]}}"),
			"cart.shop.svc.cluster.local", 80, []string{"ISTIO_MUTUAL sends mTLS to PERMISSIVE: CONFLICT"},
		},
		{
			"a subset of its own",
			strict("STRICT") + rule("cart", "  subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: DISABLE}}}, {name: v2, labels: {version: v2}}]"),
			"cart.shop.svc.cluster.local", 80,
			[]string{"AUTO sends mTLS to STRICT: OK", "v1: DISABLE sends plaintext to STRICT: CONFLICT"},
		},
		{
			"a port of its own", strict("STRICT") + rule("cart", "  trafficPolicy: {portLevelSettings: [{port: {number: 90}, tls: {mode: DISABLE}}]}"),
			"cart.shop.svc.cluster.local", 90, []string{"DISABLE sends plaintext to STRICT: CONFLICT"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mesh := load(t, shop+test.config)
			checker := tlscheck.New(mesh)
			service := mesh.ServicesByHost(test.host)[0]
			for _, p := range mesh.Proxies() {
				got := checker.Check(p, service, service.Port(test.port))
				if diff := cmp.Diff(test.want, say(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", p.ID(), diff)
				}
			}
		})
	}
}
