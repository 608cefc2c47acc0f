package reach

import (
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/simulate"
)

const (
	jwtFilterName = "envoy.filters.http.jwt_authn"
	spiffe        = "spiffe://"
)

// certificate is what is known of the caller's.
type certificate struct {
	// has is false for a caller that shows none; maybe for one that may show one.
	has, maybe bool
	// identity is the name in it with spiffe:// before it, "" where only this is known of it: it begins with within, and it is none of others, nor
	// does it begin with one of outside.
	identity string
	within   string
	others   map[string]bool
	outside  []string
}

// evaluation is what is known of a call, against which matchers are held. What they ask beyond that is left as conditions.
type evaluation struct {
	sources   *provenance.Map
	matchers  matchers
	peer      certificate
	transport Transport
	// port is what the connection was made to, 0 for any that nothing declares.
	port uint32
	// request is set where HTTP is read, and tokens once those of the request were.
	request bool
	tokens  []TokenRule
}

// matchers are string matchers of one configuration made ready, once.
type matchers map[*matcherv3.StringMatcher]func(string) bool

func (e *evaluation) matcher(m *matcherv3.StringMatcher) func(string) bool {
	return e.matchers.ready(m)
}

func (m matchers) ready(in *matcherv3.StringMatcher) func(string) bool {
	ready := m[in]
	if ready == nil {
		ready = simulate.StringMatcher(in)
		m[in] = ready
	}
	return ready
}

func each[M any](list []M, condition func(M) *Condition) []*Condition {
	out := make([]*Condition, len(list))
	for i, m := range list {
		out[i] = condition(m)
	}
	return out
}

// rule is what a policy of RBAC leaves open: any of the permissions together with any of the principals.
func (e *evaluation) rule(p *rbacv3.Policy) *Condition {
	who := anyOf(each(p.GetPrincipals(), e.principal))
	if who.isNever() {
		return who
	}
	return allOf([]*Condition{anyOf(each(p.GetPermissions(), e.permission)), who})
}

// http is a condition that only a request can meet.
func (e *evaluation) http(condition func() *Condition) *Condition {
	if !e.request {
		return never()
	}
	return condition()
}

func (e *evaluation) permission(p *rbacv3.Permission) *Condition {
	switch rule := p.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return decided(rule.Any)
	case *rbacv3.Permission_AndRules:
		return allOf(each(rule.AndRules.GetRules(), e.permission))
	case *rbacv3.Permission_OrRules:
		return anyOf(each(rule.OrRules.GetRules(), e.permission))
	case *rbacv3.Permission_NotRule:
		return not(e.permission(rule.NotRule))
	case *rbacv3.Permission_Header:
		return e.http(func() *Condition { return e.headerTest(rule.Header) })
	case *rbacv3.Permission_UrlPath:
		return e.http(func() *Condition { return pathTest(rule.UrlPath.GetPath()) })
	case *rbacv3.Permission_UriTemplate:
		template, err := e.sources.Unpack(rule.UriTemplate.GetTypedConfig())
		config, ok := template.(*uritemplatev3.UriTemplateMatchConfig)
		if err != nil || !ok {
			return never()
		}
		return e.http(func() *Condition { return test(Path, "", Value{Match: Template, Value: config.GetPathTemplate()}) })
	case *rbacv3.Permission_DestinationPort:
		return e.portTest(int64(rule.DestinationPort), int64(rule.DestinationPort)+1)
	case *rbacv3.Permission_DestinationPortRange:
		return e.portTest(int64(rule.DestinationPortRange.GetStart()), int64(rule.DestinationPortRange.GetEnd()))
	case *rbacv3.Permission_DestinationIp:
		return blockTest(DestinationIP, rule.DestinationIp)
	case *rbacv3.Permission_RequestedServerName:
		return e.serverNameTest(rule.RequestedServerName)
	case *rbacv3.Permission_Metadata:
		return e.metadataTest(rule.Metadata)
	}
	return never()
}

func (e *evaluation) principal(p *rbacv3.Principal) *Condition {
	switch id := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return decided(id.Any)
	case *rbacv3.Principal_AndIds:
		return allOf(each(id.AndIds.GetIds(), e.principal))
	case *rbacv3.Principal_OrIds:
		return anyOf(each(id.OrIds.GetIds(), e.principal))
	case *rbacv3.Principal_NotId:
		return not(e.principal(id.NotId))
	case *rbacv3.Principal_Authenticated_:
		return e.authenticated(id.Authenticated.GetPrincipalName())
	case *rbacv3.Principal_DirectRemoteIp:
		return blockTest(SourceIP, id.DirectRemoteIp)
	case *rbacv3.Principal_RemoteIp:
		return blockTest(ClientIP, id.RemoteIp)
	case *rbacv3.Principal_SourceIp: //nolint:staticcheck // what EnvoyFilters may still hold
		return blockTest(ClientIP, id.SourceIp)
	case *rbacv3.Principal_Header:
		return e.http(func() *Condition { return e.headerTest(id.Header) })
	case *rbacv3.Principal_UrlPath:
		return e.http(func() *Condition { return pathTest(id.UrlPath.GetPath()) })
	case *rbacv3.Principal_Metadata:
		return e.metadataTest(id.Metadata)
	}
	return never()
}

// authenticated is about the name in the caller's certificate, nil for any; a caller without one matches nothing.
func (e *evaluation) authenticated(name *matcherv3.StringMatcher) *Condition {
	peer := &e.peer
	switch {
	case !peer.has && !peer.maybe:
		return never()
	case name == nil && peer.maybe:
		return test(Principal, "", Value{Match: Present})
	case name == nil:
		return always()
	case peer.identity != "":
		return decided(e.matcher(name)(peer.identity))
	}
	if pattern := name.GetSafeRegex().GetRegex(); pattern != "" && peer.within != "" && peer.within != spiffe {
		if _, ok := domainOf(pattern); ok {
			return decided(e.matcher(name)(peer.within + "any"))
		}
		if account, ok := accountOf(pattern); ok && peer.others[peer.within+"ns/"+account[0]+"/sa/"+account[1]] {
			return never()
		}
	}
	return peer.couldBe(name)
}

// couldBe decides about a name of which only the beginning is known, as far as it can.
func (c *certificate) couldBe(m *matcherv3.StringMatcher) *Condition {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		if !strings.HasPrefix(p.Exact, c.within) || c.others[p.Exact] || c.isOutside(p.Exact) {
			return never()
		}
	case *matcherv3.StringMatcher_Prefix:
		switch {
		case strings.HasPrefix(c.within, p.Prefix) && !c.maybe:
			return always()
		case !strings.HasPrefix(p.Prefix, c.within) || c.isOutside(p.Prefix):
			return never()
		}
	case *matcherv3.StringMatcher_SafeRegex:
		if p.SafeRegex.GetRegex() == ".+" && !c.maybe {
			return always()
		}
	}
	return stringTest(Principal, "", m)
}

func (c *certificate) isOutside(name string) bool {
	for _, prefix := range c.outside {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
