package compile_test

import (
	"strings"
	"testing"

	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// TestGatewayListenersOfTCP shows what becomes of connections that are not read as HTTP.
func TestGatewayListenersOfTCP(t *testing.T) {
	testGateways(t, []gatewayTest{
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
	})
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
