package simulate

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

const jwtFilterName = "envoy.filters.http.jwt_authn"

// verdict is what a requirement says of a request's token, from the best to the worst.
type verdict int

const (
	accepted verdict = iota
	// missing: there is no token where the requirement looks for one.
	missing
	// unknownIssuer: the token is of an issuer that the requirement is not about.
	unknownIssuer
	// wrongAudience: the token is meant for somebody else.
	wrongAudience
	// invalid: the token cannot be verified.
	invalid
)

// authenticate does what the JWT filter does with the request's token, and reports whether the request goes on
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter).
func (w *walk) authenticate(f *hcmv3.HttpFilter, config *jwtv3.JwtAuthentication) bool {
	r := w.request
	if _, origin := r.headers["origin"]; origin && config.GetBypassCorsPreflight() && r.method == "OPTIONS" && r.headers["access-control-request-method"] != "" {
		return true
	}
	for _, rule := range config.GetRules() {
		if !newPathPrefix(rule).matches(r.path) {
			continue
		}
		t := tokenReader{walk: w, config: config}
		v := t.requirement(rule.GetRequires())
		switch v {
		case accepted:
			return true
		case wrongAudience:
			w.out.Status = 403
		default:
			w.out.Status = 401
		}
		w.step(StageFilter, by(f, config), "the token is refused: %s", [...]string{
			missing: "there is none", unknownIssuer: "no rule is about its issuer", wrongAudience: "its audience is not one of the rule's",
			invalid: "it cannot be verified",
		}[v])
		w.fail(Denied)
		return false
	}
	return true
}

// newPathPrefix is the match of a rule, for which Istio has one form only: any path.
func newPathPrefix(rule *jwtv3.RequirementRule) stringMatcher {
	return textMatcher("begin with", rule.GetMatch().GetPrefix(), false, strings.HasPrefix)
}

// tokenReader holds requirements against the call's token.
type tokenReader struct {
	*walk
	config *jwtv3.JwtAuthentication
}

func (t *tokenReader) requirement(r *jwtv3.JwtRequirement) verdict {
	switch r := r.GetRequiresType().(type) {
	case *jwtv3.JwtRequirement_ProviderName:
		return t.provider(t.config.GetProviders()[r.ProviderName], nil)
	case *jwtv3.JwtRequirement_ProviderAndAudiences:
		return t.provider(t.config.GetProviders()[r.ProviderAndAudiences.GetProviderName()], r.ProviderAndAudiences.GetAudiences())
	case *jwtv3.JwtRequirement_RequiresAny:
		return t.any(r.RequiresAny.GetRequirements())
	case *jwtv3.JwtRequirement_RequiresAll:
		for _, each := range r.RequiresAll.GetRequirements() {
			if v := t.requirement(each); v != accepted {
				return v
			}
		}
	case *jwtv3.JwtRequirement_AllowMissing:
		if t.hasToken() {
			return t.any(t.everyProvider())
		}
	}
	return accepted
}

// everyProvider is the requirement of any provider, in the order of their names.
func (t *tokenReader) everyProvider() []*jwtv3.JwtRequirement {
	var all []*jwtv3.JwtRequirement
	for _, name := range slices.Sorted(maps.Keys(t.config.GetProviders())) {
		all = append(all, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: name}})
	}
	return all
}

// any is content if one of the requirements is. Of the reasons why none is, a token that is wrong weighs more than one of another issuer, and
// that more than none at all; where a token may be missing, this last is no reason.
func (t *tokenReader) any(requirements []*jwtv3.JwtRequirement) verdict {
	worst, mayMiss, mayFail := missing, false, false
	for _, r := range requirements {
		switch r.GetRequiresType().(type) {
		case *jwtv3.JwtRequirement_AllowMissing:
			mayMiss = true
			continue
		case *jwtv3.JwtRequirement_AllowMissingOrFailed:
			mayFail = true
			continue
		}
		v := t.requirement(r)
		if v == accepted {
			return accepted
		}
		if v > unknownIssuer || worst == missing {
			worst = v
		}
	}
	if mayFail || mayMiss && worst == missing {
		return accepted
	}
	return worst
}

// provider holds the tokens that one provider looks for against what it vouches for, and passes on what it says of them. All that it finds must
// be in order; Envoy begins with the last.
func (t *tokenReader) provider(p *jwtv3.JwtProvider, audiences []string) verdict {
	t.request.sanitize(p)
	found := t.tokens(p)
	if len(found) == 0 {
		return missing
	}
	if audiences == nil {
		audiences = p.GetAudiences()
	}
	for _, token := range slices.Backward(found) {
		claims, payload, v := t.verify(p, token, audiences)
		if v != accepted {
			return v
		}
		t.step(StageFilter, by(p), "the token of %s is accepted", p.GetIssuer())
		t.passOn(p, claims, payload)
		if !p.GetForward() {
			t.request.remove(token)
		}
	}
	return accepted
}

