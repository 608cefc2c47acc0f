package simulate

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// route is a route whose matchers are compiled.
type route struct {
	*routev3.Route
	// path decides about the path without its query; matched returns the part of the path that a prefix rewrite replaces.
	path    stringMatcher
	matched func(path string) string
	// pathless routes take CONNECT requests, which have no path.
	pathless bool
	headers  []headerMatcher
	query    []queryMatcher
}

// routesOf returns the compiled routes of a virtual host.
func (s *Simulator) routesOf(vh *virtualHost) []*route {
	if vh.routes == nil {
		vh.routes = make([]*route, len(vh.GetRoutes()))
		for i, r := range vh.GetRoutes() {
			vh.routes[i] = newRoute(r)
		}
	}
	return vh.routes
}

func newRoute(in *routev3.Route) *route {
	m := in.GetMatch()
	r := &route{Route: in}
	r.setPath(m)
	for _, h := range m.GetHeaders() {
		r.headers = append(r.headers, newHeaderMatcher(h))
	}
	for _, q := range m.GetQueryParameters() {
		r.query = append(r.query, newQueryMatcher(q))
	}
	return r
}

func (r *route) setPath(m *routev3.RouteMatch) {
	fold := m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()
	whole := func(path string) string { return path }
	length := func(s string) func(string) string {
		return func(path string) string { return path[:min(len(s), len(path))] }
	}
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		r.path, r.matched = textMatcher("begin with", p.Prefix, fold, strings.HasPrefix), length(p.Prefix)
	case *routev3.RouteMatch_Path:
		r.path, r.matched = equals(p.Path, fold), length(p.Path)
	case *routev3.RouteMatch_SafeRegex:
		r.path, r.matched = regexMatcher(p.SafeRegex.GetRegex()), whole
	case *routev3.RouteMatch_PathSeparatedPrefix:
		r.matched = length(p.PathSeparatedPrefix)
		r.path = textMatcher("be or be below", p.PathSeparatedPrefix, fold, func(path, prefix string) bool {
			return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
		})
	case *routev3.RouteMatch_ConnectMatcher_:
		r.pathless, r.matched = true, whole
	default:
		r.path, r.matched = stringMatcher{words: "meet a condition that meshc does not know", matches: func(string) bool { return false }}, whole
	}
}

// matches tells whether the request meets all conditions of the route, and which it does not.
func (r *route) matches(in *request) (met bool, miss fmt.Stringer) {
	m := r.GetMatch()
	if r.pathless {
		if in.method != "CONNECT" {
			return false, words("the method must be CONNECT")
		}
	} else if in.method == "CONNECT" && !strings.HasPrefix(in.path, "/") {
		return false, words("CONNECT has no path")
	} else if path, _ := splitQuery(in.path); !r.path.matches(path) {
		return false, pathMiss{&r.path}
	}
	for i := range r.headers {
		if !r.headers[i].matches(in) {
			return false, &r.headers[i]
		}
	}
	for i := range r.query {
		if !r.query[i].matches(in.path) {
			return false, &r.query[i]
		}
	}
	switch {
	case m.GetGrpc() != nil && !in.isGRPC():
		return false, words("the request must be gRPC")
	case m.GetRuntimeFraction() != nil && never(m.GetRuntimeFraction().GetDefaultValue()):
		return false, words("the route takes 0% of the requests")
	case m.GetTlsContext() != nil:
		return false, words("the route asks for the client's certificate")
	}
	for _, d := range m.GetDynamicMetadata() {
		if !matchesMetadata(d, in.metadata) {
			return false, words("the metadata of " + d.GetFilter() + " must hold other values")
		}
	}
	return true, nil
}

// words are a reason that needs no making.
type words string

func (w words) String() string { return string(w) }

// pathMiss is a condition on the path that is not met.
type pathMiss struct{ m *stringMatcher }

func (p pathMiss) String() string { return "the path must " + p.m.words }

// never tells a fraction of nothing. Any other is taken to be met: the walk shows the route that a part of the requests takes.
func never(f *typev3.FractionalPercent) bool { return f.GetNumerator() == 0 }

func inBrackets(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}
