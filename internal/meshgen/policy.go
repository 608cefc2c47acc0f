package meshgen

import "fmt"

// everywhere are the namespaces in which policies stand: the root namespace's count for the whole mesh.
func (g *generator) everywhere() []string {
	return append([]string{"istio-system", ingressNamespace}, g.names...)
}

func (g *generator) peerAuthentications() {
	mode := func() any { return object{"mode": one(g, "STRICT", "PERMISSIVE", "DISABLE", "UNSET")} }
	for i := range g.rand.IntN(g.size.Policies + 1) {
		spec := object{"mtls": mode()}
		namespace, name := one(g, g.everywhere()...), "default"
		if g.chance(0.5) {
			s := one(g, g.in...)
			namespace, name = s.namespace, fmt.Sprintf("mtls-%d", i)
			spec["selector"] = object{"matchLabels": object{"app": s.name}}
			if g.chance(0.5) {
				spec["portLevelMtls"] = object{one(g, "8080", "9080", "8443"): mode()}
			}
		}
		g.add(security, "PeerAuthentication", namespace, name, object{"spec": spec})
	}
}

// keys is the public key of RFC 7517's first example, which is nobody's.
const keys = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

func (g *generator) requestAuthentications() {
	for i := range g.rand.IntN(g.size.Access + 1) {
		rule := g.set(object{"issuer": one(g, "https://issuer.example.com", "ops@example.com"), "jwks": keys},
			optional{"audiences", 0.4, value([]any{"shop", "api"})},
			optional{"fromHeaders", 0.3, value([]any{object{"name": "x-token", "prefix": "Bearer "}})},
			optional{"fromParams", 0.2, value([]any{"token"})},
			optional{"fromCookies", 0.2, value([]any{"session"})},
			optional{"outputPayloadToHeader", 0.2, value("x-jwt-payload")},
			optional{"outputClaimToHeaders", 0.2, value([]any{object{"header": "x-sub", "claim": "sub"}})},
			optional{"forwardOriginalToken", 0.4, g.anyOf(true, false)},
		)
		namespace, spec := g.selected(object{"jwtRules": []any{rule}})
		g.add(security, "RequestAuthentication", namespace, fmt.Sprintf("tokens-%d", i), object{"spec": spec})
	}
}

// selected gives a policy a namespace, and often a selector.
func (g *generator) selected(spec object) (string, object) {
	if g.chance(0.5) {
		s := one(g, g.in...)
		spec["selector"] = object{"matchLabels": object{"app": s.name}}
		return s.namespace, spec
	}
	return one(g, g.everywhere()...), spec
}

func (g *generator) authorizationPolicies() {
	for i := range g.rand.IntN(g.size.Access + 1) {
		var rules []any
		for range g.between(1, 2) {
			rules = append(rules, g.set(object{},
				optional{"from", 0.6, g.sources},
				optional{"to", 0.6, g.operations},
				optional{"when", 0.3, g.conditions},
			))
		}
		namespace, spec := g.selected(object{"action": one(g, "ALLOW", "DENY", "AUDIT"), "rules": rules})
		g.add(security, "AuthorizationPolicy", namespace, fmt.Sprintf("access-%d", i), object{"spec": spec})
	}
}

func (g *generator) sources() any {
	return []any{object{"source": one(g,
		object{"principals": []any{"cluster.local/ns/shop/sa/cart", "*/sa/frontend"}},
		object{"namespaces": []any{"shop", "pay*"}, "notPrincipals": []any{"cluster.local/ns/shop/sa/orders"}},
		object{"ipBlocks": []any{"10.0.0.0/8", "192.0.2.1"}},
		object{"requestPrincipals": []any{"https://issuer.example.com/*"}},
		object{"notNamespaces": []any{"data"}},
	)}}
}

func (g *generator) operations() any {
	return []any{object{"operation": one(g,
		object{"methods": []any{"GET", "HEAD"}, "paths": []any{"/api/*", "/healthz"}},
		object{"ports": []any{"8080", "9080"}},
		object{"hosts": []any{"shop.example.com", "*.example.org"}, "notPaths": []any{"*/admin"}},
		object{"paths": []any{"/v1/{*}/items", "/static/{**}"}},
	)}}
}

func (g *generator) conditions() any {
	return []any{one(g,
		object{"key": "request.headers[x-token]", "values": []any{"a", "b*"}},
		object{"key": "source.ip", "notValues": []any{"10.1.0.0/16"}},
		object{"key": "destination.port", "values": []any{"8080"}},
		object{"key": "request.auth.claims[groups]", "values": []any{"admin"}},
		object{"key": "connection.sni", "values": []any{"shop.example.com"}},
	)}
}
