package simulate

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// redirect answers the request with the place to go to instead.
func (w *walk) redirect(r *route, a *routev3.RedirectAction) {
	w.out.Redirect = &Redirect{Status: redirectStatus(a.GetResponseCode()), Location: r.location(w.request, a)}
	w.step(StageCluster, by(a), "the client is sent to %s with status %d", w.out.Redirect.Location, w.out.Redirect.Status)
}

func redirectStatus(c routev3.RedirectAction_RedirectResponseCode) uint32 {
	switch c {
	case routev3.RedirectAction_FOUND:
		return 302
	case routev3.RedirectAction_SEE_OTHER:
		return 303
	case routev3.RedirectAction_TEMPORARY_REDIRECT:
		return 307
	case routev3.RedirectAction_PERMANENT_REDIRECT:
		return 308
	}
	return 301
}

// location is the Location header as Envoy writes it
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-redirectaction).
func (r *route) location(in *request, a *routev3.RedirectAction) string {
	scheme := in.scheme
	if a.GetSchemeRedirect() != "" {
		scheme = a.GetSchemeRedirect()
	} else if a.GetHttpsRedirect() {
		scheme = "https"
	}
	port := ""
	if a.GetPortRedirect() != 0 {
		port = ":" + strconv.FormatUint(uint64(a.GetPortRedirect()), 10)
	}
	host := a.GetHostRedirect()
	if host == "" {
		host = redirectHost(in, scheme, port)
	}
	return scheme + "://" + host + port + r.redirectPath(in.path, a)
}

// redirectHost is the request's host. Its port goes where the redirect names another one, and where it is the default of the scheme that is
// left behind.
func redirectHost(in *request, scheme, newPort string) string {
	host, port := splitPort(in.host)
	came := in.headers["x-forwarded-proto"]
	if newPort != "" || scheme != came && (came == "https" && port == ":443" || came == "http" && port == ":80") {
		return host
	}
	return in.host
}

// redirectPath is the request's path with its query, rewritten as the redirect says.
func (r *route) redirectPath(path string, a *routev3.RedirectAction) string {
	keepsQuery := true
	switch to := a.GetPathRewriteSpecifier().(type) {
	case *routev3.RedirectAction_PathRedirect:
		if to.PathRedirect == "" {
			break
		}
		_, query := splitQuery(path)
		path = to.PathRedirect
		// A query in the redirect takes the place of the request's.
		if strings.Contains(path, "?") {
			keepsQuery = false
		} else {
			path += query
		}
	case *routev3.RedirectAction_PrefixRewrite:
		path = r.rewrite(path, to.PrefixRewrite, nil)
	case *routev3.RedirectAction_RegexRewrite:
		path = r.rewrite(path, "", to.RegexRewrite)
	}
	if a.GetStripQuery() && keepsQuery {
		path, _ = splitQuery(path)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return path
}
