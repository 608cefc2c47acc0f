package tlscheck_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// forApp is a PeerAuthentication for one app of the shop.
func forApp(app, spec string) string {
	return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: ` + app + `, namespace: shop}
spec: {selector: {matchLabels: {app: ` + app + `}}, ` + spec + `}
---
`
}

// both is a headless service with a workload that has a sidecar and one that has not.
const both = `
apiVersion: v1
kind: Service
metadata: {name: both, namespace: shop}
spec: {clusterIP: None, selector: {tier: data}, ports: [{name: tcp, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: new, namespace: shop}
spec: {template: {metadata: {labels: {tier: data}}, spec: {containers: [{name: new}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy, namespace: shop}
spec: {template: {metadata: {labels: {tier: data, sidecar.istio.io/inject: "false"}}, spec: {containers: [{name: legacy}]}}}
---
`

// app443 is an application that speaks TLS itself.
const app443 = `
apiVersion: v1
kind: Service
metadata: {name: vault, namespace: shop}
spec: {selector: {app: vault}, ports: [{name: https, port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vault, namespace: shop}
spec: {template: {metadata: {labels: {app: vault}}, spec: {containers: [{name: vault}]}}}
---
`

// egress is a gateway with a port for the mesh's mTLS and one for plaintext.
const egress = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: egress, namespace: edge}
spec:
  template:
    metadata: {labels: {istio: egress}, annotations: {inject.istio.io/templates: gateway}}
    spec: {containers: [{name: istio-proxy, image: auto}]}
---
apiVersion: v1
kind: Service
metadata: {name: egress, namespace: edge}
spec: {selector: {istio: egress}, ports: [{name: tls, port: 443, targetPort: 8443}, {name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress, namespace: edge}
spec:
  selector: {istio: egress}
  servers:
  - {port: {number: 443, name: tls, protocol: HTTPS}, hosts: [api.example.com], tls: {mode: ISTIO_MUTUAL}}
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
---
`

// TestVerdictsAreExplained shows in testdata/verdicts.txt what is said of each way in which a client and a server meet.
func TestVerdictsAreExplained(t *testing.T) {
	const cart, old, mixed, gateway = "cart.shop.svc.cluster.local", "old.shop.svc.cluster.local", "both.shop.svc.cluster.local", "egress.edge.svc.cluster.local"
	tests := []struct {
		name   string
		config string
		from   string
		host   string
		port   uint32
	}{
		{"a rule turns TLS off", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: DISABLE}}"), "web.shop", cart, 80},
		{"the namespace is off, the workload strict", strict("DISABLE") + forApp("cart", "mtls: {mode: STRICT}"), "web.shop", cart, 80},
		{"connections pass through", both + forApp("new", "mtls: {mode: STRICT}") + strict("STRICT"), "web.shop", mixed, 80},
		{"a credential that sidecars do not get", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE, credentialName: roots}}"), "web.shop", cart, 80},
		{"MUTUAL without a certificate", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: MUTUAL}}"), "web.shop", cart, 80},
		{"the mesh's mTLS to plaintext", strict("DISABLE") + rule("cart", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"), "web.shop", cart, 80},
		{"the mesh's mTLS to nobody", rule("old", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"), "web.shop", old, 80},
		{"another's name", rule("cart", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: [spiffe://cluster.local/ns/shop/sa/web]}}"), "web.shop", cart, 80},
		{"TLS to strict", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", cart, 80},
		{"TLS to permissive HTTP", rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", cart, 80},
		{"TLS to disabled HTTP", strict("DISABLE") + rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", cart, 80},
		{"TLS through to the application", rule("cart", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", cart, 90},
		{"TLS to an application without sidecar", rule("old", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", old, 80},
		{"an own certificate to strict", strict("STRICT") + rule("cart", "  trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem}}"), "web.shop", cart, 80},
		{"a port of its own", strict("PERMISSIVE") + forApp("cart", "portLevelMtls: {8080: {mode: STRICT}}") + rule("cart", "  trafficPolicy: {tls: {mode: DISABLE}}"), "web.shop", cart, 80},
		{"a client without sidecar", strict("STRICT"), "", cart, 80},
		{"a client without sidecar to permissive", "", "", cart, 80},
		{"a service without workloads", strict("STRICT") + rule("empty", "  trafficPolicy: {tls: {mode: DISABLE}}"), "web.shop", "empty.shop.svc.cluster.local", 80},
		{"automatic", strict("STRICT"), "web.shop", cart, 80},
		{"automatic to a workload without sidecar", strict("STRICT"), "web.shop", old, 80},
		{"the application's TLS to strict", app443 + strict("STRICT") + rule("vault", "  trafficPolicy: {tls: {mode: DISABLE}}"), "web.shop", "vault.shop.svc.cluster.local", 443},
		{"the application's TLS to permissive", app443 + rule("vault", "  trafficPolicy: {tls: {mode: DISABLE}}"), "web.shop", "vault.shop.svc.cluster.local", 443},
		{"mTLS to a gateway by another server name", egress + rule("egress.edge.svc.cluster.local", "  trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: ISTIO_MUTUAL}}]}"), "web.shop", gateway, 443},
		{"plaintext to a gateway's plaintext", egress, "web.shop", gateway, 80},
		{"plaintext to a gateway's TLS", strings.Replace(egress, "name: tls, port: 443", "name: http-tls, port: 443", 1), "web.shop", gateway, 443},
		{"TLS to a gateway's plaintext", egress + rule("egress.edge.svc.cluster.local", "  trafficPolicy: {tls: {mode: SIMPLE}}"), "web.shop", gateway, 80},
		{"a gateway's mTLS", egress + rule("egress.edge.svc.cluster.local", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, sni: api.example.com}}"), "web.shop", gateway, 443},
		{"mTLS to a gateway's plaintext", egress + rule("egress.edge.svc.cluster.local", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"), "web.shop", gateway, 80},
	}
	var out strings.Builder
	for _, test := range tests {
		mesh := load(t, shop+test.config)
		var client *model.Proxy
		for _, p := range mesh.Proxies() {
			if p.ID() == test.from {
				client = p
			}
		}
		service := mesh.ServicesByHost(test.host)[0]
		v := tlscheck.New(mesh).Check(client, service, service.Port(test.port))[0]
		fmt.Fprintf(&out, "%s: %s\n", test.name, v.Status)
		fmt.Fprintf(&out, "  %s sends %s%s%s\n", v.Client.Mode, v.Client.Sends, by(v.Client.Policy), because(v.Client.Why))
		fmt.Fprintf(&out, "  %s%s%s\n", v.Server.Mode, by(v.Server.Policy), because(v.Server.Why))
		for _, line := range []string{v.Reason, v.Fix} {
			if line != "" {
				fmt.Fprintf(&out, "  %s\n", line)
			}
		}
	}
	golden.Compare(t, "verdicts.txt", []byte(out.String()))
}

func by(p *tlscheck.Policy) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf(" by %s %s %s", p.Resource.Kind, p.Resource.Name, p.Path)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// patched is an EnvoyFilter of the shop with one patch.
func patched(patch string) string {
	return `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: patched, namespace: shop}
spec: {configPatches: [` + patch + `]}
---
`
}

func TestEnvoyFiltersCount(t *testing.T) {
	const (
		plain = `{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: cart.shop.svc.cluster.local}}, patch: {operation: MERGE, value: {transport_socket: {name: envoy.transport_sockets.raw_buffer}}}}`
		// another leaves TLS alone.
		another = `{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND}, patch: {operation: MERGE, value: {connect_timeout: 3s}}}`
		// open takes out the chains that end TLS, and log adds a filter to the chains.
		open = `{applyTo: FILTER_CHAIN, match: {context: SIDECAR_INBOUND, listener: {filterChain: {transportProtocol: tls}}}, patch: {operation: REMOVE}}`
		log  = `{applyTo: NETWORK_FILTER, match: {context: SIDECAR_INBOUND}, patch: {operation: INSERT_FIRST, value: {name: rbac, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: x}}}}`
	)
	mutual := rule("cart", "  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}")
	tests := []struct {
		name, config, client, server string
		status                       tlscheck.Status
	}{
		{"a transport socket replaced", strict("STRICT") + mutual + patched(plain), "plaintext by EnvoyFilter", "STRICT by PeerAuthentication", tlscheck.Conflict},
		{"clusters patched otherwise", strict("STRICT") + mutual + patched(another), "mTLS by DestinationRule", "STRICT by PeerAuthentication", tlscheck.OK},
		{"chains taken out", strict("PERMISSIVE") + mutual + patched(open), "mTLS by DestinationRule", "DISABLE by EnvoyFilter", tlscheck.Conflict},
		{"chains patched otherwise", strict("STRICT") + mutual + patched(log), "mTLS by DestinationRule", "STRICT by PeerAuthentication", tlscheck.OK},
	}
	kind := func(p *tlscheck.Policy) string {
		if p == nil {
			return "-"
		}
		return p.Resource.Kind
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mesh := load(t, shop+test.config)
			service := mesh.ServicesByHost("cart.shop.svc.cluster.local")[0]
			v := tlscheck.New(mesh).Check(mesh.Proxies()[0], service, service.Port(80))[0]
			client, server := v.Client.Sends+" by "+kind(v.Client.Policy), v.Server.Mode+" by "+kind(v.Server.Policy)
			if client != test.client || server != test.server || v.Status != test.status {
				t.Errorf("%s, %s: %s; want %s, %s: %s (%s)", client, server, v.Status, test.client, test.server, test.status, v.Server.Why)
			}
		})
	}
}
