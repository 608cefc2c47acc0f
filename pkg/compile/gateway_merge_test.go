package compile_test

import "testing"

// TestGatewayPorts shows which servers share a port, a listener and a route table, and which are left out.
func TestGatewayPorts(t *testing.T) {
	testGateways(t, []gatewayTest{
		{
			name: "plaintext HTTP of several Gateways shares one listener and one route table",
			world: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [a.example]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: b, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http2, protocol: HTTP2}
    hosts: [b.example]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: c, namespace: shop}
spec:
  selector: {istio: another}
  servers:
  - port: {number: 81, name: http, protocol: HTTP}
    hosts: [c.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.example, b.example]
  gateways: [a, b]
  http:
  - route: [{destination: {host: web, port: {number: 8080}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  a.example:80 [a.example] 1 route
  b.example:80 [b.example] 1 route
`,
		},
		{
			name: "a Gateway names the port of the Service, the proxy opens the target port",
			world: `
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: istio-system}
spec:
  clusterIP: 10.96.0.1
  selector: {istio: ingress}
  ports:
  - {name: http, port: 80, targetPort: 8080}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
  - port: {number: 8443, name: https, protocol: HTTPS}
    hosts: ["*"]
    tls: {mode: SIMPLE, credentialName: cert}
`,
			want: `
listener 0.0.0.0_8080
  any -> routes http.8080
listener 0.0.0.0_8443
  any TLS kubernetes://cert -> routes https.8443.https.a.shop
routes http.8080
  blackhole:80 [*] 0 routes
routes https.8443.https.a.shop
  blackhole:8443 [*] 0 routes
`,
		},
		{
			name: "a Service may keep its ports to itself; and */* leaves nothing to name",
			world: `
apiVersion: v1
kind: Service
metadata:
  name: ingress
  namespace: istio-system
  labels: {experimental.istio.io/disable-gateway-port-translation: "true"}
spec:
  clusterIP: 10.96.0.1
  selector: {istio: ingress}
  ports:
  - {name: http, port: 80, targetPort: 8080}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [one.example, "*/*"]
    tls: {httpsRedirect: true}
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
routes http.80
  *:80 [*] TLS only 0 routes
`,
		},
		{
			name: "a Gateway that is bound to services opens their ports alone",
			world: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ingress, namespace: shop}
spec:
  hosts: [ingress.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, targetPort: 8080, name: http, protocol: HTTP}]
  endpoints: [{address: 10.244.0.1}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: a
  namespace: shop
  annotations: {internal.istio.io/gateway-service: "ingress.example,other.example"}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
  - port: {number: 81, name: http-81, protocol: HTTP}
    hosts: ["*"]
`,
			want: `
listener 0.0.0.0_8080
  any -> routes http.8080
routes http.8080
  blackhole:80 [*] 0 routes
`,
		},
		{
			name: "servers of one TLS port are told apart by name; a repeated name stays with the first",
			world: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 443, name: one, protocol: HTTPS}
    hosts: [one.example, shop/two.example]
    tls: {mode: SIMPLE, credentialName: one}
  - port: {number: 443, name: three, protocol: HTTPS}
    hosts: [three.example]
    tls: {mode: MUTUAL, credentialName: three}
  - port: {number: 443, name: again, protocol: HTTPS}
    hosts: [four.example, three.example]
    tls: {mode: SIMPLE, credentialName: four}
`,
			want: `
listener 0.0.0.0_443
  [one.example two.example] TLS kubernetes://one -> routes https.443.one.a.shop
  [three.example] TLS kubernetes://three, clients kubernetes://three-cacert required -> routes https.443.three.a.shop
routes https.443.one.a.shop
  blackhole:443 [*] 0 routes
routes https.443.three.a.shop
  blackhole:443 [*] 0 routes
`,
			leftOut: []string{
				`spec.servers[2] of Gateway shop/a has no effect: host "three.example" is another server's on port 443 already, ` +
					`and the name in a TLS handshake means one server`,
			},
		},
		{
			name: "a protocol that cannot share the port is left out, unless it has an address of its own",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
  - port: {number: 80, name: tcp, protocol: TCP}
    hosts: ["*"]
  - port: {number: 80, name: http-local, protocol: HTTP}
    bind: 127.0.0.1
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [a]
  tcp:
  - route: [{destination: {host: web, port: {number: 9000}}}]
`,
			want: `
listener 0.0.0.0_80
  any -> routes http.80
listener 127.0.0.1_80
  any -> routes http.80.127.0.0.1
routes http.80
  blackhole:80 [*] 0 routes
routes http.80.127.0.0.1
  blackhole:80 [*] 0 routes
`,
			leftOut: []string{
				"spec.servers[1] of Gateway shop/a has no effect: port 80 is HTTP without TLS already, which TCP cannot share",
			},
		},
		{
			name: "a TLS port admits neither a server without TLS nor the same port name twice",
			world: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [one.example]
    tls: {mode: SIMPLE, credentialName: one}
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [two.example]
    tls: {mode: SIMPLE, credentialName: two}
  - port: {number: 443, name: tcp, protocol: TCP}
    hosts: ["*"]
`,
			want: `
listener 0.0.0.0_443
  [one.example] TLS kubernetes://one -> routes https.443.https.a.shop
routes https.443.https.a.shop
  blackhole:443 [*] 0 routes
`,
			leftOut: []string{
				`spec.servers[1] of Gateway shop/a has no effect: another server of port 443 has the port name "https" already`,
				"spec.servers[2] of Gateway shop/a has no effect: port 443 is TLS already, which a server without tls settings cannot share",
			},
		},
	})
}
