package schema

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func (c *check) httpRoute(path string, route *networking.HTTPRoute, isDelegate, gateways bool) {
	c.actions(path, route, isDelegate)
	for i, m := range route.GetMatch() {
		c.httpMatch(resource.Index(path+".match", i), m, gateways)
	}
	weights := make([]int32, len(route.GetRoute()))
	for i, r := range route.GetRoute() {
		at := resource.Index(path+".route", i)
		c.destination(at+".destination", r.GetDestination())
		c.headers(at+".headers", r.GetHeaders())
		weights[i] = r.GetWeight()
	}
	c.weights(path+".route", weights)
	c.authorities(path, route)
	c.headers(path+".headers", route.GetHeaders())
	c.cors(path+".corsPolicy", route.GetCorsPolicy())
	c.redirect(path+".redirect", route.GetRedirect(), route.GetMatch())
	c.directResponse(path+".directResponse", route.GetDirectResponse())
	c.rewrite(path+".rewrite", route.GetRewrite())
	c.fault(path+".fault", route.GetFault())
	c.retries(path+".retries", route.GetRetries())
	c.duration(path+".timeout", route.GetTimeout())
	c.mirrors(path, route)
}

// actions judges what a route does: one thing, and nothing that the thing has no use for.
func (c *check) actions(path string, route *networking.HTTPRoute, isDelegate bool) {
	if d := route.GetDelegate(); d != nil {
		if isDelegate {
			c.errorf(ConflictingFields, path+".delegate", "a VirtualService without hosts is itself a delegate and can't delegate further")
			return
		}
		for _, f := range []string{"route", "redirect", "directResponse"} {
			if c.has(path + "." + f) {
				c.errorf(ConflictingFields, path+"."+f, "a route that delegates can't have %s: the delegate decides", f)
			}
		}
		return
	}
	redirect, direct, routes := route.GetRedirect() != nil, route.GetDirectResponse() != nil, len(route.GetRoute()) > 0
	for _, pair := range []struct {
		a, b string
		both bool
	}{
		{"route", "redirect", routes && redirect},
		{"route", "directResponse", routes && direct},
		{"redirect", "directResponse", redirect && direct},
		{"redirect", "fault", redirect && route.GetFault() != nil},
		{"redirect", "rewrite", redirect && route.GetRewrite() != nil},
		{"directResponse", "fault", direct && route.GetFault() != nil},
		{"directResponse", "rewrite", direct && route.GetRewrite() != nil},
	} {
		if pair.both {
			c.errorf(ConflictingFields, path+"."+pair.b, "a route can't have both %s and %s: keep one", pair.a, pair.b)
		}
	}
	if !redirect && !direct && !routes {
		c.errorf(MissingField, path, "the route does nothing: one of route, redirect, directResponse and delegate is needed")
	}
}

// claimPrefix begins the header names that stand for claims of a token.
const claimPrefix = "@request.auth.claims"

func (c *check) httpMatch(path string, m *networking.HTTPMatchRequest, gateways bool) {
	if m == nil {
		c.errorf(InvalidValue, path, "the match is empty")
		return
	}
	if !isPrefix(m.GetUri()) {
		c.stringMatch(path+".uri", m.GetUri())
	}
	c.stringMatch(path+".scheme", m.GetScheme())
	c.stringMatch(path+".method", m.GetMethod())
	c.stringMatch(path+".authority", m.GetAuthority())
	for _, set := range []struct {
		field   string
		matches map[string]*networking.StringMatch
	}{{"headers", m.GetHeaders()}, {"withoutHeaders", m.GetWithoutHeaders()}} {
		for name, match := range set.matches {
			at := resource.Key(path+"."+set.field, name)
			if strings.HasPrefix(name, claimPrefix) {
				if !gateways {
					c.errorf(InvalidValue, at, "routing on a token's claims works at gateways only: name a gateway under gateways")
				}
			} else {
				c.headerName(at, name)
			}
			c.stringMatch(at, match)
		}
	}
	for name, match := range m.GetQueryParams() {
		c.stringMatch(resource.Key(path+".queryParams", name), match)
	}
	if m.GetPort() != 0 {
		c.port(path+".port", m.GetPort())
	}
	c.labels(path+".sourceLabels", m.GetSourceLabels())
	for i, g := range m.GetGateways() {
		if g != "mesh" {
			c.gatewayName(resource.Index(path+".gateways", i), g)
		}
	}
}

