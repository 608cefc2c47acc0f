package translate

import (
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	networking "istio.io/api/networking/v1alpha3"
)

// claimPrefix begins the name of a "header" that is a claim of the request's token.
const claimPrefix = "@request.auth.claims"

// claimPath returns the keys that lead to a claim: @request.auth.claims.KEY.KEY or, where keys hold dots, @request.auth.claims[KEY][KEY]
// (https://istio.io/latest/docs/tasks/security/authentication/jwt-route/); nil for the name of an ordinary header.
func claimPath(name string) []string {
	rest, ok := cutFoldedPrefix(name, claimPrefix)
	if !ok || rest == "" {
		return nil
	}
	if keys, ok := strings.CutPrefix(rest, "."); ok {
		return strings.Split(keys, ".")
	}
	inner, ok := strings.CutPrefix(rest, "[")
	if !ok {
		return nil
	}
	inner, ok = strings.CutSuffix(inner, "]")
	if !ok || inner == "" {
		return nil
	}
	return strings.Split(inner, "][")
}

func cutFoldedPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// claimMatcher matches a claim in what the JWT filter leaves of the token: the value itself, or any element of a list. It returns nil for
// the name of an ordinary header.
func claimMatcher(name string, match *networking.StringMatch) *matcherv3.MetadataMatcher {
	keys := claimPath(name)
	if keys == nil {
		return nil
	}
	out := &matcherv3.MetadataMatcher{Filter: "envoy.filters.http.jwt_authn"}
	for _, key := range append([]string{"payload"}, keys...) {
		out.Path = append(out.Path, &matcherv3.MetadataMatcher_PathSegment{
			Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key},
		})
	}
	if anyValue(match) {
		out.Value = &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}}
		return out
	}
	text := func() *matcherv3.ValueMatcher {
		return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: StringMatcher(match)}}
	}
	element := &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_ListMatch{ListMatch: &matcherv3.ListMatcher{
		MatchPattern: &matcherv3.ListMatcher_OneOf{OneOf: text()},
	}}}
	out.Value = &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_OrMatch{OrMatch: &matcherv3.OrMatcher{
		ValueMatchers: []*matcherv3.ValueMatcher{element, text()},
	}}}
	return out
}
