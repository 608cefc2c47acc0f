package meshgen

import "fmt"

func (g *generator) sidecars() {
	for i := range g.rand.IntN(g.size.Sidecars + 1) {
		namespace := one(g, append([]string{"istio-system"}, g.names...)...)
		spec := object{}
		name := "default"
		if namespace != "istio-system" && g.chance(0.5) {
			name = fmt.Sprintf("sidecar-%d", i)
			spec["workloadSelector"] = object{"labels": object{"app": one(g, g.in...).name}}
			if g.chance(0.4) {
				spec["ingress"] = g.ingressListeners()
			}
		}
		if g.chance(0.8) {
			spec["egress"] = g.egressListeners()
		}
		if _, any := spec["egress"]; !any || g.chance(0.4) {
			spec["outboundTrafficPolicy"] = object{"mode": one(g, "REGISTRY_ONLY", "ALLOW_ANY")}
		}
		if g.chance(0.15) {
			spec["inboundConnectionPool"] = g.connectionPool()
		}
		g.add(networking, "Sidecar", namespace, name, object{"spec": spec})
	}
}

func (g *generator) ingressListeners() []any {
	var out []any
	for i, protocol := range some(g, 3, "HTTP", "TCP", "GRPC", "HTTPS") {
		o := object{"port": object{"number": 9080 + i, "protocol": protocol, "name": fmt.Sprintf("in-%d", i)}}
		g.set(o,
			optional{"defaultEndpoint", 0.6, g.anyOf("127.0.0.1:8080", "0.0.0.0:8080", "unix:///var/run/app.sock", "[::1]:8080")},
			optional{"bind", 0.2, g.anyOf("0.0.0.0", "172.16.0.1")},
			optional{"captureMode", 0.2, g.anyOf("NONE", "IPTABLES", "DEFAULT")},
		)
		if protocol == "HTTPS" {
			o["tls"] = object{"mode": "SIMPLE", "serverCertificate": "/etc/certs/server.pem", "privateKey": "/etc/certs/key.pem"}
		}
		if protocol == "HTTP" && g.chance(0.3) {
			o["connectionPool"] = g.connectionPool()
		}
		out = append(out, o)
	}
	return out
}

func (g *generator) egressListeners() []any {
	var out []any
	if g.chance(0.4) {
		p := one(g, port{9080, "egress-http", "HTTP"}, port{3306, "egress-mysql", "MySQL"}, port{80, "egress", "HTTP"}, port{443, "egress-tls", "TLS"}, port{7000, "http-proxy", "HTTP_PROXY"})
		o := object{"port": object{"number": p.number, "name": p.name, "protocol": p.protocol}, "hosts": g.egressHosts()}
		g.set(o,
			optional{"bind", 0.3, g.anyOf("127.0.0.1", "0.0.0.0", "10.0.0.53")},
			optional{"captureMode", 0.3, g.anyOf("NONE", "IPTABLES", "DEFAULT")},
		)
		out = append(out, o)
	}
	return append(out, object{"hosts": g.egressHosts()})
}

func (g *generator) egressHosts() []any {
	switch g.rand.IntN(5) {
	case 0:
		return []any{"*/*"}
	case 1:
		return []any{"./*"}
	case 2:
		return []any{"./*", "istio-system/*"}
	case 3:
		s := one(g, g.in...)
		return []any{"./*", "*/" + s.host}
	}
	return []any{one(g, g.names...) + "/*", "*/api.example.com"}
}
