package gatewayapi

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// httpPart is one route of a VirtualService with the rule that it was made from.
type httpPart struct {
	*networking.HTTPRoute
	from *resource.Resource
	// rule and match are places in spec.rules and in the rule's matches; match is -1 for a rule without.
	rule, match int
	// backends are the places in the rule's backendRefs of the destinations.
	backends []int
}

// place leads from what follows spec.http[i] in a path to the rule.
func (p httpPart) place(rest string) resource.Source {
	rule := resource.Index("spec.rules", p.rule)
	at := func(field string) resource.Source {
		if _, ok := p.from.NodeAt(rule + field); !ok {
			return p.from.At(rule)
		}
		return p.from.At(rule + field)
	}
	field := strings.TrimLeft(rest, ".")
	switch {
	case strings.HasPrefix(field, "match") && p.match >= 0:
		return at(resource.Index(".matches", p.match))
	case strings.HasPrefix(field, "route["):
		if i, ok := index(field); ok && i < len(p.backends) {
			return at(resource.Index(".backendRefs", p.backends[i]))
		}
		return at(".backendRefs")
	case strings.HasPrefix(field, "route"), strings.HasPrefix(field, "directResponse"):
		return at(".backendRefs")
	case strings.HasPrefix(field, "timeout"):
		return at(".timeouts")
	case strings.HasPrefix(field, "retries"):
		return at(".retry")
	case slices.ContainsFunc([]string{"headers", "rewrite", "redirect", "mirror", "corsPolicy"}, func(f string) bool { return strings.HasPrefix(field, f) }):
		return at(".filters")
	}
	return p.from.At(rule)
}

// index reads the number in the first brackets of a path.
func index(path string) (int, bool) {
	_, rest, _ := strings.Cut(path, "[")
	number, _, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	return i, ok && err == nil && i >= 0
}

// keyed is what a route adds to the VirtualService of a listener, or of the mesh, for one host.
type keyed struct {
	key, host, internalName string
	from                    *resource.Resource
	parts                   []httpPart
}

func (c *conversion) convertHTTPRoutes() {
	var all []keyed
	for _, r := range c.HTTPRoutes {
		spec := r.Spec.Spec
		rt := route{r.Resource, spec.ParentRefs, spec.Hostnames, r.Spec.Status.Parents}
		var backends []backend
		for _, rule := range spec.Rules {
			backends = append(backends, httpBackends(rule.BackendRefs)...)
		}
		all = append(all, c.convertRoute(rt, backends, func(enforce bool) converted[httpPart] { return c.httpRules(rt, spec.Rules, enforce) })...)
	}
	c.mergeRoutes(all)
}

func (c *conversion) convertGRPCRoutes() {
	var all []keyed
	for _, r := range c.GRPCRoutes {
		spec := r.Spec.Spec
		rt := route{r.Resource, spec.ParentRefs, spec.Hostnames, r.Spec.Status.Parents}
		var backends []backend
		for _, rule := range spec.Rules {
			backends = append(backends, grpcBackends(rule.BackendRefs)...)
		}
		all = append(all, c.convertRoute(rt, backends, func(enforce bool) converted[httpPart] { return c.grpcRules(rt, spec.Rules, enforce) })...)
	}
	c.mergeRoutes(all)
}

// convertRoute attaches a route, reports its status, notes which Gateways its backends serve, and gives what it adds to each host; rules
// converts its rules, with references held against ReferenceGrants where told to.
func (c *conversion) convertRoute(rt route, backends []backend, rules func(enforce bool) converted[httpPart]) []keyed {
	attachments := c.attach(rt)
	both := convertRules(attachments, rules)
	c.reportRoute(rt, attachments, both.mesh.bad, both.gateway.bad)
	for _, b := range backends {
		c.addAncestors(rt, []gateway.BackendRef{b.BackendRef})
	}
	return c.keyedRoutes(rt, attachments, both)
}

// httpRules converts rules, each match for itself: precedence is between matches, not rules.
func (c *conversion) httpRules(from route, rules []gateway.HTTPRouteRule, enforce bool) converted[httpPart] {
	var out converted[httpPart]
	for n, rule := range rules {
		path := resource.Index("spec.rules", n)
		matches := rule.Matches
		// A rule without matches takes everything; the definition's default, the prefix /, would outrank regular expressions.
		if _, given := from.NodeAt(path + ".matches"); !given {
			matches = nil
		}
		base := &networking.HTTPRoute{Name: ruleName(rule.Name, from, n)}
		mirror, hard := c.filters(base, rule.Filters, from, enforce, path)
		if hard != nil {
			return converted[httpPart]{bad: hard}
		}
		setRetries(base, rule.Retry)
		setTimeouts(base, rule.Timeouts)
		var used []int
		var soft *problem
		base.Route, used, soft, hard = c.weighted(httpBackends(rule.BackendRefs), from, enforce, path)
		if hard != nil {
			return converted[httpPart]{bad: hard}
		}
		if len(used) == 0 && base.Redirect == nil {
			base.DirectResponse = noBackend()
		}
		if bad := joined(soft, mirror); bad != nil {
			out.bad = bad
		}
		parts, bad := eachMatch(httpPart{base, from.Resource, n, -1, used}, matches, httpMatch)
		if bad != nil {
			return converted[httpPart]{bad: bad}
		}
		out.parts = append(out.parts, parts...)
	}
	return out
}

