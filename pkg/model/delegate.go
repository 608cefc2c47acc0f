package model

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
)

// mergeDelegates puts the routes of delegates where the root delegates to them. A route whose delegate is missing or not visible is
// dropped, and so is a delegate's route whose matches contradict the root's
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#Delegate).
func (v *VirtualService) mergeDelegates(delegates map[[2]string]*VirtualService) {
	routes, from := v.Spec.GetHttp(), v.HTTPFrom
	v.Spec.Http, v.HTTPFrom = nil, nil
	for i, route := range routes {
		d := route.GetDelegate()
		if d == nil {
			v.Spec.Http, v.HTTPFrom = append(v.Spec.Http, route), append(v.HTTPFrom, from[i])
			continue
		}
		ns := d.GetNamespace()
		if ns == "" {
			ns = v.Namespace
		}
		delegate := delegates[[2]string{ns, d.GetName()}]
		if delegate == nil || !Visible(delegate.ExportTo, delegate.Namespace, v.Namespace) {
			continue
		}
		for j, sub := range delegate.Spec.GetHttp() {
			if merged := mergeRoute(route, sub); merged != nil {
				v.Spec.Http = append(v.Spec.Http, merged)
				v.HTTPFrom = append(v.HTTPFrom, slices.Concat(from[i], delegate.HTTPFrom[j]))
			}
		}
	}
}

// mergeRoute returns the delegate's route completed by the root's, nil where no request can match both.
func mergeRoute(root, delegate *networking.HTTPRoute) *networking.HTTPRoute {
	matches, ok := mergeMatches(root.GetMatch(), delegate.GetMatch())
	if !ok {
		return nil
	}
	out := proto.CloneOf(delegate)
	out.Match = matches
	out.Name = joinNames(root.GetName(), delegate.GetName())
	inherit(&out.Rewrite, root.Rewrite)
	inherit(&out.DirectResponse, root.DirectResponse)
	inherit(&out.Timeout, root.Timeout)
	inherit(&out.Retries, root.Retries)
	inherit(&out.Fault, root.Fault)
	inherit(&out.Mirror, root.Mirror)
	//lint:ignore SA1019 istiod still reads it
	inherit(&out.MirrorPercent, root.MirrorPercent)
	inherit(&out.MirrorPercentage, root.MirrorPercentage)
	inherit(&out.CorsPolicy, root.CorsPolicy)
	inherit(&out.Headers, root.Headers)
	if out.Mirrors == nil {
		out.Mirrors = root.Mirrors
	}
	return out
}

func inherit[T any](own **T, parent *T) {
	if *own == nil {
		*own = parent
	}
}

func joinNames(root, own string) string {
	if root == "" || own == "" {
		return root + own
	}
	return root + "-" + own
}

// mergeMatches returns the delegate's matches, each joined with every match of the root that it does not contradict; ok is false where one
// finds none.
func mergeMatches(root, delegate []*networking.HTTPMatchRequest) (out []*networking.HTTPMatchRequest, ok bool) {
	if len(root) == 0 {
		return delegate, true
	}
	if len(delegate) == 0 {
		return root, true
	}
	for _, sub := range delegate {
		found := false
		for _, r := range root {
			if !contradicts(r, sub) {
				out = append(out, mergeMatch(r, sub))
				found = true
			}
		}
		if !found {
			return nil, false
		}
	}
	return out, true
}

func mergeMatch(root, delegate *networking.HTTPMatchRequest) *networking.HTTPMatchRequest {
	out := proto.CloneOf(delegate)
	out.Name = joinNames(root.GetName(), delegate.GetName())
	inherit(&out.Uri, root.Uri)
	inherit(&out.Scheme, root.Scheme)
	inherit(&out.Method, root.Method)
	inherit(&out.Authority, root.Authority)
	out.Headers = mergedMap(root.Headers, out.Headers)
	out.WithoutHeaders = mergedMap(root.WithoutHeaders, out.WithoutHeaders)
	out.QueryParams = mergedMap(root.QueryParams, out.QueryParams)
	out.SourceLabels = mergedMap(root.SourceLabels, out.SourceLabels)
	if out.Port == 0 {
		out.Port = root.Port
	}
	if out.SourceNamespace == "" {
		out.SourceNamespace = root.SourceNamespace
	}
	if len(out.Gateways) == 0 {
		out.Gateways = root.Gateways
	}
	if out.StatPrefix == "" {
		out.StatPrefix = root.StatPrefix
	}
	return out
}

// mergedMap returns both maps in one, the second one's values winning.
func mergedMap[V any](under, over map[string]V) map[string]V {
	if len(under) == 0 {
		return over
	}
	out := maps.Clone(under)
	maps.Copy(out, over)
	return out
}

// contradicts tells whether istiod takes the two matches to exclude each other.
func contradicts(root, leaf *networking.HTTPMatchRequest) bool {
	if textContradicts(root.GetUri(), leaf.GetUri()) || textContradicts(root.GetScheme(), leaf.GetScheme()) ||
		textContradicts(root.GetMethod(), leaf.GetMethod()) || textContradicts(root.GetAuthority(), leaf.GetAuthority()) {
		return true
	}
	if anyContradicts(root.GetHeaders(), leaf.GetHeaders()) || anyContradicts(root.GetWithoutHeaders(), leaf.GetWithoutHeaders()) ||
		anyContradicts(root.GetQueryParams(), leaf.GetQueryParams()) {
		return true
	}
	if root.GetIgnoreUriCase() != leaf.GetIgnoreUriCase() {
		return true
	}
	if root.GetPort() > 0 && leaf.GetPort() > 0 && root.GetPort() != leaf.GetPort() {
		return true
	}
	for k, v := range leaf.GetSourceLabels() {
		if have, ok := root.GetSourceLabels()[k]; ok && have != v {
			return true
		}
	}
	if ns := root.GetSourceNamespace(); ns != "" && leaf.GetSourceNamespace() != ns {
		return true
	}
	if len(root.GetGateways()) > 0 {
		return slices.ContainsFunc(leaf.GetGateways(), func(g string) bool { return !slices.Contains(root.GetGateways(), g) })
	}
	return false
}

func anyContradicts(root, leaf map[string]*networking.StringMatch) bool {
	for k, l := range leaf {
		if textContradicts(root[k], l) {
			return true
		}
	}
	return false
}

// textContradicts holds for different exact texts, for an exact text or prefix that lacks the root's prefix, and wherever a regular expression
// meets anything else, since nobody can tell.
func textContradicts(root, leaf *networking.StringMatch) bool {
	if root == nil || leaf == nil {
		return false
	}
	given := func(s *networking.StringMatch) bool {
		return s.GetRegex() != "" || s.GetPrefix() != "" || s.GetExact() != ""
	}
	if root.GetRegex() != "" && given(leaf) || leaf.GetRegex() != "" && given(root) {
		return true
	}
	if exact := root.GetExact(); exact != "" {
		return leaf.GetPrefix() != "" || leaf.GetExact() != exact
	}
	if prefix := root.GetPrefix(); prefix != "" {
		if exact := leaf.GetExact(); exact != "" {
			return !strings.HasPrefix(exact, prefix)
		}
		return !strings.HasPrefix(leaf.GetPrefix(), prefix)
	}
	return false
}
