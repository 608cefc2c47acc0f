package translate

import (
	"regexp"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// action makes the action of a route that leads to destinations. Authority is what the entry's header operations set, if any; what a single
// destination does to headers joins what the entry does, in out.
func (b *routeBuilder) action(http *networking.HTTPRoute, out *routev3.Route, authority string) *routev3.RouteAction {
	action := &routev3.RouteAction{AppendXForwardedHost: b.ForwardedHost}
	setTimeout(action, http.GetTimeout())
	if b.semantics == gatewaySemantics {
		// The Gateway API asks for 500 where a backend does not exist.
		action.ClusterNotFoundResponseCode = routev3.RouteAction_INTERNAL_SERVER_ERROR
	}
	b.setRetries(action, http)
	if rewrite := http.GetRewrite(); rewrite != nil {
		b.setRewrite(action, rewrite, out.GetMatch())
		if rewrite.GetAuthority() != "" {
			authority = rewrite.GetAuthority()
		}
	}
	if authority != "" {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: authority}
	}
	b.addMirrors(action, http)
	if len(http.GetRoute()) == 1 {
		b.setDestination(action, out, http.GetRoute()[0])
	} else {
		b.setWeighted(action, http.GetRoute())
	}
	if http.GetTimeout() != nil {
		b.Sources.Add(action, b.from.field("timeout")...)
	}
	if http.GetRewrite() != nil {
		b.Sources.Add(action, b.from.field("rewrite")...)
	}
	return action
}

// setTimeout sets the timeout, none by default; gRPC's own deadline must not exceed it, and 0 leaves it to the caller.
func setTimeout(action *routev3.RouteAction, timeout *durationpb.Duration) {
	if timeout == nil {
		timeout = durationpb.New(0)
	}
	action.Timeout = timeout
	//lint:ignore SA1019 istiod uses this field; max_stream_duration, its successor, bounds streams that are not gRPC too.
	action.MaxGrpcTimeout = timeout
}

func (b *routeBuilder) setRetries(action *routev3.RouteAction, http *networking.HTTPRoute) {
	retries := http.GetRetries()
	if retries == nil {
		retries = b.Retries
	}
	hashed := len(http.GetRoute()) == 1 && b.policy(http.GetRoute()[0].GetDestination()).Hash != nil
	action.RetryPolicy = RetryPolicy(retries, hashed)
	if action.RetryPolicy != nil && http.GetRetries() != nil {
		b.Sources.Add(action.RetryPolicy, b.from.field("retries")...)
	}
}

func (b *routeBuilder) setRewrite(action *routev3.RouteAction, in *networking.HTTPRewrite, match *routev3.RouteMatch) {
	if regex := in.GetUriRegexRewrite(); regex != nil {
		action.RegexRewrite = rewriteRegex(regex.GetMatch(), regex.GetRewrite())
		return
	}
	if b.semantics == gatewaySemantics && in.GetUri() == "/" {
		// Replacing a prefix by nothing must neither leave two slashes nor none.
		action.RegexRewrite = rewriteRegex("^"+regexp.QuoteMeta(match.GetPathSeparatedPrefix())+`(/?)(.*)`, `/\2`)
		return
	}
	action.PrefixRewrite = in.GetUri()
}

func rewriteRegex(pattern, substitution string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{
		Pattern:      &matcherv3.RegexMatcher{Regex: pattern},
		Substitution: substitution,
	}
}

func (b *routeBuilder) addMirrors(action *routev3.RouteAction, http *networking.HTTPRoute) {
	if http.GetMirror() != nil {
		if share := mirrorShare(http); share != nil {
			m := b.mirror(http.GetMirror(), share)
			b.Sources.Add(m, b.from.field("mirror")...)
			action.RequestMirrorPolicies = append(action.RequestMirrorPolicies, m)
		}
	}
	for i, policy := range http.GetMirrors() {
		if policy.GetDestination() == nil {
			continue
		}
		share := percent(100)
		if policy.GetPercentage() != nil {
			if policy.GetPercentage().GetValue() <= 0 {
				continue
			}
			share = fraction(policy.GetPercentage())
		}
		m := b.mirror(policy.GetDestination(), share)
		b.Sources.Add(m, b.from.element("mirrors", i)...)
		action.RequestMirrorPolicies = append(action.RequestMirrorPolicies, m)
	}
}

// mirrorShare returns how much of the traffic is mirrored: all by default, nil for nothing.
func mirrorShare(http *networking.HTTPRoute) *typev3.FractionalPercent {
	if p := http.GetMirrorPercentage(); p != nil {
		if p.GetValue() <= 0 {
			return nil
		}
		return fraction(p)
	}
	//lint:ignore SA1019 the old field still counts
	if p := http.GetMirrorPercent(); p != nil {
		if p.GetValue() == 0 {
			return nil
		}
		return percent(p.GetValue())
	}
	return percent(100)
}

func (b *routeBuilder) mirror(to *networking.Destination, share *typev3.FractionalPercent) *routev3.RouteAction_RequestMirrorPolicy {
	return &routev3.RouteAction_RequestMirrorPolicy{
		Cluster:                       b.cluster(to),
		RuntimeFraction:               runtimeFraction(share),
		TraceSampled:                  wrapperspb.Bool(false),
		DisableShadowHostSuffixAppend: true,
	}
}

func (b *routeBuilder) setDestination(action *routev3.RouteAction, out *routev3.Route, to *networking.HTTPRouteDestination) {
	action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: b.cluster(to.GetDestination())}
	b.Sources.Add(action, b.from.element("route", 0)...)
	ops := HeaderOperations(to.GetHeaders())
	ops.applyToRoute(out)
	// As with several destinations, where Envoy prefers the route's own rewrite.
	if ops.Authority != "" && action.GetHostRewriteSpecifier() == nil {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: ops.Authority}
	}
	addHashPolicy(action, b.policy(to.GetDestination()), b.Sources)
}

func (b *routeBuilder) setWeighted(action *routev3.RouteAction, destinations []*networking.HTTPRouteDestination) {
	weighted := &routev3.WeightedCluster{}
	b.Sources.Add(action, b.from.field("route")...)
	b.Sources.Add(weighted, b.from.field("route")...)
	for i, to := range destinations {
		if to.GetWeight() <= 0 {
			continue
		}
		ops := HeaderOperations(to.GetHeaders())
		cluster := &routev3.WeightedCluster_ClusterWeight{
			Name:                    b.cluster(to.GetDestination()),
			Weight:                  wrapperspb.UInt32(uint32(to.GetWeight())),
			RequestHeadersToAdd:     ops.RequestAdd,
			RequestHeadersToRemove:  ops.RequestRemove,
			ResponseHeadersToAdd:    ops.ResponseAdd,
			ResponseHeadersToRemove: ops.ResponseRemove,
		}
		if ops.Authority != "" {
			cluster.HostRewriteSpecifier = &routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral{HostRewriteLiteral: ops.Authority}
		}
		b.Sources.Add(cluster, b.from.element("route", i)...)
		addHashPolicy(action, b.policy(to.GetDestination()), b.Sources)
		weighted.Clusters = append(weighted.Clusters, cluster)
	}
	action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}
}