// grpcRules converts the rules of a GRPCRoute.
func (c *conversion) grpcRules(from route, rules []gateway.GRPCRouteRule, enforce bool) converted[httpPart] {
	var out converted[httpPart]
	for n, rule := range rules {
		path := resource.Index("spec.rules", n)
		base := &networking.HTTPRoute{Name: ruleName(rule.Name, from, n)}
		if bad := c.grpcFilters(base, rule.Filters, from, enforce, path); bad != nil {
			return converted[httpPart]{bad: bad}
		}
		routes, used, soft, hard := c.weighted(grpcBackends(rule.BackendRefs), from, enforce, path)
		if hard != nil {
			return converted[httpPart]{bad: hard}
		}
		base.Route = routes
		if len(used) == 0 {
			base.DirectResponse = noBackend()
		}
		if soft != nil {
			out.bad = soft
		}
		parts, bad := eachMatch(httpPart{base, from.Resource, n, -1, used}, rule.Matches, grpcMatch)
		if bad != nil {
			return converted[httpPart]{bad: bad}
		}
		out.parts = append(out.parts, parts...)
	}
	return out
}

// eachMatch gives the rule once for each of its matches, or as it is where it has none.
func eachMatch[M any](rule httpPart, matches []M, convert func(M) (*networking.HTTPMatchRequest, *problem)) ([]httpPart, *problem) {
	if len(matches) == 0 {
		return []httpPart{rule}, nil
	}
	parts := make([]httpPart, 0, len(matches))
	for i, m := range matches {
		match, bad := convert(m)
		if bad != nil {
			return nil, bad.at(resource.Index(resource.Index("spec.rules", rule.rule)+".matches", i))
		}
		part := rule
		part.HTTPRoute, part.match = proto.CloneOf(rule.HTTPRoute), i
		part.Match = []*networking.HTTPMatchRequest{match}
		parts = append(parts, part)
	}
	return parts, nil
}

// noBackend answers where a rule has no backend with a share.
func noBackend() *networking.HTTPDirectResponse { return &networking.HTTPDirectResponse{Status: 500} }

// backend is a backend of an HTTPRoute or GRPCRoute, which both can change headers.
type backend struct {
	gateway.BackendRef
	filters []backendFilter
}

type backendFilter struct {
	kind              string
	request, response *gateway.HTTPHeaderFilter
}

// weighted turns the backends of a rule into destinations; used are their places. A soft problem leaves a destination that nobody has, a hard
// one refuses the route.
func (c *conversion) weighted(backends []backend, from route, enforce bool, path string) (out []*networking.HTTPRouteDestination, used []int, soft, hard *problem) {
	var refs []gateway.BackendRef
	for _, b := range backends {
		refs = append(refs, b.BackendRef)
	}
	used, weights := weigh(refs)
	for k, i := range used {
		at := resource.Index(path+".backendRefs", i)
		to, bad := c.destination(refs[i], from, enforce)
		if bad.at(at); bad != nil {
			if to == nil || !isSoft(bad) {
				return nil, nil, nil, bad
			}
			soft = bad
		}
		made := &networking.HTTPRouteDestination{Destination: to, Weight: weights[k]}
		for j, f := range backends[i].filters {
			switch f.kind {
			case string(gateway.HTTPRouteFilterRequestHeaderModifier):
				setRequestHeaders(&made.Headers, f.request)
			case string(gateway.HTTPRouteFilterResponseHeaderModifier):
				setResponseHeaders(&made.Headers, f.response)
			default:
				return nil, nil, nil, unsupportedFilter(f.kind).at(resource.Index(at+".filters", j))
			}
		}
		out = append(out, made)
	}
	return out, used, soft, nil
}

// ruleName is the rule's own, or made of the route's name and the rule's place.
func ruleName(name *gateway.SectionName, from route, n int) string {
	if name != nil {
		return string(*name)
	}
	return from.Namespace + "." + from.Name + "." + strconv.Itoa(n)
}

func httpBackends(refs []gateway.HTTPBackendRef) []backend {
	var out []backend
	for _, ref := range refs {
		b := backend{BackendRef: ref.BackendRef}
		for _, f := range ref.Filters {
			b.filters = append(b.filters, backendFilter{string(f.Type), f.RequestHeaderModifier, f.ResponseHeaderModifier})
		}
		out = append(out, b)
	}
	return out
}

func grpcBackends(refs []gateway.GRPCBackendRef) []backend {
	var out []backend
	for _, ref := range refs {
		b := backend{BackendRef: ref.BackendRef}
		for _, f := range ref.Filters {
			b.filters = append(b.filters, backendFilter{string(f.Type), f.RequestHeaderModifier, f.ResponseHeaderModifier})
		}
		out = append(out, b)
	}
	return out
}

