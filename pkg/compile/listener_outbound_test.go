package compile_test

import "testing"

func TestOutboundListeners(t *testing.T) {
	testListeners(t, []listenerCase{
		{
			name: "HTTP services share the wildcard address, others have their own, UDP and other names have none",
			world: `
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  ports:
  - {name: http, port: 80}
  - {name: tcp, port: 9000}
  - {name: unnamed, port: 9001}
  - {name: mongo, port: 27017}
  - {name: udp, port: 53, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: shop}
spec:
  clusterIP: 10.96.0.2
  ports: [{name: grpc, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec:
  type: ExternalName
  externalName: a.shop.svc.cluster.local
  ports: [{name: http, port: 8888}]
`,
			want: `
0.0.0.0_80 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 80
  else any -> PassthroughCluster
10.96.0.1_27017
  any -> mongo_proxy outbound|27017||a.shop.svc.cluster.local
10.96.0.1_9000
  any -> outbound|9000||a.shop.svc.cluster.local
10.96.0.1_9001 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes a.shop.svc.cluster.local:9001
  else any -> outbound|9001||a.shop.svc.cluster.local
`,
		},
		{
			name: "a headless service has a listener for each pod but the proxy's own",
			world: `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: tcp, port: 5432}, {name: http, port: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 15432}, {name: http, port: 8080}]
endpoints:
- addresses: [10.244.0.1]
- addresses: [10.244.0.2]
- addresses: [10.244.0.9]
- addresses: [10.244.0.3]
  conditions: {ready: false}
`,
			want: `
0.0.0.0_8080 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 8080
  else any -> PassthroughCluster
10.244.0.1_5432
  any -> outbound|5432||db.shop.svc.cluster.local
10.244.0.2_5432
  any -> outbound|5432||db.shop.svc.cluster.local
`,
		},
		{
			name: "each address of a ServiceEntry, subnets by match",
			world: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: shop}
spec:
  hosts: [db.corp]
  addresses: [10.1.0.0/16, 192.0.2.7, 192.0.2.8/32]
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.1.2.3}]
`,
			want: `
0.0.0.0_5432
  10.1.0.0/16 -> outbound|5432||db.corp
  else any -> PassthroughCluster
192.0.2.7_5432
  any -> outbound|5432||db.corp
192.0.2.8_5432
  any -> outbound|5432||db.corp
`,
		},
	})
}

// entries makes ServiceEntries without addresses that all want port 1000: each is named for its protocol.
func entries(protocols ...string) string {
	world := ""
	for i, p := range protocols {
		world += `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e` + string(rune('0'+i)) + `, namespace: shop}
spec:
  hosts: [` + string(rune('a'+i)) + `.example]
  ports: [{number: 1000, name: p, protocol: ` + p + `}]
  resolution: DNS
---
`
	}
	return world
}

func TestOutboundConflicts(t *testing.T) {
	const (
		http        = "  raw_buffer alpn http/1.1,h2c -> routes 1000\n"
		passthrough = "  else any -> PassthroughCluster\n"
	)
	testListeners(t, []listenerCase{
		{
			name:  "HTTP joins HTTP",
			world: entries("HTTP", "GRPC"),
			want:  "\n0.0.0.0_1000 http_inspector\n" + http + passthrough,
		},
		{
			name:  "the first of two TCP services keeps the port",
			world: entries("TCP", "TCP"),
			want:  "\n0.0.0.0_1000\n  any -> outbound|1000||a.example\n",
		},
		{
			name:  "HTTP over TCP: the first bytes decide",
			world: entries("TCP", "HTTP"),
			want:  "\n0.0.0.0_1000 http_inspector\n" + http + "  else any -> outbound|1000||a.example\n",
		},
		{
			name:  "TCP over HTTP: the same",
			world: entries("HTTP", "TCP"),
			want:  "\n0.0.0.0_1000 http_inspector\n" + http + "  else any -> outbound|1000||b.example\n",
		},
		{
			name:  "TLS services are told apart by name",
			world: entries("TLS", "HTTPS"),
			want: `
0.0.0.0_1000 tls_inspector
  sni a.example -> outbound|1000||a.example
  sni b.example -> outbound|1000||b.example
` + passthrough,
		},
		{
			name:  "TLS joins HTTP",
			world: entries("HTTP", "TLS"),
			want: `
0.0.0.0_1000 tls_inspector http_inspector
` + http + `  sni b.example -> outbound|1000||b.example
` + passthrough,
		},
		{
			name:  "where the server speaks first nothing may look",
			world: entries("MySQL", "HTTP"),
			want:  "\n0.0.0.0_1000\n  any -> outbound|1000||a.example\n",
		},
		{
			name:  "nor may such a server join what looks",
			world: entries("HTTP", "Mongo"),
			want:  "\n0.0.0.0_1000 http_inspector\n" + http + passthrough,
		},
		{
			name: "ports that the proxy needs itself are left alone",
			world: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e, namespace: shop}
spec:
  hosts: [a.example]
  ports:
  - {number: 15001, name: a, protocol: HTTP}
  - {number: 15006, name: b, protocol: HTTP}
  - {number: 15021, name: c, protocol: HTTP}
  - {number: 15090, name: d, protocol: HTTP}
  resolution: DNS
`,
			want: "\n",
		},
	})
}

