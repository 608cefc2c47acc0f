package compile_test

import (
	"testing"

	"github.com/meshc/meshc/pkg/compile"
)

// TestGatewayVirtualHosts shows which hosts a gateway serves, and with whose routes.
func TestGatewayVirtualHosts(t *testing.T) {
	testGateways(t, []gatewayTest{
		{
			name: "a host may be reserved for the VirtualServices of a namespace",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop/one.example, ./two.example, "*/three.example", warehouse/four.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [one.example, two.example, three.example, four.example]
  gateways: [istio-system/a]
  http:
  - route: [{destination: {host: web, port: {number: 8080}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  three.example:80 [three.example one.example] 1 route
`,
		},
		{
			name: "of a Gateway's host and a VirtualService's the narrower is served",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*.wide.example", one.narrow.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.wide.example, "*.narrow.example", unrelated.example]
  gateways: [a]
  http:
  - route: [{destination: {host: web, port: {number: 8080}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  one.narrow.example:80 [one.narrow.example a.wide.example] 1 route
`,
		},
		{
			name: "several VirtualServices of a host take turns, those that take everything last",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [one.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a-rest, namespace: shop}
spec:
  hosts: [one.example]
  gateways: [a]
  http:
  - name: rest
    route: [{destination: {host: web, port: {number: 8080}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b-login, namespace: shop}
spec:
  hosts: [one.example]
  gateways: [a]
  http:
  - name: login
    match: [{uri: {prefix: /login}}]
    route: [{destination: {host: web, port: {number: 9000}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  one.example:80 [one.example] 2 routes: login, rest
`,
		},
		{
			name: "httpsRedirect asks for TLS, also of hosts that nobody routes",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [one.example, two.example, shop/three.example]
    tls: {httpsRedirect: true}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [one.example]
  gateways: [a]
  http:
  - route: [{destination: {host: web, port: {number: 8080}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  one.example:80 [one.example] TLS only 1 route
  shop/three.example:80 [shop/three.example two.example] TLS only 0 routes
`,
		},
		{
			name: "hosts with the same routes and the same redirect share a virtual host",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [aaaa.example, bbbb.example, d.example]
    tls: {httpsRedirect: true}
  - port: {number: 80, name: http-open, protocol: HTTP}
    hosts: [ccc.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [a]
  http:
  - route: [{destination: {host: web, port: {number: 8080}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  aaaa.example:80 [aaaa.example bbbb.example] TLS only 1 route
  ccc.example:80 [ccc.example] 1 route
  d.example:80 [d.example] TLS only 1 route
`,
		},
	})
}

// TestServiceOfGatewayRoutes: of services with one host a gateway's route means that of its own namespace, which decides over the port.
func TestServiceOfGatewayRoutes(t *testing.T) {
	entry := func(namespace, port, exportTo string) string {
		return "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: api, namespace: " + namespace + "}\n" +
			"spec: {hosts: [api.example], ports: [{number: " + port + ", name: http, protocol: HTTP}], resolution: DNS, exportTo: [\"" + exportTo + "\"]}\n"
	}
	const routes = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web.example]
  gateways: [istio-system/a]
  http:
  - mirror: {host: api.example}
    route: [{destination: {host: api.example}}]
`
	for name, tt := range map[string]struct{ world, want string }{
		"its own":               {entry("shop", "8081", "*") + entry("bakery", "8082", "*"), "outbound|8081||api.example"},
		"its own is not shown":  {entry("shop", "8081", ".") + entry("bakery", "8082", "*"), "outbound|8082||api.example"},
		"another namespace has": {entry("bakery", "8082", "*"), "outbound|8082||api.example"},
	} {
		cfg := compile.Compile(loadText(t, routes+tt.world), ingress(), compile.Options{Target: compile.IstioProxy})
		action := cfg.Routes[0].GetVirtualHosts()[0].GetRoutes()[0].GetRoute()
		for _, got := range []string{action.GetCluster(), action.GetRequestMirrorPolicies()[0].GetCluster()} {
			if got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		}
	}
}
