package simulate

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// check decides about a call.
type check func(*walk) bool

// ruleSet is an RBAC configuration made ready: its policies by name, which is the order in which Envoy tries them.
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto)
type ruleSet struct{ policies []policyRule }

// policyRule is one policy of RBAC, which is one rule of an AuthorizationPolicy.
type policyRule struct {
	id      string
	message *rbacv3.Policy
	// policy is what the name tells of the AuthorizationPolicy, nil for a name of another form.
	policy  *Policy
	matches check
}

// ruleSet makes rules ready, once.
func (s *Simulator) ruleSet(rules *rbacv3.RBAC) *ruleSet {
	set := s.ruleSets[rules]
	if set == nil {
		set = &ruleSet{}
		for _, id := range slices.Sorted(maps.Keys(rules.GetPolicies())) {
			p := rules.GetPolicies()[id]
			permissions := anyOf(checks(p.GetPermissions(), s.permission))
			principals := anyOf(checks(p.GetPrincipals(), s.principal))
			set.policies = append(set.policies, policyRule{
				id: id, message: p, policy: policyOf(id), matches: func(w *walk) bool { return permissions(w) && principals(w) },
			})
		}
		s.ruleSets[rules] = set
	}
	return set
}

// match returns the first policy that matches the call, nil for none.
func (s *ruleSet) match(w *walk) *policyRule {
	for i := range s.policies {
		if s.policies[i].matches(w) {
			return &s.policies[i]
		}
	}
	return nil
}

// onlyPolicy names the AuthorizationPolicy that all rules are of, nil where there are several.
func (s *ruleSet) onlyPolicy() *Policy {
	var only *Policy
	for _, p := range s.policies {
		if p.policy == nil || only != nil && (only.Namespace != p.policy.Namespace || only.Name != p.policy.Name) {
			return nil
		}
		only = &Policy{Namespace: p.policy.Namespace, Name: p.policy.Name}
	}
	return only
}

// policyOf reads a name as Istio gives it: ns[NAMESPACE]-policy[NAME]-rule[INDEX], with something before or after for CUSTOM policies.
func policyOf(id string) *Policy {
	_, rest, ok := strings.Cut(id, "ns[")
	namespace, rest, ok2 := strings.Cut(rest, "]-policy[")
	name, rest, ok3 := strings.Cut(rest, "]-rule[")
	index, _, ok4 := strings.Cut(rest, "]")
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil
	}
	return &Policy{Namespace: namespace, Name: name, Rule: "spec.rules[" + index + "]"}
}

func checks[M any](messages []M, ready func(M) check) []check {
	out := make([]check, len(messages))
	for i, m := range messages {
		out[i] = ready(m)
	}
	return out
}

func anyOf(checks []check) check {
	return func(w *walk) bool { return slices.ContainsFunc(checks, func(c check) bool { return c(w) }) }
}

func allOf(checks []check) check {
	return func(w *walk) bool { return !slices.ContainsFunc(checks, func(c check) bool { return !c(w) }) }
}

func not(c check) check { return func(w *walk) bool { return !c(w) } }

func always(answer bool) check { return func(*walk) bool { return answer } }

// permission makes a matcher of what is called ready. One of a kind that meshc does not know matches nothing.
func (s *Simulator) permission(p *rbacv3.Permission) check {
	switch rule := p.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return always(rule.Any)
	case *rbacv3.Permission_AndRules:
		return allOf(checks(rule.AndRules.GetRules(), s.permission))
	case *rbacv3.Permission_OrRules:
		return anyOf(checks(rule.OrRules.GetRules(), s.permission))
	case *rbacv3.Permission_NotRule:
		return not(s.permission(rule.NotRule))
	case *rbacv3.Permission_Header:
		m := newHeaderMatcher(rule.Header)
		return func(w *walk) bool { return w.request != nil && m.matches(w.request) }
	case *rbacv3.Permission_UrlPath:
		return pathCheck(rule.UrlPath)
	case *rbacv3.Permission_UriTemplate:
		template, ok := s.unpack(rule.UriTemplate.GetTypedConfig()).(*uritemplatev3.UriTemplateMatchConfig)
		if !ok {
			return always(false)
		}
		m := templateMatcher(template.GetPathTemplate())
		return func(w *walk) bool { return w.request != nil && m.matches(w.request.pathAlone()) }
	case *rbacv3.Permission_DestinationPort:
		return func(w *walk) bool { return w.connection.port == rule.DestinationPort }
	case *rbacv3.Permission_DestinationPortRange:
		first, end := rule.DestinationPortRange.GetStart(), rule.DestinationPortRange.GetEnd()
		return func(w *walk) bool {
			return int64(w.connection.port) >= int64(first) && int64(w.connection.port) < int64(end)
		}
	case *rbacv3.Permission_DestinationIp:
		return within(rule.DestinationIp, (*walk).destination)
	case *rbacv3.Permission_RequestedServerName:
		m := newStringMatcher(rule.RequestedServerName)
		return func(w *walk) bool { return m.matches(w.connection.serverName) }
	case *rbacv3.Permission_Metadata:
		return func(w *walk) bool { return matchesMetadata(rule.Metadata, w.metadata()) }
	}
	return always(false)
}