// keyedRoutes spreads a route over the listeners that it is attached to and their hosts.
func (c *conversion) keyedRoutes(r route, all []*attachment, both sides[httpPart]) []keyed {
	var out []keyed
	for _, a := range bound(all) {
		parts := both.of(a).parts
		key, hosts := a.internalName, hostnames(r.hostnames)
		if a.isMesh() {
			key, hosts = r.Namespace, c.meshHosts(a.key)
			if a.ref.Port != nil {
				parts = onPort(parts, uint32(*a.ref.Port))
				key += "/" + strconv.Itoa(int(*a.ref.Port))
			}
		}
		if len(parts) == 0 {
			continue
		}
		for _, h := range hosts {
			if a.isMesh() || a.takes(h) {
				out = append(out, keyed{key: key + "/" + h, host: h, internalName: a.internalName, from: r.Resource, parts: parts})
			}
		}
	}
	return out
}

// onPort narrows routes to a port of the service.
func onPort(parts []httpPart, port uint32) []httpPart {
	var out []httpPart
	for _, p := range parts {
		p.HTTPRoute = proto.CloneOf(p.HTTPRoute)
		if len(p.Match) == 0 {
			p.Match = []*networking.HTTPMatchRequest{{}}
		}
		for _, m := range p.Match {
			m.Port = port
		}
		out = append(out, p)
	}
	return out
}

// mergeRoutes makes one VirtualService of all routes for one host of one listener, the most specific match first
// (https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule).
func (c *conversion) mergeRoutes(all []keyed) {
	byKey := map[string][]keyed{}
	for _, k := range all {
		byKey[k.key] = append(byKey[k.key], k)
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		group := byKey[key]
		slices.SortStableFunc(group, func(a, b keyed) int {
			return cmp.Or(a.from.Created.Compare(b.from.Created), cmp.Compare(a.from.Namespace, b.from.Namespace), cmp.Compare(a.from.Name, b.from.Name))
		})
		var parts []httpPart
		var parents []string
		for _, k := range group {
			parts = append(parts, k.parts...)
			parents = append(parents, k.from.Kind+"/"+k.from.Name+"."+k.from.Namespace)
		}
		slices.SortStableFunc(parts, comparePrecedence)
		spec := &networking.VirtualService{Hosts: []string{group[0].host}, Gateways: []string{group[0].internalName}}
		for _, p := range parts {
			spec.Http = append(spec.Http, p.HTTPRoute)
		}
		c.addVirtualService(strings.ReplaceAll(key, "/", "~"), group[0].from, strings.Join(parents, ","), spec, httpOrigin(group[0].from, parts))
	}
}

func httpOrigin(first *resource.Resource, parts []httpPart) func(path string) resource.Source {
	return func(path string) resource.Source {
		if rest, ok := strings.CutPrefix(path, "spec.http["); ok {
			if i, ok := index(path); ok && i < len(parts) {
				_, rest, _ = strings.Cut(rest, "]")
				return parts[i].place(rest)
			}
		}
		return routeOrigin(first, path)
	}
}

// routeOrigin leads from the parts of a VirtualService that concern it as a whole to the route.
func routeOrigin(r *resource.Resource, path string) resource.Source {
	switch {
	case strings.HasPrefix(path, "spec.hosts"):
		if _, ok := r.NodeAt("spec.hostnames"); ok {
			return r.At("spec.hostnames")
		}
		return r.At("spec.parentRefs")
	case strings.HasPrefix(path, "spec.gateways"):
		return r.At("spec.parentRefs")
	}
	return r.At("spec")
}

func (c *conversion) addVirtualService(name string, from *resource.Resource, parents string, spec *networking.VirtualService, origin func(string) resource.Source) {
	r := istioResource("VirtualService", from.Namespace, name, map[string]string{parentsAnnotation: parents, routeSemantics: "gateway"}, from, origin)
	r.Object = spec
	c.result.VirtualServices = append(c.result.VirtualServices, resource.Of[*networking.VirtualService]{Resource: r, Spec: spec})
}

// comparePrecedence puts the match first that says more: an exact path before a prefix before a regular expression, then the longer path,
// a method, more headers, more query parameters. Routes without a match come last.
func comparePrecedence(a, b httpPart) int {
	if len(a.Match) == 0 || len(b.Match) == 0 {
		return cmp.Compare(len(b.Match), len(a.Match))
	}
	x, y := a.Match[0], b.Match[0]
	rankX, lengthX := pathRank(x.GetUri())
	rankY, lengthY := pathRank(y.GetUri())
	method := func(m *networking.HTTPMatchRequest) int {
		if m.GetMethod() == nil {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rankY, rankX), cmp.Compare(lengthY, lengthX), cmp.Compare(method(y), method(x)),
		cmp.Compare(len(y.GetHeaders()), len(x.GetHeaders())), cmp.Compare(len(y.GetQueryParams()), len(x.GetQueryParams())),
	)
}

func pathRank(uri *networking.StringMatch) (rank, length int) {
	switch m := uri.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return 3, len(m.Exact)
	case *networking.StringMatch_Prefix:
		return 2, len(m.Prefix)
	case *networking.StringMatch_Regex:
		return 1, len(m.Regex)
	}
	return -1, 0
}
