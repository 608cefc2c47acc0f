package meshgen

import "fmt"

func (g *generator) destinationRules() {
	for i := range g.count(g.size.DestinationRules) {
		g.destinationRule(fmt.Sprintf("rule-%d", i))
	}
}

func (g *generator) destinationRule(name string) {
	s := g.anyService()
	namespace := s.namespace
	if g.chance(0.25) {
		namespace = one(g, append([]string{"istio-system"}, g.names...)...)
	}
	host := g.hostName(s, namespace)
	if g.chance(0.1) {
		host = one(g, "*.svc.cluster.local", "*."+s.namespace+".svc.cluster.local", "*.example.com")
	}
	spec := object{"host": host}
	if g.chance(0.7) {
		spec["trafficPolicy"] = g.trafficPolicy(s, true)
	}
	versions := s.versions
	if s.external {
		versions = []string{"v1", "v2"}
	}
	var subsets []any
	for _, v := range versions {
		if g.chance(0.8) {
			subset := object{"name": v, "labels": object{"version": v}}
			subsets = append(subsets, g.set(subset, optional{"trafficPolicy", 0.3, func() any { return g.trafficPolicy(s, true) }}))
		}
	}
	if len(subsets) > 0 {
		spec["subsets"] = subsets
	}
	if g.chance(0.12) {
		spec["workloadSelector"] = object{"matchLabels": object{"app": one(g, g.in...).name}}
	} else {
		g.set(spec, optional{"exportTo", 0.2, g.exportTo})
	}
	g.add(networking, "DestinationRule", namespace, name, object{"spec": spec})
}

// trafficPolicy draws the policy of a host, a subset, or (whole false) of one of its ports.
func (g *generator) trafficPolicy(s service, whole bool) object {
	o := g.set(object{},
		optional{"loadBalancer", 0.45, g.loadBalancer},
		optional{"connectionPool", 0.4, g.connectionPool},
		optional{"outlierDetection", 0.35, g.outlierDetection},
		optional{"tls", 0.3, g.clientTLS},
	)
	if lb, _ := o["loadBalancer"].(object); lb["localityLbSetting"] != nil {
		o["outlierDetection"] = g.outlierDetection()
	}
	if whole {
		g.set(o, optional{"retryBudget", 0.15, func() any { return object{"percent": g.between(1, 100), "minRetryConcurrency": g.between(1, 10)} }})
		switch kind := g.rand.IntN(12); {
		case kind == 0 && !g.size.Steady:
			o["tunnel"] = object{"protocol": one(g, "CONNECT", "POST"), "targetHost": "tunnel.example.com", "targetPort": 443}
		case kind == 1:
			o["proxyProtocol"] = object{"version": one(g, "V1", "V2")}
		}
		if len(s.ports) > 0 && g.chance(0.25) {
			settings := g.trafficPolicy(s, false)
			settings["port"] = object{"number": one(g, s.ports...).number}
			o["portLevelSettings"] = []any{settings}
		}
	}
	if len(o) == 0 {
		o["loadBalancer"] = object{"simple": "ROUND_ROBIN"}
	}
	return o
}

func (g *generator) loadBalancer() any {
	o := object{}
	switch g.rand.IntN(3) {
	case 0:
		o["consistentHash"] = g.consistentHash()
	default:
		o["simple"] = one(g, "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH")
		if simple := o["simple"]; (simple == "ROUND_ROBIN" || simple == "LEAST_REQUEST") && g.chance(0.3) {
			o["warmup"] = g.set(object{"duration": g.longDuration()}, optional{"minimumPercent", 0.5, g.anyOf(10, 50)}, optional{"aggression", 0.5, g.anyOf(1.0, 1.5)})
		}
	}
	return g.set(o, optional{"localityLbSetting", 0.3, g.localitySetting})
}

func (g *generator) consistentHash() any {
	o := object{}
	switch g.rand.IntN(4) {
	case 0:
		o["httpHeaderName"] = g.header()
	case 1:
		o["httpCookie"] = g.set(object{"name": "session"}, optional{"ttl", 0.7, g.anyOf("0s", "1h")}, optional{"path", 0.4, value("/shop")})
	case 2:
		o["useSourceIp"] = true
	case 3:
		o["httpQueryParameterName"] = "user"
	}
	switch g.rand.IntN(3) {
	case 0:
		o["ringHash"] = object{"minimumRingSize": one(g, 512, 2048)}
	case 1:
		o["maglev"] = g.set(object{}, optional{"tableSize", 0.7, g.anyOf(65537, 251)})
	}
	return o
}

