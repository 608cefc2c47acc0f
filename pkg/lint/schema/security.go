package schema

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

func peerAuthentication(c *check) {
	pa, ok := c.Object.(*security.PeerAuthentication)
	if !ok || pa == nil {
		return
	}
	c.matchLabels("spec.selector", pa.GetSelector())
	if !c.has("spec.portLevelMtls") {
		return
	}
	if len(pa.GetPortLevelMtls()) == 0 {
		c.errorf(InvalidValue, "spec.portLevelMtls", "portLevelMtls is empty: name ports or leave it out")
	} else if len(pa.GetSelector().GetMatchLabels()) == 0 {
		c.errorf(ConflictingFields, "spec.portLevelMtls", "portLevelMtls is about the ports of one workload: name it in selector.matchLabels")
	}
	for port := range pa.GetPortLevelMtls() {
		c.port(resource.Key("spec.portLevelMtls", strconv.FormatUint(uint64(port), 10)), port)
	}
}

func requestAuthentication(c *check) {
	ra, ok := c.Object.(*security.RequestAuthentication)
	if !ok || ra == nil {
		return
	}
	c.attachment(ra.GetSelector(), ra.GetTargetRef(), ra.GetTargetRefs())
	for i, rule := range ra.GetJwtRules() {
		c.jwtRule(resource.Index("spec.jwtRules", i), rule)
	}
}

func (c *check) jwtRule(path string, rule *security.JWTRule) {
	if rule == nil || rule.GetIssuer() == "" && rule.GetJwksUri() == "" {
		c.errorf(MissingField, path+".issuer", "a jwtRule needs an issuer or a jwksUri")
		if rule == nil {
			return
		}
	}
	for i, a := range rule.GetAudiences() {
		c.notEmpty(resource.Index(path+".audiences", i), a)
	}
	if u := rule.GetJwksUri(); u != "" {
		c.jwksURI(path+".jwksUri", u)
		if rule.GetJwks() != "" {
			c.errorf(ConflictingFields, path+".jwks", "jwks and jwksUri both hold the keys: keep one")
		}
	}
	if k := rule.GetJwks(); k != "" {
		c.jwks(path+".jwks", k)
	}
	for i, h := range rule.GetFromHeaders() {
		c.notEmpty(resource.Index(path+".fromHeaders", i)+".name", h.GetName())
	}
	for i, p := range rule.GetFromParams() {
		c.notEmpty(resource.Index(path+".fromParams", i), p)
	}
	for i, p := range rule.GetFromCookies() {
		c.notEmpty(resource.Index(path+".fromCookies", i), p)
	}
	for i, o := range rule.GetOutputClaimToHeaders() {
		at := resource.Index(path+".outputClaimToHeaders", i)
		c.notEmpty(at+".header", o.GetHeader())
		c.notEmpty(at+".claim", o.GetClaim())
		if h := o.GetHeader(); h != "" && !httpHeader().MatchString(h) {
			c.errorf(InvalidValue, at+".header", "%q is no name for a header: letters, digits, - and _ only", h)
		}
	}
	c.duration(path+".timeout", rule.GetTimeout())
}

func (c *check) notEmpty(path, value string) {
	if value == "" {
		c.errorf(InvalidValue, path, "an empty value is not allowed here")
	}
}

func (c *check) jwksURI(path, uri string) {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		c.errorf(InvalidValue, path, "%s is no URL", quote(uri))
	case u.Scheme != "http" && u.Scheme != "https":
		c.errorf(InvalidValue, path, "%s: the URL must begin with http:// or https://", quote(uri))
	}
}