// isPrefix tells a prefix match; for uri an empty one stands for every path.
func isPrefix(m *networking.StringMatch) bool {
	_, ok := m.GetMatchType().(*networking.StringMatch_Prefix)
	return ok
}

// stringMatch judges an exact, prefix or regex match. One without a type asks for presence.
func (c *check) stringMatch(path string, m *networking.StringMatch) {
	switch t := m.GetMatchType().(type) {
	case *networking.StringMatch_Prefix:
		if t.Prefix == "" {
			c.errorf(InvalidValue, path+".prefix", "an empty prefix matches everything: say exact or regex, or leave the match out")
		}
	case *networking.StringMatch_Regex:
		if t.Regex == "" {
			c.errorf(InvalidValue, path+".regex", "an empty regex matches the empty string only: leave the match out")
			return
		}
		c.bad(path+".regex", t.Regex, pattern(t.Regex))
	}
}

func (c *check) headerName(path, name string) {
	if name == "" {
		c.errorf(InvalidValue, path, "a header has no name")
	}
}

func (c *check) headers(path string, h *networking.Headers) {
	for _, side := range []struct {
		name string
		ops  *networking.Headers_HeaderOperations
	}{{"request", h.GetRequest()}, {"response", h.GetResponse()}} {
		for _, op := range []struct {
			name   string
			values map[string]string
		}{{"set", side.ops.GetSet()}, {"add", side.ops.GetAdd()}} {
			for _, name := range slices.Sorted(maps.Keys(op.values)) {
				at := resource.Key(path+"."+side.name+"."+op.name, name)
				c.headerName(at, name)
				c.bad(at, op.values[name], headerFormat(op.values[name]))
			}
		}
		for i, name := range side.ops.GetRemove() {
			c.headerName(resource.Index(path+"."+side.name+".remove", i), name)
		}
	}
}

// authorities counts the ways in which a route sets the Host header: one is enough.
func (c *check) authorities(path string, route *networking.HTTPRoute) {
	first := ""
	note := func(value string, at string) {
		if value == "" {
			return
		}
		if first != "" {
			c.errorf(ConflictingFields, at, "the authority is set twice, to %q and to %q: keep one", first, value)
			return
		}
		first = value
	}
	setAuthority := func(h *networking.Headers, at string) {
		set := h.GetRequest().GetSet()
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if n := strings.ToLower(name); n == "host" || n == ":authority" {
				note(set[name], resource.Key(at+".request.set", name))
			}
		}
	}
	note(route.GetRewrite().GetAuthority(), path+".rewrite.authority")
	setAuthority(route.GetHeaders(), path+".headers")
	outer := first
	for i, r := range route.GetRoute() {
		first = outer
		setAuthority(r.GetHeaders(), resource.Index(path+".route", i)+".headers")
	}
}

var httpMethods = map[string]bool{
	"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "CONNECT": true, "OPTIONS": true, "TRACE": true, "PATCH": true, "*": true,
}

func (c *check) cors(path string, cors *networking.CorsPolicy) {
	if cors == nil {
		return
	}
	for i, o := range cors.GetAllowOrigins() {
		at := resource.Index(path+".allowOrigins", i)
		switch t := o.GetMatchType().(type) {
		case *networking.StringMatch_Exact:
			if t.Exact == "" {
				c.errorf(InvalidValue, at+".exact", "an origin can't be empty")
			}
		case nil:
			c.errorf(InvalidValue, at, "an entry of allowOrigins needs exact, prefix or regex")
		default:
			c.stringMatch(at, o)
		}
	}
	for i, m := range cors.GetAllowMethods() {
		if !httpMethods[m] {
			c.errorf(InvalidValue, resource.Index(path+".allowMethods", i), "%q is no HTTP method: it must be one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, *", m)
		}
	}
	for field, names := range map[string][]string{"allowHeaders": cors.GetAllowHeaders(), "exposeHeaders": cors.GetExposeHeaders()} {
		for i, name := range names {
			c.headerName(resource.Index(path+"."+field, i), name)
		}
	}
	if d := cors.GetMaxAge(); d != nil {
		c.duration(path+".maxAge", d)
		if d.AsDuration()%time.Second != 0 {
			c.errorf(InvalidValue, path+".maxAge", "maxAge goes into a header in whole seconds: %s is too fine", d.AsDuration())
		}
	}
}

