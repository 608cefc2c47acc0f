package translate

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

// Redirect translates a redirect for requests that come in on the port, over TLS or not. PrefixMarks tells that the URI was written
// by the Gateway API's converter, which marks one that replaces the matched prefix with %PREFIX()%.
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRedirect).
func Redirect(in *networking.HTTPRedirect, port uint32, tls, prefixMarks bool) *routev3.RedirectAction {
	out := &routev3.RedirectAction{
		HostRedirect:         in.GetAuthority(),
		PathRewriteSpecifier: &routev3.RedirectAction_PathRedirect{PathRedirect: in.GetUri()},
		PortRedirect:         redirectPort(in, port, tls),
		ResponseCode:         redirectCode(in.GetRedirectCode()),
	}
	if prefix, ok := strings.CutPrefix(in.GetUri(), "%PREFIX()%"); ok && prefixMarks {
		out.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: prefix}
	}
	if in.GetPrefixRewrite() != "" {
		out.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: in.GetPrefixRewrite()}
	}
	if in.GetScheme() != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: in.GetScheme()}
	}
	return out
}

// redirectPort returns the port to write into the location, 0 for the one that goes without saying. Envoy cannot take it from
// the request, but a route belongs to one port anyhow.
func redirectPort(in *networking.HTTPRedirect, port uint32, tls bool) uint32 {
	var out uint32
	switch p := in.GetRedirectPort().(type) {
	case *networking.HTTPRedirect_Port:
		out = p.Port
	case *networking.HTTPRedirect_DerivePort:
		if p.DerivePort == networking.HTTPRedirect_FROM_REQUEST_PORT {
			out = port
		}
	}
	scheme := in.GetScheme()
	if scheme == "" {
		scheme = "http"
		if tls {
			scheme = "https"
		}
	}
	if scheme == "http" && out == 80 || scheme == "https" && out == 443 {
		return 0
	}
	return out
}

// redirectCode knows the codes that Envoy can send; validation refuses others.
func redirectCode(code uint32) routev3.RedirectAction_RedirectResponseCode {
	switch code {
	case 302:
		return routev3.RedirectAction_FOUND
	case 303:
		return routev3.RedirectAction_SEE_OTHER
	case 307:
		return routev3.RedirectAction_TEMPORARY_REDIRECT
	case 308:
		return routev3.RedirectAction_PERMANENT_REDIRECT
	}
	return routev3.RedirectAction_MOVED_PERMANENTLY
}

// DirectResponse translates a response that the proxy itself gives.
func DirectResponse(in *networking.HTTPDirectResponse) *routev3.DirectResponseAction {
	out := &routev3.DirectResponseAction{Status: in.GetStatus()}
	switch body := in.GetBody().GetSpecifier().(type) {
	case *networking.HTTPBody_String_:
		out.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: body.String_}}
	case *networking.HTTPBody_Bytes:
		out.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: body.Bytes}}
	}
	return out
}
