package translate

import (
	"maps"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// RouteMatch translates an HTTP match (https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest); nil
// matches every request. Segments says that prefixes match whole path segments only, as in the Gateway API and in Ingress. Headers and
// query parameters are ordered by name.
func RouteMatch(in *networking.HTTPMatchRequest, segments bool) *routev3.RouteMatch {
	out := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	if in == nil {
		return out
	}
	setPath(out, in.GetUri(), segments)
	out.CaseSensitive = wrapperspb.Bool(!in.GetIgnoreUriCase())
	for _, name := range slices.Sorted(maps.Keys(in.GetHeaders())) {
		addHeader(out, name, in.GetHeaders()[name], false)
	}
	for _, name := range slices.Sorted(maps.Keys(in.GetWithoutHeaders())) {
		addHeader(out, name, in.GetWithoutHeaders()[name], true)
	}
	slices.SortStableFunc(out.Headers, func(a, b *routev3.HeaderMatcher) int { return strings.Compare(a.Name, b.Name) })
	for _, pseudo := range []struct {
		name  string
		match *networking.StringMatch
	}{{":method", in.GetMethod()}, {":authority", in.GetAuthority()}, {":scheme", in.GetScheme()}} {
		if pseudo.match != nil {
			out.Headers = append(out.Headers, headerMatcher(pseudo.name, pseudo.match))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.GetQueryParams())) {
		out.QueryParameters = append(out.QueryParameters, queryMatcher(name, in.GetQueryParams()[name]))
	}
	return out
}

func setPath(out *routev3.RouteMatch, uri *networking.StringMatch, segments bool) {
	switch m := uri.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Exact}
	case *networking.StringMatch_Prefix:
		if segments && m.Prefix != "/" {
			out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: strings.TrimSuffix(m.Prefix, "/")}
		} else {
			out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: m.Prefix}
		}
	case *networking.StringMatch_Regex:
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: m.Regex}}
	}
}

// addHeader adds a matcher of a header, or of a JWT claim that stands in its place; without turns it around.
func addHeader(out *routev3.RouteMatch, name string, match *networking.StringMatch, without bool) {
	if claim := claimMatcher(name, match); claim != nil {
		claim.Invert = without
		out.DynamicMetadata = append(out.DynamicMetadata, claim)
		return
	}
	header := headerMatcher(name, match)
	header.InvertMatch = without
	// Envoy lets a missing header fail a string match even where that is inverted, yet "not this value" holds for a missing header.
	header.TreatMissingHeaderAsEmpty = without && !anyValue(match)
	out.Headers = append(out.Headers, header)
}

func headerMatcher(name string, match *networking.StringMatch) *routev3.HeaderMatcher {
	out := &routev3.HeaderMatcher{Name: name}
	if anyValue(match) {
		out.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}
	} else {
		out.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: StringMatcher(match)}
	}
	return out
}

func queryMatcher(name string, match *networking.StringMatch) *routev3.QueryParameterMatcher {
	out := &routev3.QueryParameterMatcher{Name: name}
	if anyValue(match) {
		out.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: true}
	} else {
		out.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: StringMatcher(match)}
	}
	return out
}

// anyValue tells whether a match asks for presence only: no condition, or the regex "*", which is none but is commonly written.
func anyValue(match *networking.StringMatch) bool {
	switch m := match.GetMatchType().(type) {
	case nil:
		return true
	case *networking.StringMatch_Regex:
		return m.Regex == "*"
	}
	return false
}

// StringMatcher translates a string match; nil for one without a condition.
func StringMatcher(in *networking.StringMatch) *matcherv3.StringMatcher {
	switch m := in.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: m.Exact}}
	case *networking.StringMatch_Prefix:
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: m.Prefix}}
	case *networking.StringMatch_Regex:
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
			SafeRegex: &matcherv3.RegexMatcher{Regex: m.Regex},
		}}
	}
	return nil
}
