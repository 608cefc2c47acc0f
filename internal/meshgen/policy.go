package meshgen

import (
	"cmp"
	"fmt"
	"strings"
)

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
				spec["portLevelMtls"] = object{one(g, "8080", "9080", "8443", "9000", "80"): mode()}
			}
		}
		g.add(security, "PeerAuthentication", namespace, name, object{"spec": spec})
	}
}

// nobodysKeys is the public key of RFC 7517's first example, which is nobody's.
const nobodysKeys = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

// Issuers are whose tokens policies are about.
func Issuers() []string { return []string{"https://issuer.example.com", "ops@example.com"} }

func (g *generator) requestAuthentications() {
	for i := range g.rand.IntN(g.size.Access + 1) {
		var rules []any
		for range one(g, 1, 1, 2) {
			rules = append(rules, g.tokenRule())
		}
		namespace, spec := g.selected(object{"jwtRules": rules})
		g.add(security, "RequestAuthentication", namespace, fmt.Sprintf("tokens-%d", i), object{"spec": spec})
	}
}

func (g *generator) tokenRule() object {
	return g.set(object{"issuer": one(g, Issuers()...), "jwks": cmp.Or(g.keys, nobodysKeys)},
		optional{"audiences", 0.4, value([]any{"shop", "api"})},
		optional{"fromHeaders", 0.3, g.anyOf([]any{object{"name": "x-token", "prefix": "Bearer "}}, []any{object{"name": "x-token"}, object{"name": "authorization", "prefix": "Bearer "}})},
		optional{"fromParams", 0.2, value([]any{"token"})},
		optional{"fromCookies", 0.2, value([]any{"session"})},
		optional{"outputPayloadToHeader", 0.2, value("x-jwt-payload")},
		optional{"outputClaimToHeaders", 0.3, value([]any{object{"header": "x-sub", "claim": "sub"}, object{"header": "x-team", "claim": "org.team"}})},
		optional{"forwardOriginalToken", 0.4, g.anyOf(true, false)},
	)
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
		namespace, spec := g.selected(object{"action": one(g, "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT"), "rules": rules})
		more := object{"spec": spec}
		if g.chance(0.08) {
			more["metadata"] = object{"annotations": object{"istio.io/dry-run": "true"}}
		}
		g.add(security, "AuthorizationPolicy", namespace, fmt.Sprintf("access-%d", i), more)
	}
}

// listed is a field of a policy and the entries that it may list; the field not… of the same entries says the opposite.
type listed struct {
	field   string
	entries []any
}

// lists draws from one to three of the fields, each with some of its entries, plain or, one time in four, negated.
func (g *generator) lists(fields ...listed) object {
	o := object{}
	for _, f := range some(g, 3, fields...) {
		name := f.field
		if g.chance(0.25) {
			name = "not" + strings.ToUpper(name[:1]) + name[1:]
		}
		o[name] = some(g, 3, f.entries...)
	}
	return o
}

func (g *generator) sources() any {
	var from []any
	for range one(g, 1, 1, 2) {
		of := []listed{
			{"ipBlocks", []any{"10.0.0.0/8", "192.0.2.1", "10.1.0.0/16"}},
			{"remoteIpBlocks", []any{"10.0.0.0/8", "198.51.100.0/24", "192.0.2.0/24"}},
			{"requestPrincipals", []any{"https://issuer.example.com/*", "https://issuer.example.com/jane", "*/bot", "*"}},
		}
		if g.chance(0.3) {
			// Service accounts stand in place of principals and namespaces.
			of = append(of, listed{"serviceAccounts", []any{"shop/cart", "frontend", "bookinfo/reviews"}})
		} else {
			of = append(of,
				listed{"principals", []any{"cluster.local/ns/shop/sa/cart", "*/sa/frontend", "cluster.local/ns/bookinfo/*", "td2.example/ns/shop/sa/cart", "*"}},
				listed{"namespaces", []any{"shop", "book*", "payments"}},
			)
		}
		from = append(from, object{"source": g.lists(of...)})
	}
	return from
}

func (g *generator) operations() any {
	var to []any
	for range one(g, 1, 1, 2) {
		to = append(to, object{"operation": g.lists(
			listed{"methods", []any{"GET", "HEAD", "POST"}},
			listed{"paths", []any{"/api/*", "/healthz", "*/admin", "/v1/{*}/items", "/static/{**}", "/api/{*}/x/{**}"}},
			listed{"ports", []any{"8080", "9080", "80", "9000", "8081"}},
			listed{"hosts", []any{"shop.example.com", "*.example.org", "api.example.com:*", "*"}},
		)})
	}
	return to
}

func (g *generator) conditions() any {
	var when []any
	for range one(g, 1, 1, 2) {
		c := one(g,
			listed{"request.headers[x-token]", []any{"a", "b*", "*"}},
			listed{"request.headers[x-user]", []any{"jane", "*-bot"}},
			listed{"source.ip", []any{"10.1.0.0/16", "192.0.2.1"}},
			listed{"remote.ip", []any{"10.0.0.0/8", "198.51.100.7"}},
			listed{"source.namespace", []any{"shop", "bookinfo"}},
			listed{"source.principal", []any{"cluster.local/ns/shop/sa/cart", "*/sa/frontend"}},
			listed{"request.auth.principal", []any{"https://issuer.example.com/jane", "ops@example.com/*"}},
			listed{"request.auth.audiences", []any{"shop", "other"}},
			listed{"request.auth.presenter", []any{"web-client"}},
			listed{"request.auth.claims[groups]", []any{"admin", "dev*"}},
			listed{"request.auth.claims[org][team]", []any{"red", "*lue"}},
			listed{"request.auth.claims[scope]", []any{"read", "write"}},
			listed{"destination.ip", []any{"198.19.0.0/16", "203.0.113.0/24"}},
			listed{"destination.port", []any{"8080", "9080"}},
			listed{"connection.sni", []any{"shop.example.com", "*.example.org", "outbound_.8080_*"}},
		)
		condition := object{"key": c.field}
		switch g.rand.IntN(5) {
		case 0:
			condition["notValues"] = some(g, 2, c.entries...)
		case 1:
			condition["values"], condition["notValues"] = some(g, 2, c.entries...), []any{c.entries[0]}
		default:
			condition["values"] = some(g, 2, c.entries...)
		}
		when = append(when, condition)
	}
	return when
}
