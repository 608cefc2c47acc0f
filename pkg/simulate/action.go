package simulate

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// act does what the route that matched says.
func (w *walk) act(r *route) {
	switch action := r.GetAction().(type) {
	case *routev3.Route_Redirect:
		w.redirect(r, action.Redirect)
	case *routev3.Route_DirectResponse:
		w.out.Direct = action.DirectResponse.GetStatus()
		w.step(StageCluster, by(action.DirectResponse), "the proxy itself answers with status %d", w.out.Direct)
	case *routev3.Route_Route:
		w.forward(r, action.Route)
	default:
		w.step(StageCluster, nil, "the route has no action that meshc knows")
	}
}

// forward sends the request to a cluster, or to one of several by weight.
func (w *walk) forward(r *route, a *routev3.RouteAction) {
	switch to := a.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		w.out.Cluster = to.Cluster
	case *routev3.RouteAction_ClusterHeader:
		w.out.Cluster, _ = w.request.header(strings.ToLower(to.ClusterHeader))
		w.step(StageCluster, by(a), "the cluster is the one that header %s names", to.ClusterHeader)
	case *routev3.RouteAction_WeightedClusters:
		for _, c := range to.WeightedClusters.GetClusters() {
			w.out.Clusters = append(w.out.Clusters, WeightedCluster{Name: c.GetName(), Weight: c.GetWeight().GetValue()})
			if last := &w.out.Clusters[len(w.out.Clusters)-1]; w.sim.clusters[last.Name] != nil {
				last.Upstream = w.upstream(r, a, c)
			}
		}
	}
	if w.noCluster() {
		w.out.Status = clusterNotFound(a)
	} else if w.out.Clusters == nil {
		w.out.Upstream = w.upstream(r, a, nil)
	}
	if w.out.Clusters != nil {
		w.step(StageCluster, by(a), "requests are shared among %s", describeClusters(w.out.Clusters))
		return
	}
	w.step(StageCluster, by(a, w.sim.clusters[w.out.Cluster]), "the request goes to %s%s", w.out.Cluster, w.sim.missing(w.out.Cluster))
}

// noCluster tells that the proxy has none of the clusters that the route names.
func (w *walk) noCluster() bool {
	for _, c := range w.out.Clusters {
		if w.sim.clusters[c.Name] != nil {
			return false
		}
	}
	return w.sim.clusters[w.out.Cluster] == nil
}

// clusterNotFound is the status that Envoy answers where a route's cluster is not there.
func clusterNotFound(a *routev3.RouteAction) uint32 {
	switch a.GetClusterNotFoundResponseCode() {
	case routev3.RouteAction_NOT_FOUND:
		return 404
	case routev3.RouteAction_INTERNAL_SERVER_ERROR:
		return 500
	}
	return 503
}

// missing says that a cluster is not there, in which case Envoy answers the request itself.
func (s *Simulator) missing(cluster string) string {
	if s.clusters[cluster] == nil {
		return ", which the proxy has no cluster for"
	}
	return ""
}

func (w *walk) upstreamHost(a *routev3.RouteAction) string {
	switch h := a.GetHostRewriteSpecifier().(type) {
	case *routev3.RouteAction_HostRewriteLiteral:
		return h.HostRewriteLiteral
	case *routev3.RouteAction_HostRewriteHeader:
		if value, ok := w.request.header(strings.ToLower(h.HostRewriteHeader)); ok {
			return value
		}
	case *routev3.RouteAction_HostRewritePathRegex:
		path, _ := splitQuery(w.request.path)
		return rewriteByRegex(path, h.HostRewritePathRegex)
	}
	return w.request.host
}

func (r *route) upstreamPath(path string, a *routev3.RouteAction) string {
	return r.rewrite(path, a.GetPrefixRewrite(), a.GetRegexRewrite())
}

// rewrite replaces the part of the path that the route matched, or what a regex finds in the path without its query.
func (r *route) rewrite(path, prefix string, regex *matcherv3.RegexMatchAndSubstitute) string {
	plain, query := splitQuery(path)
	switch {
	case prefix != "":
		return prefix + plain[len(r.matched(plain)):] + query
	case regex != nil:
		return rewriteByRegex(plain, regex) + query
	}
	return path
}

// rewriteByRegex replaces every match of the pattern. RE2 writes groups \1, and the whole match \0.
func rewriteByRegex(s string, rewrite *matcherv3.RegexMatchAndSubstitute) string {
	pattern, err := regexp.Compile(rewrite.GetPattern().GetRegex())
	if err != nil {
		return s
	}
	return pattern.ReplaceAllString(s, expansion(rewrite.GetSubstitution()))
}

// expansion turns a substitution from RE2's notation into that of Go.
func expansion(substitution string) string {
	var out strings.Builder
	for i := 0; i < len(substitution); i++ {
		c := substitution[i]
		switch {
		case c == '$':
			out.WriteString("$$")
		case c == '\\' && i+1 < len(substitution):
			i++
			if d := substitution[i]; d >= '0' && d <= '9' {
				fmt.Fprintf(&out, "${%c}", d)
			} else {
				out.WriteByte(d)
			}
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

func describeClusters(clusters []WeightedCluster) string {
	words := make([]string, len(clusters))
	for i, c := range clusters {
		words[i] = fmt.Sprintf("%s (%d)", c.Name, c.Weight)
	}
	return strings.Join(words, ", ")
}
