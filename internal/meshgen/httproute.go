package meshgen

import "fmt"

// httpRoutes draws the routes of a VirtualService, most of which match something, and a last one that often takes the rest.
func (g *generator) httpRoutes(namespace string, r routing) []any {
	var out []any
	n := g.between(1, 4)
	for i := range n {
		last := i == n-1
		o := object{}
		if !last || g.chance(0.3) {
			o["match"] = g.httpMatches(r)
		}
		if g.chance(0.5) {
			o["name"] = fmt.Sprintf("rule-%d", i)
		}
		g.httpAction(o, namespace, r)
		out = append(out, o)
	}
	return out
}

func (g *generator) httpMatches(r routing) []any {
	var out []any
	for range one(g, 1, 1, 2) {
		match := g.set(object{},
			optional{"name", 0.1, value("named")},
			optional{"uri", 0.7, g.uri},
			optional{"ignoreUriCase", 0.1, always},
			optional{"method", 0.2, func() any { return object{"exact": one(g, "GET", "POST", "PUT")} }},
			optional{"scheme", 0.1, func() any { return object{"exact": one(g, "http", "https")} }},
			optional{"authority", 0.15, func() any { return object{"prefix": one(g, "shop", "api", "www")} }},
			optional{"headers", 0.3, g.headerMatches},
			optional{"withoutHeaders", 0.15, g.headerMatches},
			optional{"queryParams", 0.2, func() any { return object{one(g, "debug", "v"): g.stringMatch()} }},
			optional{"port", 0.15, g.anyOf(80, 8080, 443, 9080)},
			optional{"sourceLabels", 0.15, func() any { return object{"app": one(g, serviceNames[:5]...)} }},
			optional{"sourceNamespace", 0.1, func() any { return one(g, g.names...) }},
			optional{"gateways", 0.1, func() any { return toAny(r.boundTo()) }},
			optional{"statPrefix", 0.05, value("matched")},
		)
		if len(match) == 0 {
			match["uri"] = object{"prefix": "/"}
		}
		out = append(out, match)
	}
	return out
}

func (g *generator) uri() any {
	switch g.rand.IntN(4) {
	case 0:
		return object{"exact": g.path()}
	case 1:
		return object{"regex": one(g, "/api/v[0-9]+/.*", "/(cart|login)", "/.*\\.css", "/[a-z]+/?")}
	}
	return object{"prefix": g.path()}
}

func (g *generator) headerMatches() any {
	o := object{}
	for range g.between(1, 2) {
		if g.chance(0.2) {
			o[g.header()] = object{}
		} else {
			o[g.header()] = g.stringMatch()
		}
	}
	return o
}

// httpAction draws what a route does: it delegates, redirects, answers, or routes with all that may accompany this.
func (g *generator) httpAction(o object, namespace string, r routing) {
	switch kind := g.rand.IntN(12); {
	case kind == 0 && r.root && len(g.delegated) > 0:
		d := one(g, g.delegated...)
		o["delegate"] = object{"name": d.name, "namespace": d.namespace}
		return
	case kind == 1:
		o["redirect"] = g.redirect(o)
	case kind == 2:
		o["directResponse"] = g.set(object{"status": g.status()},
			optional{"body", 0.6, g.anyOf(object{"string": "closed"}, object{"string": `{"error": "no"}`}, object{"bytes": "aGVsbG8="})})
	default:
		g.forward(o, namespace)
	}
	g.set(o,
		optional{"corsPolicy", 0.15, g.cors},
		optional{"timeout", 0.2, g.duration},
		optional{"retries", 0.25, g.retries},
	)
}

func (g *generator) redirect(route object) object {
	o := g.set(object{},
		optional{"authority", 0.5, g.anyOf("www.example.com", "new.example.com")},
		optional{"scheme", 0.3, g.anyOf("http", "https")},
		optional{"redirectCode", 0.4, g.anyOf(301, 302, 303, 307, 308)},
	)
	if g.chance(0.3) {
		o["port"] = one(g, 8443, 80, 443)
	} else if g.chance(0.3) {
		o["derivePort"] = one(g, "FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT")
	}
	switch {
	case g.chance(0.4) || len(o) == 0:
		o["uri"] = one(g, "/new", "/v2/", "%PREFIX()%/moved")
		if o["uri"] == "%PREFIX()%/moved" {
			o["uri"] = "/moved"
		}
	case onlyPrefixes(route):
		if g.chance(0.5) {
			o["prefixRewrite"] = "/moved"
		}
	}
	return o
}

