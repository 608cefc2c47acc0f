package authz

import (
	"fmt"
	"regexp"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	security "istio.io/api/security/v1beta1"
)

// principals joins matchers of who calls.
var principals = connectives[*rbacv3.Principal]{
	and: func(all []*rbacv3.Principal) *rbacv3.Principal {
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: all}}}
	},
	or: func(any []*rbacv3.Principal) *rbacv3.Principal {
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: any}}}
	},
	not: func(m *rbacv3.Principal) *rbacv3.Principal {
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: m}}
	},
	any: func() *rbacv3.Principal { return &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}} },
}

// source are the conditions of a rule's `from`, in istiod's order.
func (t *translation) source(s *security.Source, at string) []condition[*rbacv3.Principal] {
	field := func(name string, values, notValues []string, c condition[*rbacv3.Principal]) condition[*rbacv3.Principal] {
		c.values, c.at = values, at+"."+name
		c.notValues, c.notAt = notValues, at+".not"+strings.ToUpper(name[:1])+name[1:]
		return c
	}
	return []condition[*rbacv3.Principal]{
		field("principals", t.withAliases(s.GetPrincipals()), t.withAliases(s.GetNotPrincipals()), condition[*rbacv3.Principal]{one: identityPrincipal}),
		field("trustDomains", t.withDomainAliases(s.GetTrustDomains()), t.withDomainAliases(s.GetNotTrustDomains()),
			condition[*rbacv3.Principal]{one: trustDomainPrincipal}),
		field("requestPrincipals", s.GetRequestPrincipals(), s.GetNotRequestPrincipals(),
			condition[*rbacv3.Principal]{httpOnly: true, all: requestPrincipals}),
		field("serviceAccounts", s.GetServiceAccounts(), s.GetNotServiceAccounts(), condition[*rbacv3.Principal]{one: t.serviceAccountPrincipal}),
		field("namespaces", s.GetNamespaces(), s.GetNotNamespaces(), condition[*rbacv3.Principal]{one: namespacePrincipal}),
		field("remoteIpBlocks", s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks(), condition[*rbacv3.Principal]{one: remoteIPPrincipal}),
		field("ipBlocks", s.GetIpBlocks(), s.GetNotIpBlocks(), condition[*rbacv3.Principal]{one: sourceIPPrincipal}),
	}
}

// authenticated matches the name in the caller's certificate.
func authenticated(name *matcherv3.StringMatcher) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{
		Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: name},
	}}
}

func identityPrincipal(identity string) (*rbacv3.Principal, error) {
	return authenticated(stringMatcher(identityPrefix, identity)), nil
}

func namespacePrincipal(namespace string) (*rbacv3.Principal, error) {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(namespace), `\*`, ".*")
	return authenticated(regexMatcher(".*/ns/" + pattern + "/.*")), nil
}

// trustDomainPrincipal matches the first part of an identity: exactly, by prefix or suffix, or whatever it is (`*`).
func trustDomainPrincipal(domain string) (*rbacv3.Principal, error) {
	if !strings.Contains(domain, "*") {
		return authenticated(plainMatcher(identityPrefix, domain+"/*")), nil
	}
	pattern := "[^/]+"
	if domain != "*" {
		pattern = strings.ReplaceAll(regexp.QuoteMeta(domain), `\*`, "[^/]*")
	}
	return authenticated(regexMatcher(identityPrefix + pattern + "/.*")), nil
}

// serviceAccountPrincipal matches SERVICEACCOUNT in the policy's own namespace, or NAMESPACE/SERVICEACCOUNT, in whatever trust domain.
func (t *translation) serviceAccountPrincipal(account string) (*rbacv3.Principal, error) {
	namespace, name, ok := strings.Cut(account, "/")
	if !ok {
		namespace, name = t.policy.Namespace, account
	}
	return authenticated(regexMatcher(fmt.Sprintf("%s.+/ns/%s/(.+/|)sa/%s(/.+)?",
		identityPrefix, regexp.QuoteMeta(namespace), regexp.QuoteMeta(name)))), nil
}

// sourceIPPrincipal matches the address of the peer, remoteIPPrincipal that of the client as X-Forwarded-For or the PROXY protocol tells it
// (https://istio.io/latest/docs/ops/configuration/traffic-management/network-topologies/).
func sourceIPPrincipal(block string) (*rbacv3.Principal, error) {
	cidr, err := cidrRange(block)
	if err != nil {
		return nil, err
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: cidr}}, nil
}

func remoteIPPrincipal(block string) (*rbacv3.Principal, error) {
	cidr, err := cidrRange(block)
	if err != nil {
		return nil, err
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_RemoteIp{RemoteIp: cidr}}, nil
}

func metadataPrincipal(m *matcherv3.MetadataMatcher) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Metadata{Metadata: m}}
}

// requestPrincipals matches ISSUER/SUBJECT of the request's token, any of the values.
func requestPrincipals(values []string) (*rbacv3.Principal, error) {
	var any []*rbacv3.Principal
	for _, value := range values {
		issuer, subject := issuerAndSubject(value)
		claim := func(name string, m *matcherv3.StringMatcher) *rbacv3.Principal {
			return metadataPrincipal(claimMatcher([]string{name},
				&matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: m}}))
		}
		any = append(any, principals.and([]*rbacv3.Principal{claim("iss", issuer), claim("sub", subject)}))
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return principals.or(any), nil
}

// issuerAndSubject splits a request principal at its last slash, since an issuer may be a URL. A star before or after stands for the start of the
// issuer or the end of the subject; without a slash what is left of the value is the issuer's start, or the subject's end.
func issuerAndSubject(value string) (issuer, subject *matcherv3.StringMatcher) {
	something := func() *matcherv3.StringMatcher { return regexMatcher(".+") }
	iss, sub := value, ""
	slash := strings.LastIndexByte(value, '/')
	if slash >= 0 {
		iss, sub = value[:slash], value[slash+1:]
	}
	switch {
	case value == "*":
		return something(), something()
	case strings.HasPrefix(value, "*") && slash < 0:
		return something(), plainMatcher("", value)
	case strings.HasPrefix(value, "*") && iss == "*":
		return something(), exactMatcher(sub)
	case strings.HasPrefix(value, "*"):
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: iss[1:]}}, exactMatcher(sub)
	case strings.HasSuffix(value, "*") && slash < 0:
		return plainMatcher("", value), something()
	case strings.HasSuffix(value, "*") && sub == "*":
		return exactMatcher(iss), something()
	case strings.HasSuffix(value, "*"):
		return exactMatcher(iss), &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: sub[:len(sub)-1]}}
	default:
		return exactMatcher(iss), exactMatcher(sub)
	}
}
