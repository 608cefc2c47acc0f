package realenvoy

import (
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// callsFrom makes calls out of a configuration, for every filter chain of every listener: for each virtual host of its route table one for each
// form of each of its domains, for each route requests that just meet it and that just miss it, and connections of every other kind.
func callsFrom(t *testing.T, cfg *compile.Configuration) []simulate.Call {
	t.Helper()
	tables := map[string]*routev3.RouteConfiguration{}
	for _, r := range cfg.Routes {
		tables[r.GetName()] = r
	}
	var calls []simulate.Call
	for _, l := range cfg.Listeners {
		chains := l.GetFilterChains()
		if l.GetDefaultFilterChain() != nil {
			chains = append(slices.Clone(chains), l.GetDefaultFilterChain())
		}
		for _, chain := range chains {
			g := generator{call: callTo(t, cfg, l, chain)}
			g.host("nobody.test")
			if table := routesOf(t, cfg, chain, tables); table != nil {
				for _, vh := range table.GetVirtualHosts() {
					g.virtualHost(vh)
				}
			}
			calls = append(calls, g.calls...)
		}
	}
	return calls
}

// callTo is a call to a filter chain of a listener: made to where the chain is for, with what the chain asks a client for.
func callTo(t *testing.T, cfg *compile.Configuration, l *listenerv3.Listener, chain *listenerv3.FilterChain) simulate.Call {
	t.Helper()
	socket, match := l.GetAddress().GetSocketAddress(), chain.GetFilterChainMatch()
	c := simulate.Call{
		Mode: simulate.Outbound, Address: socket.GetAddress(), Port: socket.GetPortValue(), Protocol: simulate.HTTP, TLS: simulate.Plaintext,
		Method: "GET", Path: "/",
	}
	switch {
	case cfg.Proxy.Type == model.Router:
		c.Mode = simulate.Gateway
	case l.GetName() == "virtualInbound":
		c.Mode, c.Address, c.Port = simulate.Inbound, cfg.Proxy.IP, 7777
	case l.GetName() == "virtualOutbound":
		c.Port = 6666
	}
	if len(match.GetPrefixRanges()) > 0 && c.Mode != simulate.Inbound {
		c.Address = match.GetPrefixRanges()[0].GetAddressPrefix()
	}
	if p := match.GetDestinationPort().GetValue(); p != 0 {
		c.Port = p
	}
	if socket := chain.GetTransportSocket(); socket != nil {
		config, err := cfg.Sources.Unpack(socket.GetTypedConfig())
		if err != nil {
			t.Fatal(err)
		}
		c.TLS = simulate.TLS
		if context, ok := config.(*tlsv3.DownstreamTlsContext); ok && context.GetRequireClientCertificate().GetValue() {
			c.TLS = simulate.MTLS
		}
	} else if match.GetTransportProtocol() == "tls" || len(match.GetServerNames()) > 0 {
		c.TLS = simulate.TLS
	}
	if names := match.GetServerNames(); len(names) > 0 {
		c.SNI = strings.Replace(names[0], "*", "any", 1)
	}
	if c.TLS != simulate.Plaintext {
		c.ALPN = strings.Join(match.GetApplicationProtocols(), ",")
	}
	return c
}

// routesOf returns the route table of a filter chain, nil where it has none.
func routesOf(t *testing.T, cfg *compile.Configuration, chain *listenerv3.FilterChain, tables map[string]*routev3.RouteConfiguration) *routev3.RouteConfiguration {
	t.Helper()
	for _, f := range chain.GetFilters() {
		config, err := cfg.Sources.Unpack(f.GetTypedConfig())
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := config.(*hcmv3.HttpConnectionManager); ok {
			if m.GetRouteConfig() != nil {
				return m.GetRouteConfig()
			}
			return tables[m.GetRds().GetRouteConfigName()]
		}
	}
	return nil
}

type generator struct {
	call  simulate.Call
	calls []simulate.Call
}

// add makes a call out of the present one, changed.
func (g *generator) add(change func(*simulate.Call)) {
	c := g.call
	c.Headers = maps.Clone(c.Headers)
	change(&c)
	g.calls = append(g.calls, c)
}

func (g *generator) host(h string) {
	g.add(func(c *simulate.Call) { c.Host = h })
}

func (g *generator) virtualHost(vh *routev3.VirtualHost) {
	hosts := []string{}
	for _, d := range vh.GetDomains() {
		rest, wild := strings.CutPrefix(d, "*")
		switch {
		case d == "*":
			hosts = append(hosts, "any.test", "")
		case wild:
			hosts = append(hosts, "x"+rest, "x.y"+rest, strings.TrimPrefix(rest, "."))
		default:
			hosts = append(hosts, d, "x."+d)
		}
	}
	for _, r := range vh.GetRoutes() {
		g.call.Host = hosts[0]
		g.route(r.GetMatch())
	}
	g.call.Path, g.call.Headers, g.call.Method = "/", nil, "GET"
	if len(vh.GetRoutes()) > 0 {
		g.call.Path = samplePath(vh.GetRoutes()[0].GetMatch())
	}
	for _, h := range hosts {
		for _, form := range []string{h, strings.ToUpper(h), h + ":8443", h + ":80", h + "."} {
			g.host(form)
		}
	}
}

// route makes calls that meet all conditions of the route, and each of them just or just not.
func (g *generator) route(m *routev3.RouteMatch) {
	g.call.Method, g.call.Headers = "GET", map[string]string{}
	g.call.Path = samplePath(m)
	for _, h := range m.GetHeaders() {
		if !h.GetInvertMatch() {
			g.setHeader(&g.call, h.GetName(), sampleText(h.GetStringMatch()))
		}
	}
	query := ""
	for _, q := range m.GetQueryParameters() {
		query += "&" + q.GetName() + "=" + sampleText(q.GetStringMatch())
	}
	if query != "" {
		query = "?" + query[1:]
	}
	plain := g.call.Path
	g.call.Path += query
	g.add(func(*simulate.Call) {})
	for _, p := range nearPaths(plain) {
		g.add(func(c *simulate.Call) { c.Path = p + query })
	}
	for _, q := range nearQueries(m.GetQueryParameters()) {
		g.add(func(c *simulate.Call) { c.Path = plain + q })
	}
	for _, h := range m.GetHeaders() {
		g.add(func(c *simulate.Call) { delete(c.Headers, h.GetName()) })
		for _, value := range nearTexts(sampleText(h.GetStringMatch())) {
			g.add(func(c *simulate.Call) { g.setHeader(c, h.GetName(), value) })
		}
	}
	for _, method := range []string{"POST", "DELETE", "PUT", "get"} {
		g.add(func(c *simulate.Call) { c.Method = method })
	}
	g.add(func(c *simulate.Call) { c.Headers["x-forwarded-proto"] = "https" })
}

// setHeader sets a header, or what a pseudo-header stands for.
func (g *generator) setHeader(c *simulate.Call, name, value string) {
	switch name {
	case ":method":
		if value = strings.Trim(value, " "); value != "" {
			c.Method = value
		}
	case ":authority":
		c.Host = value
	case ":scheme":
		c.Headers["x-forwarded-proto"] = value
	default:
		c.Headers[name] = value
	}
}

func samplePath(m *routev3.RouteMatch) string {
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return p.Prefix
	case *routev3.RouteMatch_Path:
		return p.Path
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return p.PathSeparatedPrefix
	case *routev3.RouteMatch_SafeRegex:
		return sampleRegex(p.SafeRegex.GetRegex())
	}
	return "/"
}