// jwks judges a key set that stands in the YAML itself (RFC 7517).
func (c *check) jwks(path, text string) {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		c.errorf(InvalidValue, path, "the key set is no JSON (%v)", err)
		return
	}
	for i, key := range set.Keys {
		switch kty, _ := key["kty"].(string); kty {
		case "RSA", "EC", "OKP":
			if _, private := key["d"]; private {
				c.warnf(Ineffective, path, "key %d of the set holds its private half: anybody who reads this file can sign tokens; keep public keys only", i)
			}
		case "oct":
			c.warnf(Ineffective, path, "key %d of the set is a shared secret: anybody who reads this file can sign tokens", i)
		default:
			c.errorf(InvalidValue, path, "key %d of the set has the key type %q: it must be RSA, EC, OKP or oct", i, kty)
		}
	}
}

func authorizationPolicy(c *check) {
	p, ok := c.Object.(*security.AuthorizationPolicy)
	if !ok || p == nil {
		return
	}
	c.attachment(p.GetSelector(), p.GetTargetRef(), p.GetTargetRefs())
	action := p.GetAction()
	if dry, ok := c.Annotations["istio.io/dry-run"]; ok {
		if _, err := strconv.ParseBool(dry); err != nil {
			c.errorf(InvalidValue, resource.Key("metadata.annotations", "istio.io/dry-run"), "%q: the annotation istio.io/dry-run takes true or false", dry)
		} else if action != security.AuthorizationPolicy_ALLOW && action != security.AuthorizationPolicy_DENY {
			c.errorf(ConflictingFields, resource.Key("metadata.annotations", "istio.io/dry-run"), "a dry run is for the actions ALLOW and DENY, not for %s", action)
		}
	}
	c.provider(p)
	if action == security.AuthorizationPolicy_DENY && p.GetRules() == nil {
		c.errorf(MissingField, "spec.rules", "a DENY policy without rules denies nothing: an empty rule, - {}, denies every request")
	}
	for i, rule := range p.GetRules() {
		c.rule(resource.Index("spec.rules", i), rule, action)
	}
	c.denyTCP(p)
}

func (c *check) provider(p *security.AuthorizationPolicy) {
	custom := p.GetAction() == security.AuthorizationPolicy_CUSTOM
	switch {
	case custom && p.GetProvider().GetName() == "":
		c.errorf(MissingField, "spec.provider.name", "action CUSTOM asks an external authorizer: name it under provider.name, as in MeshConfig's extensionProviders")
	case !custom && p.GetProvider() != nil:
		c.errorf(ConflictingFields, "spec.provider", "provider is for action CUSTOM only, not for %s", p.GetAction())
	}
}

func (c *check) rule(path string, rule *security.Rule, action security.AuthorizationPolicy_Action) {
	if c.has(path+".from") && rule.GetFrom() != nil && len(rule.GetFrom()) == 0 || c.emptyList(path+".from") {
		c.errorf(InvalidValue, path+".from", "an empty from matches nobody: name sources or leave it out")
	}
	if c.emptyList(path + ".to") {
		c.errorf(InvalidValue, path+".to", "an empty to matches nothing: name operations or leave it out")
	}
	for i, from := range rule.GetFrom() {
		c.source(resource.Index(path+".from", i)+".source", from.GetSource(), action)
	}
	for i, to := range rule.GetTo() {
		c.operation(resource.Index(path+".to", i)+".operation", to.GetOperation())
	}
	for i, when := range rule.GetWhen() {
		c.condition(resource.Index(path+".when", i), when, action)
	}
}

func (c *check) emptyList(path string) bool {
	n, ok := c.NodeAt(path)
	return ok && n.Tag == "!!seq" && len(n.Content) == 0
}

// A list of values of a rule: what it is called and what it holds.
type values struct {
	field  string
	values []string
}