// onlyPrefixes tells whether all matches of a route are by a prefix of the path.
func onlyPrefixes(route object) bool {
	matches, _ := route["match"].([]any)
	for _, m := range matches {
		uri, _ := m.(object)["uri"].(object)
		if _, ok := uri["prefix"]; !ok {
			return false
		}
	}
	return len(matches) > 0
}

func (g *generator) forward(o object, namespace string) {
	o["route"] = g.destinations(namespace, func(d object) { g.set(d, optional{"headers", 0.15, g.headers}) })
	g.set(o,
		optional{"rewrite", 0.25, g.rewrite},
		optional{"fault", g.unsteady(0.2), g.fault},
		optional{"headers", 0.25, g.headers},
	)
	switch g.rand.IntN(10) {
	case 0:
		o["mirror"] = g.destination(namespace)
		g.set(o, optional{"mirrorPercentage", 0.6, func() any { return g.percent() }})
	case 1:
		var mirrors []any
		for range g.between(1, 2) {
			mirrors = append(mirrors, g.set(object{"destination": g.destination(namespace)}, optional{"percentage", 0.6, func() any { return g.percent() }}))
		}
		o["mirrors"] = mirrors
	}
}

func (g *generator) rewrite() any {
	switch g.rand.IntN(4) {
	case 0:
		return object{"authority": one(g, "internal.example.com", "reviews")}
	case 1:
		return object{"uriRegexRewrite": object{"match": "^/api/v[0-9]+/(.*)$", "rewrite": `/\1`}}
	case 2:
		return object{"uri": one(g, "/v2", "/internal/"), "authority": "rewritten.example.com"}
	}
	return object{"uri": one(g, "/", "/v2", "/internal/")}
}

func (g *generator) fault() any {
	o := object{}
	if g.chance(0.6) {
		o["delay"] = object{"fixedDelay": g.duration(), "percentage": g.percent()}
	}
	if g.chance(0.6) || len(o) == 0 {
		abort := g.set(object{}, optional{"percentage", 0.8, func() any { return g.percent() }})
		if g.chance(0.25) {
			abort["grpcStatus"] = one(g, "UNAVAILABLE", "NOT_FOUND")
		} else {
			abort["httpStatus"] = g.status()
		}
		o["abort"] = abort
	}
	return o
}

// headers draws changes of request and response headers. None of them names the host: rewrite.authority may set that already.
func (g *generator) headers() any {
	o := object{}
	for _, side := range some(g, 2, "request", "response") {
		operations := g.set(object{},
			optional{"set", 0.5, func() any { return object{"x-routed-by": one(g, "mesh", "%PROTOCOL%", "100%%")} }},
			optional{"add", 0.5, func() any { return object{"x-extra": g.word2()} }},
			optional{"remove", 0.4, func() any { return toAny(some(g, 2, "x-internal", "x-debug", "server")) }},
		)
		if len(operations) == 0 {
			operations["remove"] = []any{"x-internal"}
		}
		o[side] = operations
	}
	return o
}

// word2 draws the value of a header that is written: no single % may stand in it.
func (g *generator) word2() string {
	return one(g, "one", "two words", "a=b; c=d", "%DOWNSTREAM_REMOTE_ADDRESS%")
}

func (g *generator) cors() any {
	o := object{"allowOrigins": []any{one(g, object{"exact": "https://shop.example.com"}, object{"prefix": "https://"}, object{"regex": "https://.*\\.example\\.com"})}}
	return g.set(o,
		optional{"allowMethods", 0.7, func() any { return toAny(some(g, 3, "GET", "POST", "PUT", "DELETE", "OPTIONS")) }},
		optional{"allowHeaders", 0.4, value([]any{"x-foo", "authorization"})},
		optional{"exposeHeaders", 0.3, value([]any{"x-bar"})},
		optional{"maxAge", 0.4, g.anyOf("1s", "24h")},
		optional{"allowCredentials", 0.3, g.anyOf(true, false)},
		optional{"unmatchedPreflights", 0.2, g.anyOf("FORWARD", "IGNORE")},
	)
}

func (g *generator) retries() any {
	if g.chance(0.2) {
		return object{"attempts": 0}
	}
	return g.set(object{"attempts": g.between(1, 5)},
		optional{"perTryTimeout", 0.5, g.duration},
		optional{"retryOn", 0.5, g.anyOf("5xx", "gateway-error,connect-failure", "503,reset", "retriable-4xx,unavailable,429", "cancelled")},
		optional{"retryRemoteLocalities", 0.2, g.anyOf(true, false)},
		optional{"retryIgnorePreviousHosts", 0.2, g.anyOf(true, false)},
		optional{"backoff", 0.2, g.anyOf("25ms", "1s")},
	)
}