// nearPaths are paths around one, and the same path written otherwise.
func nearPaths(p string) []string {
	all := []string{
		p + "zz", p + "/", p + "/sub/x", p + "//y", p + "?", p + "?q=1", strings.ToUpper(p), "/" + p, "/x/.." + p, p + "/../y", p + "/.",
		p + "%2Fz", p + "%2e%2E/z", strings.Replace(p, "/", "%2f", 2), strings.Replace(p, "/", `\`, 2), p + `"<>^|`,
		p + "#f", "http://other.example" + p, p + ";a=b", p + "%5cz",
	}
	if len(p) > 1 {
		all = append(all, p[:len(p)-1], "/%"+hex(p[1])+p[2:])
	}
	// Only targets that begin as one can be sent.
	return slices.DeleteFunc(all, func(s string) bool { return strings.ContainsAny(s, " ") })
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

func nearTexts(s string) []string {
	all := []string{s, s + "x", "x" + s, strings.ToUpper(s), ""}
	if len(s) > 1 {
		all = append(all, s[:len(s)-1])
	}
	return all
}

// nearQueries are queries that meet all but one of the conditions, and that meet one of them otherwise.
func nearQueries(params []*routev3.QueryParameterMatcher) []string {
	var all []string
	for i := range params {
		for _, value := range append(nearTexts(sampleText(params[i].GetStringMatch())), "-") {
			query := ""
			for k, q := range params {
				switch {
				case k != i:
					query += "&" + q.GetName() + "=" + sampleText(q.GetStringMatch())
				case value != "-":
					query += "&" + q.GetName() + "=" + value + "&" + q.GetName() + "=again"
				}
			}
			all = append(all, "?"+strings.TrimPrefix(query, "&"), "?x&"+query+"&=", "?"+strings.ReplaceAll(strings.TrimPrefix(query, "&"), "=", "%3D"))
		}
	}
	return all
}

func sampleText(m *matcherv3.StringMatcher) string {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return p.Exact
	case *matcherv3.StringMatcher_Prefix:
		return p.Prefix + "x"
	case *matcherv3.StringMatcher_SafeRegex:
		return sampleRegex(p.SafeRegex.GetRegex())
	}
	return "1"
}

// sampleRegex returns a text that the whole pattern matches.
func sampleRegex(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var out strings.Builder
	var walk func(*syntax.Regexp)
	walk = func(r *syntax.Regexp) {
		switch r.Op {
		case syntax.OpLiteral:
			out.WriteString(string(r.Rune))
		case syntax.OpCharClass:
			out.WriteRune(classRune(r.Rune))
		case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			out.WriteByte('x')
		case syntax.OpAlternate, syntax.OpCapture, syntax.OpPlus:
			walk(r.Sub[0])
		case syntax.OpRepeat:
			for range r.Min {
				walk(r.Sub[0])
			}
		case syntax.OpConcat:
			for _, sub := range r.Sub {
				walk(sub)
			}
		}
	}
	walk(tree)
	return out.String()
}

// classRune picks a letter or a digit of a class where it has one.
func classRune(pairs []rune) rune {
	letters := regexp.MustCompile(`[a-z0-9]`)
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := pairs[i]; r <= min(pairs[i+1], 'z'); r++ {
			if letters.MatchString(string(r)) {
				return r
			}
		}
	}
	return pairs[0]
}
