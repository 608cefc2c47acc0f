package translate

import (
	"strconv"
	"strings"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// CORS translates a CORS policy, nil for none (https://istio.io/latest/docs/reference/config/networking/virtual-service/#CorsPolicy).
func CORS(in *networking.CorsPolicy) *corsv3.CorsPolicy {
	if in == nil {
		return nil
	}
	out := &corsv3.CorsPolicy{
		AllowOriginStringMatch: origins(in),
		AllowMethods:           strings.Join(in.GetAllowMethods(), ","),
		AllowHeaders:           strings.Join(in.GetAllowHeaders(), ","),
		ExposeHeaders:          strings.Join(in.GetExposeHeaders(), ","),
		AllowCredentials:       in.GetAllowCredentials(),
		FilterEnabled:          runtimeFraction(percent(100)),
		ForwardNotMatchingPreflights: wrapperspb.Bool(
			in.GetUnmatchedPreflights() != networking.CorsPolicy_IGNORE),
	}
	if in.GetMaxAge() != nil {
		out.MaxAge = strconv.FormatInt(in.GetMaxAge().GetSeconds(), 10)
	}
	return out
}

// origins prefers allowOrigins over its predecessor, a list of exact origins.
func origins(in *networking.CorsPolicy) []*matcherv3.StringMatcher {
	var out []*matcherv3.StringMatcher
	for _, origin := range in.GetAllowOrigins() {
		if m := StringMatcher(origin); m != nil {
			out = append(out, m)
		}
	}
	if in.GetAllowOrigins() != nil {
		return out
	}
	//lint:ignore SA1019 the old field still counts
	for _, origin := range in.GetAllowOrigin() {
		out = append(out, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: origin}})
	}
	return out
}