// principal makes a matcher of who calls ready. One of a kind that meshc does not know matches nothing.
func (s *Simulator) principal(p *rbacv3.Principal) check {
	switch id := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return always(id.Any)
	case *rbacv3.Principal_AndIds:
		return allOf(checks(id.AndIds.GetIds(), s.principal))
	case *rbacv3.Principal_OrIds:
		return anyOf(checks(id.OrIds.GetIds(), s.principal))
	case *rbacv3.Principal_NotId:
		return not(s.principal(id.NotId))
	case *rbacv3.Principal_Authenticated_:
		return authenticatedCheck(id.Authenticated)
	case *rbacv3.Principal_DirectRemoteIp:
		return within(id.DirectRemoteIp, (*walk).peer)
	case *rbacv3.Principal_RemoteIp:
		return within(id.RemoteIp, (*walk).client)
	case *rbacv3.Principal_SourceIp: //nolint:staticcheck // what EnvoyFilters may still hold
		return within(id.SourceIp, (*walk).client)
	case *rbacv3.Principal_Header:
		m := newHeaderMatcher(id.Header)
		return func(w *walk) bool { return w.request != nil && m.matches(w.request) }
	case *rbacv3.Principal_UrlPath:
		return pathCheck(id.UrlPath)
	case *rbacv3.Principal_Metadata:
		return func(w *walk) bool { return matchesMetadata(id.Metadata, w.metadata()) }
	}
	return always(false)
}

// authenticatedCheck is about the name in the caller's certificate: without one nothing matches.
func authenticatedCheck(authenticated *rbacv3.Principal_Authenticated) check {
	hasCertificate := func(w *walk) bool { return w.connection.certificate }
	if authenticated.GetPrincipalName() == nil {
		return hasCertificate
	}
	m := newStringMatcher(authenticated.GetPrincipalName())
	return func(w *walk) bool { return hasCertificate(w) && m.matches(w.identity()) }
}

func pathCheck(path *matcherv3.PathMatcher) check {
	m := newStringMatcher(path.GetPath())
	return func(w *walk) bool { return w.request != nil && m.matches(w.request.pathAlone()) }
}

// pathAlone is the path without its query.
func (r *request) pathAlone() string {
	path, _ := splitQuery(r.path)
	return path
}

// templateMatcher matches a path by a template, in which * stands for a segment and ** for any rest, be it empty
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/path/match/uri_template/v3/uri_template_match.proto).
func templateMatcher(template string) stringMatcher {
	const characters = `a-zA-Z0-9._~%!$&'()+,;:@=-`
	var pattern strings.Builder
	for rest := template; rest != ""; {
		literal, after, star := strings.Cut(rest, "*")
		pattern.WriteString(regexp.QuoteMeta(literal))
		rest = after
		if !star {
			break
		}
		if tail, ok := strings.CutPrefix(after, "*"); ok {
			pattern.WriteString("[/" + characters + "]*")
			rest = tail
		} else {
			pattern.WriteString("[" + characters + "]+")
		}
	}
	return regexMatcher(pattern.String())
}

// within tells whether an address is in a block; one that is unknown is in none.
func within(block *corev3.CidrRange, address func(*walk) netip.Addr) check {
	prefix, ok := prefixOf(block)
	return func(w *walk) bool { return ok && prefix.Contains(address(w)) }
}

func (w *walk) destination() netip.Addr { return w.connection.destination }

func (w *walk) peer() netip.Addr { return w.connection.source }