func (c *check) redirect(path string, r *networking.HTTPRedirect, matches []*networking.HTTPMatchRequest) {
	if r == nil {
		return
	}
	if r.GetUri() == "" && r.GetAuthority() == "" && r.GetScheme() == "" && r.GetRedirectCode() == 0 && r.GetRedirectPort() == nil && r.GetPrefixRewrite() == "" {
		c.errorf(MissingField, path, "the redirect changes nothing: say at least one of uri, prefixRewrite, authority, scheme, port and redirectCode")
	}
	if code := r.GetRedirectCode(); code != 0 && (code < 300 || code > 399) {
		c.errorf(InvalidValue, path+".redirectCode", "%d is no code for a redirect: it must be from 300 to 399, such as 301 or 308", code)
	}
	if s := r.GetScheme(); s != "" && s != "http" && s != "https" {
		c.errorf(InvalidValue, path+".scheme", "%q: a redirect leads to http or https", s)
	}
	if r.GetPrefixRewrite() == "" {
		return
	}
	if r.GetUri() != "" {
		c.errorf(ConflictingFields, path+".prefixRewrite", "uri replaces the whole path and prefixRewrite its beginning: keep one")
	}
	for _, m := range matches {
		if m.GetUri() != nil && !isPrefix(m.GetUri()) {
			c.errorf(ConflictingFields, path+".prefixRewrite", "prefixRewrite replaces a matched prefix, so a match of the route on uri must be by prefix")
			return
		}
	}
}

// largeBody is where a body begins to weigh on the control plane, and hugeBody where istiod refuses it.
const (
	largeBody = 100 << 10
	hugeBody  = 1 << 20
)

func (c *check) directResponse(path string, r *networking.HTTPDirectResponse) {
	if r == nil {
		return
	}
	if r.GetStatus() < 200 || r.GetStatus() > 599 {
		c.errorf(InvalidValue, path+".status", "%d is no status for a response: it must be from 200 to 599", r.GetStatus())
	}
	if r.GetBody() == nil {
		return
	}
	size := max(len(r.GetBody().GetString_()), len(r.GetBody().GetBytes()))
	switch {
	case size > hugeBody:
		c.errorf(InvalidValue, path+".body", "the body has %d bytes: at most 1 MB is taken", size)
	case size > largeBody:
		c.warnf(Ineffective, path+".body", "the body has %d bytes and is sent to every proxy: above 100 kB this slows the control plane", size)
	}
}

func (c *check) rewrite(path string, r *networking.HTTPRewrite) {
	if r == nil {
		return
	}
	if r.GetUri() == "" && r.GetAuthority() == "" && r.GetUriRegexRewrite() == nil {
		c.errorf(MissingField, path, "the rewrite changes nothing: say uri, uriRegexRewrite or authority")
	}
	if r.GetUriRegexRewrite() == nil {
		return
	}
	if r.GetUri() != "" {
		c.errorf(ConflictingFields, path+".uriRegexRewrite", "uri and uriRegexRewrite both rewrite the path: keep one")
	}
	c.bad(path+".uriRegexRewrite.match", r.GetUriRegexRewrite().GetMatch(), pattern(r.GetUriRegexRewrite().GetMatch()))
}

var grpcStatuses = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
}