// databases are two services that VirtualServices of the tests route between.
const databases = `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  ports: [{name: tcp, port: 3306}]
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec:
  clusterIP: 10.96.0.2
  ports: [{name: tcp, port: 3307}]
---
`

func TestTCPRoutes(t *testing.T) {
	route := func(spec string) string {
		return databases + `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: shop}
spec:
  hosts: [db]
  tcp:` + spec
	}
	rule := func(policy string) string {
		return databases + `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db, namespace: shop}
spec:
  host: db` + policy
	}
	db := []string{"10.96.0.1_3306"}
	testListeners(t, []listenerCase{
		{
			name: "weights", listeners: db,
			world: route(`
  - route:
    - {destination: {host: db, subset: v1}, weight: 30}
    - {destination: {host: other}, weight: 70}
    - {destination: {host: db, subset: v0}, weight: 0}
`),
			want: `
10.96.0.1_3306
  any -> 30*outbound|3306|v1|db.shop.svc.cluster.local 70*outbound|3307||other.shop.svc.cluster.local stat db.shop by shop/virtual-service/db
`,
		},
		{
			name: "a route without a share is as good as none", listeners: db,
			world: route(`
  - route:
    - {destination: {host: db, subset: v1}, weight: 0}
    - {destination: {host: other}, weight: 0}
`),
			want: `
10.96.0.1_3306
  any -> outbound|3306||db.shop.svc.cluster.local
`,
		},
		{
			name: "labels, ports and gateways are settled beforehand", listeners: db,
			world: route(`
  - match: [{sourceLabels: {app: another}}]
    route: [{destination: {host: db, subset: v1}}]
  - match: [{port: 1}]
    route: [{destination: {host: db, subset: v2}}]
  - match: [{gateways: [shop/ingress]}]
    route: [{destination: {host: db, subset: v3}}]
  - match: [{sourceNamespace: elsewhere}]
    route: [{destination: {host: db, subset: v4}}]
  - match: [{port: 3306, sourceLabels: {app: client}, gateways: [mesh]}]
    route: [{destination: {host: other}}]
  - route: [{destination: {host: db, subset: v5}}]
`),
			want: `
10.96.0.1_3306
  any -> outbound|3307||other.shop.svc.cluster.local by shop/virtual-service/db
`,
		},
		{
			name: "where no route applies, the service itself", listeners: db,
			world: route(`
  - match: [{port: 1}]
    route: [{destination: {host: other}}]
`),
			want: `
10.96.0.1_3306
  any -> outbound|3306||db.shop.svc.cluster.local
`,
		},
		{
			name: "subnets leave the rest to the service", listeners: db,
			world: route(`
  - match: [{destinationSubnets: [10.2.0.0/16]}, {destinationSubnets: [10.1.0.0/16]}]
    route: [{destination: {host: other}}]
`),
			want: `
10.96.0.1_3306
  10.1.0.0/16 10.2.0.0/16 -> outbound|3307||other.shop.svc.cluster.local
  else any -> outbound|3306||db.shop.svc.cluster.local
`,
		},
		{
			name: "timeouts and affinity", listeners: db,
			world: rule(`
  trafficPolicy:
    connectionPool: {tcp: {idleTimeout: 90s, maxConnectionDuration: 1h}}
    loadBalancer: {consistentHash: {useSourceIp: true}}
`),
			want: `
10.96.0.1_3306
  any -> outbound|3306||db.shop.svc.cluster.local idle 1m30s lasting 1h0m0s by source IP
`,
		},
		{
			name: "tunnels", listeners: db,
			world: rule(`
  trafficPolicy:
    tunnel: {protocol: POST, targetHost: db.example, targetPort: 3306}
`),
			want: `
10.96.0.1_3306
  any -> outbound|3306||db.shop.svc.cluster.local through db.example:3306 post=true
`,
		},
	})
}

