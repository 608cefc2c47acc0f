package compile_test

import (
	"strings"
	"testing"
	"testing/fstest"

	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// ingress is a gateway proxy that no file describes, as one installed by Helm.
func ingress() *model.Proxy {
	return &model.Proxy{
		Name: "ingress", Namespace: "istio-system", Type: model.Router, IP: "10.244.0.1",
		Labels: map[string]string{"istio": "ingress"}, ServiceAccount: "ingress",
	}
}

// backend is what VirtualServices of the tests route to.
const backend = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  selector: {app: web}
  ports: [{name: http, port: 8080}, {name: tcp, port: 9000}]
---
`

// loadText loads a world of one file.
func loadText(t *testing.T, text string) *model.Mesh {
	t.Helper()
	files := fstest.MapFS{"world.yaml": &fstest.MapFile{Data: []byte(text)}}
	mesh, err := model.Load(t.Context(), model.Options{FS: files}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("the world has a flaw: %s: %s", f.Rule, f.Message)
	}
	return mesh
}

func TestGatewayListeners(t *testing.T) {
	tests := []struct {
		name  string
		world string
		want  string
		// leftOut are the messages about servers without effect.
		leftOut []string
	}{
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
		{
			name: "TLS is passed through by name, TCP as it comes; without a route there is no listener",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: [one.example, two.example]
    tls: {mode: PASSTHROUGH}
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [three.example]
    tls: {mode: SIMPLE, credentialName: three}
  - port: {number: 9000, name: tcp, protocol: TCP}
    hosts: ["*"]
  - port: {number: 9001, name: unrouted, protocol: TCP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: sni, namespace: shop}
spec:
  hosts: [one.example, two.example]
  gateways: [a]
  tls:
  - match: [{port: 443, sniHosts: [one.example]}]
    route: [{destination: {host: web, port: {number: 9000}}}]
  - match: [{sniHosts: [one.example]}, {gateways: [elsewhere], sniHosts: [two.example]}, {port: 8443, sniHosts: [two.example]}]
    route: [{destination: {host: web, port: {number: 8080}}}]
  - match: [{gateways: [a], sniHosts: [two.example]}]
    route: [{destination: {host: web, port: {number: 8080}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [a]
  tcp:
  - match: [{port: 9000}]
    route:
    - {destination: {host: web, port: {number: 9000}}, weight: 60}
    - {destination: {host: web, port: {number: 8080}}, weight: 40}
`,
			want: `
listener 0.0.0.0_443
  [one.example] -> outbound|9000||web.shop.svc.cluster.local
  [two.example] -> outbound|8080||web.shop.svc.cluster.local
  [three.example] TLS kubernetes://three -> routes https.443.https.a.shop
listener 0.0.0.0_9000
  any -> 60 outbound|9000||web.shop.svc.cluster.local, 40 outbound|8080||web.shop.svc.cluster.local
routes https.443.https.a.shop
  blackhole:443 [*] 0 routes
`,
			leftOut: []string{
				`spec.tls[1].match[0] of VirtualService shop/sni has no effect: an earlier match routes the server name "one.example" on port 443 already`,
			},
		},
		{
			name: "a TLS server that ends TLS forwards what is inside",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 9443, name: tls, protocol: TLS}
    hosts: [db.example]
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp, namespace: shop}
spec:
  hosts: [db.example]
  gateways: [a]
  tcp:
  - route: [{destination: {host: web, port: {number: 9000}}}]
`,
			want: `
listener 0.0.0.0_9443
  [db.example] TLS default, clients ROOTCA required -> outbound|9000||web.shop.svc.cluster.local
