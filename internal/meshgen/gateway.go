package meshgen

import (
	"fmt"
	"slices"
)

// ingress draws the gateway's workload, as its Helm chart deploys it.
func (g *generator) ingress() {
	if g.size.Gateways == 0 {
		return
	}
	for _, name := range []string{"ingress", "egress"}[:g.between(1, 2)] {
		labels := object{"istio": name, "app": "istio-" + name}
		template := object{
			"metadata": object{
				"labels":      object{"istio": name, "app": "istio-" + name, "sidecar.istio.io/inject": "true"},
				"annotations": object{"inject.istio.io/templates": "gateway"},
			},
			"spec": object{"serviceAccountName": name, "containers": []any{object{"name": "istio-proxy", "image": "auto"}}},
		}
		g.add("apps/v1", "Deployment", ingressNamespace, name, object{"spec": object{"selector": object{"matchLabels": labels}, "template": template}})
		ports := []any{
			object{"name": "http2", "port": 80, "targetPort": 8080}, object{"name": "https", "port": 443, "targetPort": 8443},
			object{"name": "tcp", "port": 31400}, object{"name": "tls", "port": 15443},
		}
		g.add("v1", "Service", ingressNamespace, name, object{"spec": object{"type": "LoadBalancer", "selector": labels, "ports": ports}})
	}
}

func (g *generator) gateways() {
	for i := range g.count(g.size.Gateways) {
		g.gateway(fmt.Sprintf("gateway-%d", i))
	}
}

var gatewayHosts = []string{"shop.example.com", "*.example.com", "api.example.com", "*", "bookinfo.example.org", "*.shop.example.com", "db.example.org"}

func (g *generator) gateway(name string) {
	e := entrance{namespace: one(g, append([]string{ingressNamespace}, g.names...)...), name: name}
	var servers []any
	for i := range g.between(1, 4) {
		servers = append(servers, g.server(&e, i))
	}
	spec := object{"selector": object{"istio": one(g, "ingress", "ingress", "ingress", "egress")}, "servers": servers}
	g.add(networking, "Gateway", e.namespace, name, object{"spec": spec})
	g.entrances = append(g.entrances, e)
}

func (g *generator) server(e *entrance, index int) object {
	hosts := some(g, 2, gatewayHosts...)
	if slices.Contains(hosts, "*") {
		hosts = []string{"*"}
	}
	e.hosts = append(e.hosts, hosts...)
	var list []any
	for _, h := range hosts {
		list = append(list, one(g, "", "", "", "*/", "./")+h)
	}
	kind := one(g, "HTTP", "HTTP", "HTTP2", "GRPC", "HTTPS", "HTTPS", "TLS", "TCP", "MONGO")
	number := map[string][]int{
		"HTTP": {80, 8080, 80}, "HTTP2": {80, 8081}, "GRPC": {80, 7070}, "HTTPS": {443, 8443}, "TLS": {443, 15443}, "TCP": {31400, 9000}, "MONGO": {27017},
	}[kind]
	o := object{"hosts": list, "port": object{"number": one(g, number...), "name": fmt.Sprintf("%s-%d", []string{"p", "web", "in"}[g.rand.IntN(3)], index), "protocol": kind}}
	switch kind {
	case "HTTPS":
		o["tls"] = g.serverTLS(one(g, "SIMPLE", "SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL", "PASSTHROUGH"))
	case "TLS":
		o["tls"] = g.serverTLS(one(g, "SIMPLE", "MUTUAL", "ISTIO_MUTUAL", "PASSTHROUGH", "AUTO_PASSTHROUGH"))
	case "HTTP":
		if g.chance(0.2) {
			o["tls"] = object{"httpsRedirect": true}
		}
	}
	if tls, _ := o["tls"].(object); tls["mode"] == "PASSTHROUGH" || kind == "TLS" {
		e.passthrough = true
	}
	if g.chance(0.1) {
		o["bind"] = one(g, "0.0.0.0", "127.0.0.1", "10.0.0.8")
	}
	return o
}

func (g *generator) serverTLS(mode string) object {
	tls := object{"mode": mode}
	if mode == "PASSTHROUGH" || mode == "AUTO_PASSTHROUGH" {
		return tls
	}
	if mode != "ISTIO_MUTUAL" {
		g.serverCertificates(tls, mode)
	}
	return g.set(tls,
		optional{"minProtocolVersion", 0.3, g.anyOf("TLSV1_2", "TLSV1_3")},
		optional{"cipherSuites", 0.15, value([]any{"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"})},
		optional{"subjectAltNames", 0.15, value([]any{"spiffe://cluster.local/ns/shop/sa/cart", "client.example.com"})},
	)
}

func (g *generator) serverCertificates(tls object, mode string) {
	switch g.rand.IntN(4) {
	case 0:
		tls["serverCertificate"], tls["privateKey"] = "/etc/certs/server.pem", "/etc/certs/key.pem"
		if mode != "SIMPLE" {
			tls["caCertificates"] = "/etc/certs/ca.pem"
		}
	case 1:
		tls["credentialNames"] = []any{"shop-rsa", "shop-ecdsa"}
	default:
		tls["credentialName"] = one(g, "shop-cert", "api-cert", "wildcard-cert")
	}
}