func (c *check) fault(path string, f *networking.HTTPFaultInjection) {
	if f == nil {
		return
	}
	if f.GetDelay() == nil && f.GetAbort() == nil {
		c.errorf(MissingField, path, "the fault does nothing: say delay or abort")
	}
	if d := f.GetDelay(); d != nil {
		c.share(path+".delay.percentage", d.GetPercentage())
		switch t := d.GetHttpDelayType().(type) {
		case *networking.HTTPFaultInjection_Delay_FixedDelay:
			c.duration(path+".delay.fixedDelay", t.FixedDelay)
		case *networking.HTTPFaultInjection_Delay_ExponentialDelay:
			c.errorf(InvalidValue, path+".delay.exponentialDelay", "exponentialDelay is not supported: say fixedDelay")
		}
	}
	if a := f.GetAbort(); a != nil {
		c.share(path+".abort.percentage", a.GetPercentage())
		switch t := a.GetErrorType().(type) {
		case *networking.HTTPFaultInjection_Abort_GrpcStatus:
			if !slices.Contains(grpcStatuses, strings.ToUpper(t.GrpcStatus)) {
				c.errorf(InvalidValue, path+".abort.grpcStatus", "%q is no gRPC status: it must be one of %s", t.GrpcStatus, strings.Join(grpcStatuses, ", "))
			}
		case *networking.HTTPFaultInjection_Abort_HttpStatus:
			if t.HttpStatus < 200 || t.HttpStatus > 599 {
				c.errorf(InvalidValue, path+".abort.httpStatus", "%d is no status for a response: it must be from 200 to 599", t.HttpStatus)
			}
		case *networking.HTTPFaultInjection_Abort_Http2Error:
			c.errorf(InvalidValue, path+".abort.http2Error", "http2Error is not supported: say httpStatus or grpcStatus")
		}
	}
}

// share judges a percentage, of which Envoy can tell apart a ten-thousandth.
func (c *check) share(path string, p *networking.Percent) {
	if v := p.GetValue(); p != nil && (v > 100 || (v < 0.0001 && v != 0)) {
		c.errorf(InvalidValue, path+".value", "%g is no percentage that Envoy can use: it must be 0, or from 0.0001 to 100", v)
	}
}

var retryConditions = map[string]bool{
	"5xx": true, "gateway-error": true, "reset": true, "reset-before-request": true, "connect-failure": true, "envoy-ratelimited": true, "retriable-4xx": true,
	"refused-stream": true, "retriable-status-codes": true, "retriable-headers": true, "http3-post-connect-failure": true, "cancelled": true,
	"deadline-exceeded": true, "internal": true, "resource-exhausted": true, "unavailable": true,
}

func (c *check) retries(path string, r *networking.HTTPRetry) {
	if r == nil {
		return
	}
	if r.GetAttempts() < 0 {
		c.errorf(InvalidValue, path+".attempts", "attempts can't be negative")
	}
	if r.GetAttempts() == 0 && (r.GetPerTryTimeout() != nil || r.GetRetryOn() != "" || r.GetRetryRemoteLocalities() != nil || r.GetBackoff() != nil || r.GetRetryIgnorePreviousHosts() != nil) {
		c.errorf(ConflictingFields, path, "attempts is 0, which switches retries off: set attempts or take the rest of the policy away")
	}
	c.duration(path+".perTryTimeout", r.GetPerTryTimeout())
	c.duration(path+".backoff", r.GetBackoff())
	if r.GetRetryOn() == "" {
		return
	}
	for _, condition := range strings.Split(r.GetRetryOn(), ",") {
		if condition = strings.TrimSpace(condition); !retryCondition(condition) {
			c.errorf(InvalidValue, path+".retryOn", "%q is no condition to retry on: write Envoy's names (5xx, connect-failure, unavailable…) or status codes", condition)
		}
	}
}

func retryCondition(s string) bool {
	code, err := strconv.Atoi(s)
	return err == nil && code >= 100 && code <= 599 || retryConditions[s]
}

func (c *check) mirrors(path string, route *networking.HTTPRoute) {
	if route.GetMirror() != nil {
		c.destination(path+".mirror", route.GetMirror())
		if len(route.GetMirrors()) > 0 {
			c.errorf(ConflictingFields, path+".mirrors", "mirror and mirrors both name mirrors: keep mirrors")
		}
	}
	for i, m := range route.GetMirrors() {
		at := resource.Index(path+".mirrors", i)
		c.destination(at+".destination", m.GetDestination())
		c.mirrored(at+".percentage.value", m.GetPercentage())
	}
	c.mirrored(path+".mirrorPercentage.value", route.GetMirrorPercentage())
	if p := route.GetMirrorPercent(); p.GetValue() > 100 {
		c.errorf(InvalidValue, path+".mirrorPercent", "%d is more than all requests: it must be from 0 to 100", p.GetValue())
	}
}

func (c *check) mirrored(path string, p *networking.Percent) {
	if v := p.GetValue(); v < 0 || v > 100 {
		c.errorf(InvalidValue, path, "%g is no share of the requests: it must be from 0 to 100", v)
	}
}