`,
		},
		{
			name: "a TLSRoute forwards what its listener has decrypted",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: own, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 9443, name: tls, protocol: TLS}
    hosts: [db.example]
    tls: {mode: SIMPLE, credentialName: cert}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: [db.example]
  gateways: [own]
  tls:
  - match: [{sniHosts: [db.example]}]
    route: [{destination: {host: web, port: {number: 8080}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: b
  namespace: shop
  annotations: {internal.istio.io/parents: TLSRoute/db.shop}
spec:
  hosts: [db.example]
  gateways: [own]
  tls:
  - match: [{sniHosts: [db.example], port: 1}, {sniHosts: [db.example], gateways: [another]}]
    route: [{destination: {host: web, port: {number: 8080}}}]
  - match: [{sniHosts: [db.example]}]
    route: [{destination: {host: web, port: {number: 9000}}}]
`,
			want: `
listener 0.0.0.0_9443
  [db.example] TLS kubernetes://cert -> outbound|9000||web.shop.svc.cluster.local
`,
		},
		{
			name: "AUTO_PASSTHROUGH has a chain for each cluster that its hosts cover",
			world: backend + `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 15443, name: tls, protocol: TLS}
    hosts: ["*.shop.svc.cluster.local"]
    tls: {mode: AUTO_PASSTHROUGH}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: warehouse}
spec:
  clusterIP: 10.96.0.11
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  subsets: [{name: v1, labels: {version: v1}}]
`,
			want: `
listener 0.0.0.0_15443
  [outbound_.8080_._.web.shop.svc.cluster.local] -> outbound_.8080_._.web.shop.svc.cluster.local
  [outbound_.8080_.v1_.web.shop.svc.cluster.local] -> outbound_.8080_.v1_.web.shop.svc.cluster.local
  [outbound_.9000_._.web.shop.svc.cluster.local] -> outbound_.9000_._.web.shop.svc.cluster.local
  [outbound_.9000_.v1_.web.shop.svc.cluster.local] -> outbound_.9000_.v1_.web.shop.svc.cluster.local
`,
		},
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
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mesh := loadText(t, test.world)
			cfg := compile.Compile(mesh, ingress(), compile.Options{})
			got := summarize(t, cfg)
			if diff := cmp.Diff(strings.TrimSpace(test.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var leftOut []string
			for _, f := range cfg.Findings {
				leftOut = append(leftOut, f.Message)
			}
			if diff := cmp.Diff(test.leftOut, leftOut); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAutoPassthroughJudgesNothing: connections to clusters of the mesh are for their destination to judge, not for the gateway that passes them on.
func TestAutoPassthroughJudgesNothing(t *testing.T) {
	const world = backend + `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: 'outboundClusterStatName: "%SERVICE%_%SERVICE_PORT%"'}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 15443, name: tls, protocol: TLS}
    hosts: ["web.shop.svc.cluster.local"]
    tls: {mode: AUTO_PASSTHROUGH}
  - port: {number: 9000, name: tcp, protocol: TCP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: istio-system}
spec:
  hosts: ["*"]
  gateways: [cross]
  tcp: [{route: [{destination: {host: web.shop.svc.cluster.local, port: {number: 9000}}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: none, namespace: istio-system}
spec: {action: DENY, rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]}
`
	cfg := compile.Compile(loadText(t, world), ingress(), compile.Options{Target: compile.IstioProxy})
	var got []string
	for _, l := range cfg.Listeners {
		for _, c := range l.GetFilterChains() {
			var filters []string
			for _, f := range c.GetFilters() {
				filters = append(filters, f.GetName())
				if f.GetName() == "envoy.filters.network.tcp_proxy" {
					filters = append(filters, unpack[*tcpv3.TcpProxy](t, cfg, f.GetTypedConfig()).GetStatPrefix())
				}
			}
			got = append(got, l.GetName()+" "+strings.Join(filters, " "))
		}
	}
	want := []string{
		"0.0.0.0_15443 envoy.filters.network.tcp_proxy web.shop_8080",
		"0.0.0.0_15443 envoy.filters.network.tcp_proxy web.shop_9000",
		"0.0.0.0_9000 envoy.filters.network.rbac envoy.filters.network.tcp_proxy web.shop_9000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filters differ (-want +got):\n%s", diff)
	}
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