// verify looks at a token in Envoy's order: its form, its issuer, its times, its audience, its signature. The payload is as the token has it.
func (t *tokenReader) verify(p *jwtv3.JwtProvider, token locatedToken, audiences []string) (claims *structpb.Struct, payload string, v verdict) {
	parsed, why := t.parse(token)
	if why == "" {
		claims = parsed.claims
		if issuer := claims.GetFields()["iss"].GetStringValue(); p.GetIssuer() != "" && issuer != p.GetIssuer() {
			return nil, "", unknownIssuer
		}
		why = parsed.outOfTime(t.sim.now, p)
	}
	if why == "" && len(audiences) > 0 && !meantFor(claims.GetFields()["aud"], audiences) {
		return nil, "", wrongAudience
	}
	if why == "" && !parsed.described {
		why = t.sim.keySet(p).unverified(parsed)
	}
	if why != "" {
		t.step(StageFilter, by(p), "the token in %s %s", token, why)
		return nil, "", invalid
	}
	return claims, parsed.payload, accepted
}

// hasToken tells whether the request bears a token in any place where one of the providers looks for it.
func (t *tokenReader) hasToken() bool {
	for _, name := range slices.Sorted(maps.Keys(t.config.GetProviders())) {
		if len(t.tokens(t.config.GetProviders()[name])) > 0 {
			return true
		}
	}
	return false
}

// meantFor tells whether one of a token's audiences is among those of a provider. Envoy compares them without scheme and final slash.
func meantFor(claim *structpb.Value, audiences []string) bool {
	plain := func(s string) string {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
		return strings.TrimSuffix(s, "/")
	}
	of := []*structpb.Value{claim}
	if list := claim.GetListValue(); list != nil {
		of = list.GetValues()
	}
	return slices.ContainsFunc(of, func(v *structpb.Value) bool {
		return slices.ContainsFunc(audiences, func(a string) bool { return v.GetStringValue() != "" && plain(a) == plain(v.GetStringValue()) })
	})
}

// passOn leaves claims where policies, routes and the upstream look for them.
func (t *tokenReader) passOn(p *jwtv3.JwtProvider, claims *structpb.Struct, payload string) {
	r := t.request
	if key := p.GetPayloadInMetadata(); key != "" {
		payload := &structpb.Struct{Fields: maps.Clone(claims.GetFields())}
		for _, name := range p.GetNormalizePayloadInMetadata().GetSpaceDelimitedClaims() {
			if words, ok := payload.Fields[name].GetKind().(*structpb.Value_StringValue); ok {
				list := &structpb.ListValue{}
				for word := range strings.SplitSeq(words.StringValue, " ") {
					if word != "" {
						list.Values = append(list.Values, structpb.NewStringValue(word))
					}
				}
				payload.Fields[name] = structpb.NewListValue(list)
			}
		}
		if r.metadata == nil {
			r.metadata = map[string]*structpb.Struct{}
		}
		r.metadata[jwtFilterName] = &structpb.Struct{Fields: map[string]*structpb.Value{key: structpb.NewStructValue(payload)}}
	}
	for _, c := range p.GetClaimToHeaders() {
		if value, ok := claimHeader(claims, c.GetClaimName()); ok {
			r.headers[strings.ToLower(c.GetHeaderName())] = value
		}
	}
	if name := p.GetForwardPayloadHeader(); name != "" {
		r.headers[strings.ToLower(name)] = payload
	}
}

// claimHeader writes a claim, named with dots for nested ones, as a header's value; lists and objects are encoded.
func claimHeader(claims *structpb.Struct, name string) (string, bool) {
	value := structpb.NewStructValue(claims)
	for key := range strings.SplitSeq(name, ".") {
		value = value.GetStructValue().GetFields()[key]
	}
	switch v := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return v.StringValue, true
	case *structpb.Value_BoolValue:
		return strconv.FormatBool(v.BoolValue), true
	case *structpb.Value_NumberValue:
		return strconv.FormatFloat(v.NumberValue, 'f', -1, 64), true
	case *structpb.Value_ListValue, *structpb.Value_StructValue:
		text, err := json.Marshal(value.AsInterface())
		return base64.StdEncoding.EncodeToString(text), err == nil
	}
	return "", false
}