func (c *check) source(path string, s *security.Source, action security.AuthorizationPolicy_Action) {
	lists := []values{
		{"principals", s.GetPrincipals()}, {"notPrincipals", s.GetNotPrincipals()},
		{"requestPrincipals", s.GetRequestPrincipals()}, {"notRequestPrincipals", s.GetNotRequestPrincipals()},
		{"namespaces", s.GetNamespaces()}, {"notNamespaces", s.GetNotNamespaces()},
		{"serviceAccounts", s.GetServiceAccounts()}, {"notServiceAccounts", s.GetNotServiceAccounts()},
		{"ipBlocks", s.GetIpBlocks()}, {"notIpBlocks", s.GetNotIpBlocks()},
		{"remoteIpBlocks", s.GetRemoteIpBlocks()}, {"notRemoteIpBlocks", s.GetNotRemoteIpBlocks()},
	}
	if s == nil || all(lists, func(l values) bool { return len(l.values) == 0 }) && !c.has(path+".trustDomains") && !c.has(path+".notTrustDomains") {
		c.errorf(MissingField, path, "the source says nothing: name principals, namespaces, ipBlocks… or leave from out to match every caller")
		return
	}
	for _, l := range lists {
		at := path + "." + l.field
		for i, v := range l.values {
			if v == "" {
				c.errorf(InvalidValue, resource.Index(at, i), "%s holds an empty value", l.field)
			} else if strings.HasSuffix(strings.ToLower(l.field), "ipblocks") && !isSubnet(v) {
				c.errorf(InvalidValue, resource.Index(at, i), "%q is no IP address or CIDR", v)
			}
		}
		if len(l.values) > 0 && action == security.AuthorizationPolicy_CUSTOM && (strings.HasSuffix(strings.ToLower(l.field), "principals") || strings.HasSuffix(strings.ToLower(l.field), "namespaces")) {
			c.errorf(ConflictingFields, at, "%s needs the caller's certificate or token, which action CUSTOM does not look at", l.field)
		}
	}
	if len(s.GetServiceAccounts())+len(s.GetNotServiceAccounts()) > 0 &&
		len(s.GetPrincipals())+len(s.GetNotPrincipals())+len(s.GetNamespaces())+len(s.GetNotNamespaces()) > 0 {
		c.errorf(ConflictingFields, path+".serviceAccounts", "serviceAccounts already name namespace and identity: principals and namespaces have no place beside them")
	}
}

func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

func (c *check) operation(path string, o *security.Operation) {
	lists := []values{
		{"hosts", o.GetHosts()}, {"notHosts", o.GetNotHosts()}, {"ports", o.GetPorts()}, {"notPorts", o.GetNotPorts()},
		{"methods", o.GetMethods()}, {"notMethods", o.GetNotMethods()}, {"paths", o.GetPaths()}, {"notPaths", o.GetNotPaths()},
	}
	if all(lists, func(l values) bool { return len(l.values) == 0 }) {
		c.errorf(MissingField, path, "the operation says nothing: name methods, paths, hosts or ports, or leave to out to match every request")
		return
	}
	for _, l := range lists {
		for i, v := range l.values {
			at := resource.Index(path+"."+l.field, i)
			switch {
			case v == "":
				c.errorf(InvalidValue, at, "%s holds an empty value", l.field)
			case strings.HasSuffix(strings.ToLower(l.field), "ports"):
				if n, err := strconv.ParseUint(v, 10, 32); err != nil || n < 1 || n > 65535 {
					c.errorf(InvalidValue, at, "%q is no port number", v)
				}
			case strings.HasSuffix(strings.ToLower(l.field), "paths"):
				c.pathTemplate(at, v)
			}
		}
	}
}

// pathTemplate judges a path with {*} or {**} (https://istio.io/latest/docs/reference/config/security/authorization-policy/#Operation).
func (c *check) pathTemplate(path, value string) {
	if !strings.Contains(value, "{*") && !strings.Contains(value, "{**") {
		return
	}
	segments := strings.Split(value, "/")
	for i, s := range segments {
		switch {
		case s == "{*}":
		case s == "{**}":
			if i != len(segments)-1 && slices.Contains(segments[i+1:], "{**}") {
				c.errorf(InvalidValue, path, "%q: {**} may stand once, as the last wildcard", value)
			}
		case strings.ContainsAny(s, "{}*"):
			c.errorf(InvalidValue, path, "%q: {*} and {**} stand for whole segments, and no other wildcard beside them", value)
			return
		}
	}
}

