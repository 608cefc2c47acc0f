package realenvoy

import (
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// callers are the addresses from which calls come.
var callers = []string{"10.1.0.9", "10.200.3.4", "192.0.2.1", "192.0.2.77", "203.0.113.5"}

// drawer draws calls to a proxy that its policies have an opinion on: half of them meet a rule in all respects, the others in all but one or
// in none.
type drawer struct {
	t      *testing.T
	rand   *rand.Rand
	cfg    *compile.Configuration
	signer *signer
	ports  []uint32
	rules  []*security.Rule
	// trusted are the trust domains of which callers are.
	trusted []string
}

func newDrawer(t *testing.T, mesh *model.Mesh, cfg *compile.Configuration, s *signer, seed uint64) *drawer {
	t.Helper()
	d := &drawer{
		t: t, rand: rand.New(rand.NewPCG(seed, 7)), cfg: cfg, signer: s,
		trusted: append([]string{mesh.Settings.TrustDomain(), mesh.Settings.TrustDomain()}, mesh.Settings.Mesh.GetTrustDomainAliases()...),
	}
	policies := mesh.AuthorizationPoliciesFor(cfg.Proxy)
	for _, p := range slices.Concat(policies.Deny, policies.Allow, policies.Audit) {
		d.rules = append(d.rules, p.Spec.GetRules()...)
	}
	d.ports = openPorts(cfg)
	return d
}

// openPorts are the ports that the proxy has an opinion on.
func openPorts(cfg *compile.Configuration) []uint32 {
	ports := map[uint32]bool{}
	for _, l := range cfg.Listeners {
		if cfg.Proxy.Type == model.Router {
			ports[l.GetAddress().GetSocketAddress().GetPortValue()] = true
		} else if l.GetName() == "virtualInbound" {
			// No application listens on 7777: the connection goes on to where it was made to.
			ports[7777] = true
			for _, chain := range l.GetFilterChains() {
				if p := chain.GetFilterChainMatch().GetDestinationPort().GetValue(); p != 0 && p != 15006 {
					ports[p] = true
				}
			}
		}
	}
	// These two are for probes and metrics.
	delete(ports, 15021)
	delete(ports, 15090)
	return slices.Sorted(maps.Keys(ports))
}

// drawn is a call on the way to be one: what it is made of.
type drawn struct {
	simulate.Call
	token tokenDraw
}

// tokenDraw is a token and the place that it is put in.
type tokenDraw struct {
	kind, place     string
	issuer, subject string
	claims          map[string]any
}

func pick[T any](d *drawer, of ...T) T { return of[d.rand.IntN(len(of))] }

func (d *drawer) chance(p float64) bool { return d.rand.Float64() < p }

// aspects of a call, each drawn by itself.
var aspects = []func(*drawer, *drawn){
	func(d *drawer, c *drawn) { c.Port = pick(d, d.ports...) },
	func(d *drawer, c *drawn) { c.SourceIP = pick(d, callers...) },
	func(d *drawer, c *drawn) {
		c.TLS = pick(d, simulate.Plaintext, simulate.Plaintext, simulate.MTLS, simulate.MTLS, simulate.MTLS, simulate.TLS)
	},
	func(d *drawer, c *drawn) {
		domain := pick(d, d.trusted...)
		if d.chance(0.08) {
			domain = "foreign.example"
		}
		c.Source = domain + "/ns/" + pick(d, "shop", "bookinfo", "payments") + "/sa/" + pick(d, "cart", "frontend", "reviews", "orders")
	},
	func(d *drawer, c *drawn) {
		c.SNI = pick(d, "", "shop.example.com", "www.example.org", "api.example.com", "outbound_.8080_._.cart.shop.svc.cluster.local")
	},
	func(d *drawer, c *drawn) {
		if c.Protocol = simulate.HTTP; d.chance(0.12) {
			c.Protocol = simulate.TCP
		}
	},
	func(d *drawer, c *drawn) { c.Method = pick(d, "GET", "GET", "HEAD", "POST", "DELETE") },
	func(d *drawer, c *drawn) {
		c.Path = pick(d, "/", "/api/cart", "/api/", "/api", "/healthz", "/healthz?x=1", "/x/admin", "/v1/a/items", "/v1/a/b/items", "/static/", "/static/a/b.css",
			"/api/u/x/y/z", "/api//cart", "/x/../healthz", "/api/%2e%2e/healthz", "/static%2Fa", "/HEALTHZ", "/api/a;b=c", "/v1/%41/items")
	},
	func(d *drawer, c *drawn) {
		c.Host = pick(d, "shop.example.com", "SHOP.example.com", "www.example.org", "api.example.com:8080", "shop.example.com:80", "other.test")
	},
	func(d *drawer, c *drawn) { d.header(c, "x-token", "a", "bc", "c", "") },
	func(d *drawer, c *drawn) { d.header(c, "x-user", "jane", "good-bot", "joe") },
	func(d *drawer, c *drawn) {
		d.header(c, "x-forwarded-for", "198.51.100.7", "10.3.3.3, 198.51.100.7", "198.51.100.7,10.3.3.3,192.0.2.9", "nonsense")
	},
	func(d *drawer, c *drawn) {
		c.token.kind = pick(d, "none", "none", "none", "none", "none", "valid", "valid", "valid", "valid", "valid", "wrong key", "expired", "wrong audience", "malformed", "not yet valid")
	},
	func(d *drawer, c *drawn) {
		c.token.place = pick(d, "authorization", "authorization", "authorization", "x-token", "bare x-token", "token", "access_token", "session", "twice")
	},
	func(d *drawer, c *drawn) {
		c.token.issuer = pick(d, slices.Concat(meshgen.Issuers(), meshgen.Issuers(), []string{"https://nobody.example"})...)
	},
	func(d *drawer, c *drawn) { c.token.subject = pick(d, "jane", "joe", "bot", "jane/admin") },
	func(d *drawer, c *drawn) {
		c.token.claims = map[string]any{
			"aud":    pick[any](d, "shop", "api", []any{"shop", "other"}, "https://shop/"),
			"azp":    pick[any](d, "web-client", "other"),
			"groups": pick[any](d, "admin", []any{"dev-1", "ops"}, "admin ops", 7, true),
			"org":    pick[any](d, map[string]any{"team": "red"}, map[string]any{"team": []any{"blue", "green"}}, "red"),
			"scope":  pick[any](d, "read write", "read", []any{"write"}, "readwrite"),
		}
	},
}

// header sets a header, or, one time in two, takes it away.
func (d *drawer) header(c *drawn, name string, values ...string) {
	delete(c.Headers, name)
	if d.chance(0.5) {
		c.Headers[name] = pick(d, values...)
	}
}

// draw draws one call.
func (d *drawer) draw() simulate.Call {
	c := &drawn{Call: simulate.Call{Headers: map[string]string{}}}
	for _, aspect := range aspects {
		aspect(d, c)
	}
	if len(d.rules) > 0 && d.chance(0.75) {
		d.fit(c, pick(d, d.rules...))
		if d.chance(0.4) {
			pick(d, aspects...)(d, c)
		}
	}
	if c.Mode, c.Address = simulate.Inbound, d.cfg.Proxy.IP; d.cfg.Proxy.Type == model.Router {
		c.Mode = simulate.Gateway
	}
	if c.TLS == simulate.Plaintext {
		c.SNI = ""
	}
	if c.TLS != simulate.MTLS {
		c.Source = ""
	}
	if c.Protocol == simulate.TCP {
		return simulate.Call{Mode: c.Mode, Address: c.Address, Port: c.Port, Protocol: c.Protocol, TLS: c.TLS, SNI: c.SNI, Source: c.Source, SourceIP: c.SourceIP}
	}
	d.putToken(c)
	return c.Call
}

// putToken makes the token and puts it in its place.
func (d *drawer) putToken(c *drawn) {
	if c.token.kind == "none" {
		return
	}
	claims := maps.Clone(c.token.claims)
	claims["iss"], claims["sub"], claims["exp"] = c.token.issuer, c.token.subject, time.Now().Add(time.Hour).Unix()
	key := d.signer.known
	switch c.token.kind {
	case "wrong key":
		key = d.signer.stranger
	case "expired":
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
	case "not yet valid":
		claims["nbf"] = time.Now().Add(time.Hour).Unix()
	case "wrong audience":
		claims["aud"] = "nobody"
	}
	token := d.signer.token(d.t, claims, key)
	if c.token.kind == "malformed" {
		token = pick(d, "x", "x.y.z", token[:len(token)/2], strings.Replace(token, ".", "..", 1))
	}
	param := func(name string) {
		path, query, has := strings.Cut(c.Path, "?")
		if has {
			query += "&"
		}
		c.Path = path + "?" + query + name + "=" + url.QueryEscape(token)
	}
	switch c.token.place {
	case "authorization":
		c.Headers["authorization"] = "Bearer " + token
	case "x-token":
		c.Headers["x-token"] = "Bearer " + token
	case "bare x-token":
		c.Headers["x-token"] = token
	case "session":
		c.Headers["cookie"] = "a=b; session=" + token
	case "twice":
		c.Headers["authorization"] = "Bearer " + token
		param("token")
	default:
		param(c.token.place)
	}
}

// fit makes the call meet a rule, as far as its fields that say what must be go.
func (d *drawer) fit(c *drawn, r *security.Rule) {
	if from := r.GetFrom(); len(from) > 0 {
		s := pick(d, from...).GetSource()
		d.fitName(c, s.GetPrincipals())
		d.fitNamespace(c, s.GetNamespaces())
		d.fitAccount(c, s.GetServiceAccounts())
		d.fitAddress(c, s.GetIpBlocks())
		d.fitAddress(c, s.GetRemoteIpBlocks())
		d.fitSubject(c, s.GetRequestPrincipals())
	}
	if to := r.GetTo(); len(to) > 0 {
		o := pick(d, to...).GetOperation()
		fitText(d, &c.Method, o.GetMethods())
		if fitText(d, &c.Path, o.GetPaths()); c.Path[0] != '/' {
			c.Path = "/" + c.Path
		}
		fitText(d, &c.Host, o.GetHosts())
		d.fitPort(c, o.GetPorts())
	}
	for _, w := range r.GetWhen() {
		d.fitCondition(c, w)
	}
}

func (d *drawer) fitCondition(c *drawn, w *security.Condition) {
	values := w.GetValues()
	if len(values) == 0 {
		return
	}
	text := sampleOf(pick(d, values...))
	switch key := w.GetKey(); key {
	case "source.ip", "remote.ip":
		d.fitAddress(c, values)
	case "source.namespace":
		d.fitNamespace(c, values)
	case "source.principal":
		d.fitName(c, values)
	case "request.auth.principal":
		d.fitSubject(c, values)
	case "destination.port":
		d.fitPort(c, values)
	case "connection.sni":
		c.SNI = text
	case "request.auth.audiences":
		c.token.kind, c.token.claims["aud"] = "valid", text
	case "request.auth.presenter":
		c.token.kind, c.token.claims["azp"] = "valid", text
	case "request.auth.claims[groups]", "request.auth.claims[scope]":
		name := strings.TrimSuffix(strings.TrimPrefix(key, "request.auth.claims["), "]")
		c.token.kind, c.token.claims[name] = "valid", pick[any](d, text, []any{"x", text})
	case "request.auth.claims[org][team]":
		c.token.kind, c.token.claims["org"] = "valid", map[string]any{"team": pick[any](d, text, []any{text})}
	case "request.headers[x-token]", "request.headers[x-user]":
		c.Headers[strings.TrimSuffix(strings.TrimPrefix(key, "request.headers["), "]")] = text
	}
}

// sampleOf is a text that a value of a policy is about: a star, or a segment of a path's template, stands for something.
func sampleOf(value string) string {
	value = strings.ReplaceAll(strings.ReplaceAll(value, "{**}", "a/b"), "{*}", "seg")
	if value == "*" {
		return "any"
	}
	if strings.HasPrefix(value, "*.") {
		return "www" + value[1:]
	}
	return strings.ReplaceAll(value, "*", "x")
}

func fitText(d *drawer, field *string, values []string) {
	if len(values) > 0 {
		*field = sampleOf(pick(d, values...))
		if host, ok := strings.CutSuffix(*field, ":x"); ok {
			*field = host + ":8080"
		}
	}
}

func (d *drawer) fitPort(c *drawn, values []string) {
	for _, v := range values {
		if n, err := strconv.ParseUint(v, 10, 16); err == nil && slices.Contains(d.ports, uint32(n)) {
			c.Port = uint32(n)
		}
	}
}

func (d *drawer) fitName(c *drawn, values []string) {
	if len(values) == 0 {
		return
	}
	c.TLS = simulate.MTLS
	switch v := pick(d, values...); {
	case strings.HasPrefix(v, "*/sa/"):
		c.Source = pick(d, d.trusted...) + "/ns/shop" + v[1:]
	case strings.HasSuffix(v, "/*"):
		c.Source = strings.TrimSuffix(v, "*") + "sa/reviews"
	case v != "*":
		c.Source = strings.Replace(v, "cluster.local", pick(d, append(d.trusted, "cluster.local")...), 1)
	}
}

func (d *drawer) fitNamespace(c *drawn, values []string) {
	if len(values) > 0 {
		c.TLS, c.Source = simulate.MTLS, pick(d, d.trusted...)+"/ns/"+strings.Replace(pick(d, values...), "book*", "bookinfo", 1)+"/sa/orders"
	}
}

func (d *drawer) fitAccount(c *drawn, values []string) {
	if len(values) == 0 {
		return
	}
	namespace, account, has := strings.Cut(pick(d, values...), "/")
	if !has {
		namespace, account = d.cfg.Proxy.Namespace, namespace
	}
	c.TLS, c.Source = simulate.MTLS, pick(d, d.trusted...)+"/ns/"+namespace+"/sa/"+account
}

func (d *drawer) fitAddress(c *drawn, values []string) {
	if len(values) > 0 {
		block := pick(d, values...)
		inside := func(ip string) bool { return strings.HasPrefix(ip, strings.SplitN(block, ".", 2)[0]+".") }
		if fit := slices.DeleteFunc(slices.Clone(callers), func(ip string) bool { return !inside(ip) }); len(fit) > 0 {
			c.SourceIP = pick(d, fit...)
		}
	}
}

func (d *drawer) fitSubject(c *drawn, values []string) {
	if len(values) == 0 {
		return
	}
	c.token.kind = "valid"
	v := pick(d, values...)
	at := strings.LastIndexByte(v, '/')
	if at > 0 && v[:at] != "*" {
		c.token.issuer = v[:at]
	}
	if subject := v[at+1:]; subject != "*" {
		c.token.subject = subject
	}
}