func TestTLSRoutes(t *testing.T) {
	const secure = `
apiVersion: v1
kind: Service
metadata: {name: secure, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  ports: [{name: tls, port: 443}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.wild.example"]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: NONE
---
`
	testListeners(t, []listenerCase{
		{
			name:  "without routes the address or the name is enough",
			world: secure,
			want: `
0.0.0.0_443 tls_inspector
  sni *.wild.example -> outbound|443||*.wild.example
  else any -> PassthroughCluster
10.96.0.1_443
  any -> outbound|443||secure.shop.svc.cluster.local
`,
		},
		{
			name: "a name stands for the service as well as those of its aliases",
			world: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec:
  hosts: [api.example]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: shop}
spec: {type: ExternalName, externalName: api.example}
---
apiVersion: v1
kind: Service
metadata: {name: far, namespace: warehouse}
spec: {type: ExternalName, externalName: api.example}
`,
			want: `
0.0.0.0_443 tls_inspector
  sni api.example,far.warehouse,far.warehouse.svc,far.warehouse.svc.cluster.local,far.warehouse.svc.cluster.local.,` +
				`near,near.shop,near.shop.svc,near.shop.svc.cluster.local,near.shop.svc.cluster.local. -> outbound|443||api.example
  else any -> PassthroughCluster
`,
		},
		{
			name: "names of a match in order, and of equal matches the first",
			world: secure + `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.wild.example"]
  tls:
  - match: [{port: 443, sniHosts: [b.wild.example, a.wild.example]}]
    route: [{destination: {host: secure}}]
  - match:
    - {sniHosts: [c.wild.example], sourceLabels: {app: another}}
    - {sniHosts: [c.wild.example], sourceLabels: {app: client}}
    route: [{destination: {host: "*.wild.example"}}]
  - match: [{sniHosts: [c.wild.example]}]
    route: [{destination: {host: secure}}]
`,
			listeners: []string{"0.0.0.0_443"},
			want: `
0.0.0.0_443 tls_inspector
  sni a.wild.example,b.wild.example -> outbound|443||secure.shop.svc.cluster.local by shop/virtual-service/wild
  sni c.wild.example -> outbound|443||*.wild.example by shop/virtual-service/wild
  else any -> PassthroughCluster
`,
		},
	})
}

func TestEgressListeners(t *testing.T) {
	const services = `
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  ports: [{name: http, port: 80}, {name: tcp, port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: far}
spec:
  clusterIP: 10.96.0.2
  ports: [{name: http, port: 80}, {name: http-alt, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
`
	testListeners(t, []listenerCase{
		{
			name: "a port of its own keeps the catch-all away",
			world: services + `
  egress:
  - port: {number: 80, protocol: HTTP, name: eg}
    hosts: [./a.shop.svc.cluster.local]
  - hosts: [far/*]
`,
			want: `
0.0.0.0_80 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 80
  else any -> PassthroughCluster
0.0.0.0_8080 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 8080
  else any -> PassthroughCluster
`,
		},
		{
			name: "a TCP port without an address is at the services' own",
			world: services + `
  egress:
  - port: {number: 9000, protocol: TCP, name: eg}
    hosts: ["*/*"]
`,
			want: `
10.96.0.1_9000
  any -> outbound|9000||a.shop.svc.cluster.local
`,
		},
		{
			name: "clients that connect themselves: localhost, an address, a socket",
			world: services + `
  egress:
  - port: {number: 80, protocol: HTTP, name: a}
    captureMode: NONE
    hosts: [./*]
  - port: {number: 9000, protocol: TCP, name: b}
    bind: 127.0.0.2
    captureMode: NONE
    hosts: [./*]
  - port: {number: 0, protocol: HTTP, name: c}
    bind: unix:///var/run/egress.sock
    hosts: [far/*]
`,
			want: `
127.0.0.1_80 bound
  any -> routes 80
127.0.0.2_9000 bound
  any -> outbound|9000||a.shop.svc.cluster.local
unix:///var/run/egress.sock bound
  any -> routes unix:///var/run/egress.sock
`,
		},
		{
			name: "a forward proxy",
			world: services + `
  egress:
  - port: {number: 3128, protocol: HTTP_PROXY, name: proxy}
    hosts: ["*/*"]
`,
			want: `
0.0.0.0_3128
  any -> routes 3128
`,
		},
		{
			name: "what is unknown goes to the egress proxy",
			world: services + `
  egress: [{hosts: [./*]}]
  outboundTrafficPolicy:
    mode: ALLOW_ANY
    egressProxy: {host: b.far.svc.cluster.local, port: {number: 80}}
`,
			listeners: []string{"0.0.0.0_80", "virtualOutbound"},
			want: `
0.0.0.0_80 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 80
  else any -> outbound|80||b.far.svc.cluster.local
virtualOutbound bound
  15001 -> BlackHoleCluster
  any -> outbound|80||b.far.svc.cluster.local
`,
		},
		{
			name: "or nowhere",
			world: services + `
  egress: [{hosts: [./*]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
`,
			listeners: []string{"0.0.0.0_80", "virtualOutbound"},
			want: `
0.0.0.0_80 http_inspector
  raw_buffer alpn http/1.1,h2c -> routes 80
  else any -> BlackHoleCluster
virtualOutbound bound
  15001 -> BlackHoleCluster
  any -> BlackHoleCluster
`,
		},
	})
}