func (c *check) condition(path string, when *security.Condition, action security.AuthorizationPolicy_Action) {
	key := when.GetKey()
	if key == "" {
		c.errorf(MissingField, path+".key", "a condition needs a key, such as request.headers[x-user]")
		return
	}
	if len(when.GetValues()) == 0 && len(when.GetNotValues()) == 0 {
		c.errorf(MissingField, path+".values", "the condition on %s has neither values nor notValues", key)
		return
	}
	p := attribute(key)
	if p != "" {
		c.errorf(InvalidValue, path+".key", "%q %s", key, p)
		return
	}
	if action == security.AuthorizationPolicy_CUSTOM && (key == "source.namespace" || key == "source.principal" || strings.HasPrefix(key, "request.auth.")) {
		c.errorf(ConflictingFields, path+".key", "%s needs the caller's certificate or token, which action CUSTOM does not look at", key)
	}
	for _, l := range []values{{"values", when.GetValues()}, {"notValues", when.GetNotValues()}} {
		for i, v := range l.values {
			at := resource.Index(path+"."+l.field, i)
			if v == "" {
				c.errorf(InvalidValue, at, "%s of %s hold an empty value", l.field, key)
				continue
			}
			c.bad(at, v, attributeValue(key, v))
		}
	}
}

// attribute tells whether a condition's key is one that Istio knows
// (https://istio.io/latest/docs/reference/config/security/conditions/).
func attribute(key string) problem {
	switch key {
	case "source.ip", "remote.ip", "source.namespace", "source.principal", "source.serviceAccount", "request.auth.principal", "request.auth.audiences",
		"request.auth.presenter", "destination.ip", "destination.port", "connection.sni", "source.trustDomain":
		return ""
	}
	for _, prefix := range []string{"request.headers", "request.auth.claims", "experimental.envoy.filters."} {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			if strings.HasPrefix(prefix, "experimental") {
				return ""
			}
			if len(rest) < 3 || rest[0] != '[' || rest[len(rest)-1] != ']' {
				return problem(fmt.Sprintf("is not complete: write %s[NAME]", prefix))
			}
			return ""
		}
	}
	return "is no attribute that policies know: see https://istio.io/latest/docs/reference/config/security/conditions/"
}

func attributeValue(key, value string) problem {
	switch key {
	case "source.ip", "remote.ip", "destination.ip":
		if !isSubnet(value) {
			return "is no IP address or CIDR"
		}
	case "destination.port":
		if n, err := strconv.ParseUint(value, 10, 32); err != nil || n < 1 || n > 65535 {
			return "is no port number"
		}
	}
	return ""
}

// denyTCP warns of DENY rules that name only what HTTP has: on a TCP port such a rule holds for every connection.
func (c *check) denyTCP(p *security.AuthorizationPolicy) {
	if p.GetAction() != security.AuthorizationPolicy_DENY {
		return
	}
	for i, rule := range p.GetRules() {
		http, ports := false, false
		for _, from := range rule.GetFrom() {
			s := from.GetSource()
			http = http || len(s.GetRequestPrincipals())+len(s.GetNotRequestPrincipals())+len(s.GetRemoteIpBlocks())+len(s.GetNotRemoteIpBlocks()) > 0
		}
		for _, to := range rule.GetTo() {
			o := to.GetOperation()
			http = http || len(o.GetHosts())+len(o.GetNotHosts())+len(o.GetMethods())+len(o.GetNotMethods())+len(o.GetPaths())+len(o.GetNotPaths()) > 0
			ports = ports || len(o.GetPorts())+len(o.GetNotPorts()) > 0
		}
		for _, when := range rule.GetWhen() {
			http = http || strings.HasPrefix(when.GetKey(), "request.")
			ports = ports || when.GetKey() == "destination.port"
		}
		if http && !ports {
			c.warnf(Ineffective, resource.Index("spec.rules", i), "this DENY rule names only what HTTP requests have, so on TCP ports it denies every connection: add to.operation.ports")
			return
		}
	}
}