func (g *generator) localitySetting() any {
	switch g.rand.IntN(4) {
	case 0:
		return object{"distribute": []any{object{"from": "us-east/*", "to": object{"us-east/*": 80, "us-west/*": 20}}}}
	case 1:
		return object{"failover": []any{object{"from": "us-east", "to": "us-west"}}}
	case 2:
		return object{"failoverPriority": []any{"topology.kubernetes.io/region", "version"}}
	}
	return object{"enabled": g.chance(0.5)}
}

func (g *generator) connectionPool() any {
	tcp := g.set(object{},
		optional{"maxConnections", 0.5, func() any { return g.between(1, 1000) }},
		optional{"connectTimeout", 0.5, g.duration},
		optional{"idleTimeout", 0.3, g.longDuration},
		optional{"maxConnectionDuration", 0.2, g.longDuration},
		optional{"tcpKeepalive", 0.3, func() any { return object{"probes": 3, "time": "7200s", "interval": "75s"} }},
	)
	http := g.set(object{},
		optional{"http1MaxPendingRequests", 0.4, func() any { return g.between(1, 1000) }},
		optional{"http2MaxRequests", 0.4, func() any { return g.between(1, 1000) }},
		optional{"maxRequestsPerConnection", 0.4, func() any { return g.between(0, 10) }},
		optional{"maxRetries", 0.3, func() any { return g.between(1, 100) }},
		optional{"idleTimeout", 0.3, g.longDuration},
		optional{"maxConcurrentStreams", 0.2, g.anyOf(1, 100)},
	)
	if g.chance(0.3) {
		http["h2UpgradePolicy"] = one(g, "UPGRADE", "DO_NOT_UPGRADE", "DEFAULT")
	} else if g.chance(0.2) {
		http["useClientProtocol"] = true
	}
	o := object{"tcp": tcp}
	if g.chance(0.6) {
		o["http"] = http
	}
	return o
}

func (g *generator) outlierDetection() any {
	o := g.set(object{},
		optional{"consecutive5xxErrors", 0.5, func() any { return g.between(0, 10) }},
		optional{"consecutiveGatewayErrors", 0.3, func() any { return g.between(0, 10) }},
		optional{"interval", 0.4, g.longDuration},
		optional{"baseEjectionTime", 0.4, g.longDuration},
		optional{"maxEjectionPercent", 0.4, func() any { return g.between(0, 100) }},
		optional{"minHealthPercent", 0.3, func() any { return g.between(0, 100) }},
	)
	if g.chance(0.2) {
		o["splitExternalLocalOriginErrors"] = true
		g.set(o, optional{"consecutiveLocalOriginFailures", 0.7, func() any { return g.between(1, 10) }})
	}
	return o
}

func (g *generator) clientTLS() any {
	switch mode := one(g, "DISABLE", "ISTIO_MUTUAL", "SIMPLE", "SIMPLE", "MUTUAL"); mode {
	case "DISABLE", "ISTIO_MUTUAL":
		return object{"mode": mode}
	case "SIMPLE":
		if g.chance(0.2) {
			return object{"mode": mode, "insecureSkipVerify": true}
		}
		return g.set(object{"mode": mode},
			optional{"sni", 0.4, g.anyOf("api.example.com", "backend.example.net")},
			optional{"subjectAltNames", 0.3, value([]any{"api.example.com", "*.backend.example.net"})},
			g.authorities(),
		)
	default:
		o := object{"mode": mode}
		if g.chance(0.5) {
			o["credentialName"] = "client-cert"
		} else {
			o["clientCertificate"], o["privateKey"], o["caCertificates"] = "/etc/certs/client.pem", "/etc/certs/key.pem", "/etc/certs/ca.pem"
		}
		return g.set(o, optional{"sni", 0.4, value("api.example.com")})
	}
}

// authorities draws how the roots of a server's certificate are named.
func (g *generator) authorities() optional {
	if g.chance(0.5) {
		return optional{"caCertificates", 0.6, g.anyOf("/etc/certs/ca.pem", "system")}
	}
	return optional{"credentialName", 0.6, value("upstream-ca")}
}
