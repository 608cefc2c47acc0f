package gatewayapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// filters writes a rule's filters into the route. A mirror that cannot be used is left out and reported as soft; a filter that Istio does not
// know refuses the whole route.
func (c *conversion) filters(out *networking.HTTPRoute, filters []gateway.HTTPRouteFilter, from route, enforce bool, path string) (soft, hard *problem) {
	for i, f := range filters {
		at := resource.Index(path+".filters", i)
		switch f.Type {
		case gateway.HTTPRouteFilterRequestHeaderModifier:
			setRequestHeaders(&out.Headers, f.RequestHeaderModifier)
		case gateway.HTTPRouteFilterResponseHeaderModifier:
			setResponseHeaders(&out.Headers, f.ResponseHeaderModifier)
		case gateway.HTTPRouteFilterRequestRedirect:
			out.Redirect = redirect(f.RequestRedirect)
		case gateway.HTTPRouteFilterURLRewrite:
			out.Rewrite = rewrite(f.URLRewrite)
		case gateway.HTTPRouteFilterCORS:
			out.CorsPolicy = cors(f.CORS)
		case gateway.HTTPRouteFilterRequestMirror:
			mirror, bad := c.mirror(f.RequestMirror, from, enforce)
			if bad != nil {
				soft = bad.at(at + ".requestMirror.backendRef")
				continue
			}
			out.Mirrors = append(out.Mirrors, mirror)
		default:
			return nil, unsupportedFilter(string(f.Type)).at(at)
		}
	}
	return soft, nil
}

// grpcFilters are filters for gRPC, where a mirror that cannot be used refuses the route.
func (c *conversion) grpcFilters(out *networking.HTTPRoute, filters []gateway.GRPCRouteFilter, from route, enforce bool, path string) *problem {
	for i, f := range filters {
		at := resource.Index(path+".filters", i)
		switch f.Type {
		case gateway.GRPCRouteFilterRequestHeaderModifier:
			setRequestHeaders(&out.Headers, f.RequestHeaderModifier)
		case gateway.GRPCRouteFilterResponseHeaderModifier:
			setResponseHeaders(&out.Headers, f.ResponseHeaderModifier)
		case gateway.GRPCRouteFilterRequestMirror:
			mirror, bad := c.mirror(f.RequestMirror, from, enforce)
			if bad != nil {
				return bad.at(at + ".requestMirror.backendRef")
			}
			out.Mirrors = append(out.Mirrors, mirror)
		default:
			return unsupportedFilter(string(f.Type)).at(at)
		}
	}
	return nil
}

func unsupportedFilter(kind string) *problem {
	return &problem{reason: "InvalidFilter", message: fmt.Sprintf("unsupported filter type %q", kind)}
}

func setRequestHeaders(out **networking.Headers, filter *gateway.HTTPHeaderFilter) {
	if filter != nil {
		if *out == nil {
			*out = &networking.Headers{}
		}
		(*out).Request = headerOperations(filter)
	}
}

func setResponseHeaders(out **networking.Headers, filter *gateway.HTTPHeaderFilter) {
	if filter != nil {
		if *out == nil {
			*out = &networking.Headers{}
		}
		(*out).Response = headerOperations(filter)
	}
}

func headerOperations(filter *gateway.HTTPHeaderFilter) *networking.Headers_HeaderOperations {
	return &networking.Headers_HeaderOperations{Add: headerValues(filter.Add), Set: headerValues(filter.Set), Remove: filter.Remove}
}

// headerValues keeps the first value of each header; names are the same in either case.
func headerValues(list []gateway.HTTPHeader) map[string]string {
	if len(list) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, h := range list {
		name := strings.ToLower(string(h.Name))
		if _, have := out[name]; !have {
			out[name] = h.Value
		}
	}
	return out
}

func (c *conversion) mirror(filter *gateway.HTTPRequestMirrorFilter, from route, enforce bool) (*networking.HTTPMirrorPolicy, *problem) {
	if filter == nil {
		return nil, &problem{reason: "InvalidFilter", message: "requestMirror is not set"}
	}
	to, bad := c.destination(gateway.BackendRef{BackendObjectReference: filter.BackendRef}, from, enforce)
	if bad != nil {
		return nil, bad
	}
	out := &networking.HTTPMirrorPolicy{Destination: to}
	switch {
	case filter.Fraction != nil:
		if of := orElse(filter.Fraction.Denominator, 100); of != 0 {
			out.Percentage = &networking.Percent{Value: 100 * float64(filter.Fraction.Numerator) / float64(of)}
		}
	case filter.Percent != nil:
		out.Percentage = &networking.Percent{Value: float64(*filter.Percent)}
	}
	return out, nil
}

func redirect(filter *gateway.HTTPRequestRedirectFilter) *networking.HTTPRedirect {
	if filter == nil {
		return nil
	}
	out := &networking.HTTPRedirect{
		Authority: string(orElse(filter.Hostname, "")), Scheme: orElse(filter.Scheme, ""), RedirectCode: uint32(orElse(filter.StatusCode, 0)),
	}
	// Without a port the request's is kept, unless the scheme changes: then its own is meant.
	switch {
	case filter.Port != nil:
		out.RedirectPort = &networking.HTTPRedirect_Port{Port: uint32(*filter.Port)}
	case filter.Scheme != nil:
		out.RedirectPort = &networking.HTTPRedirect_DerivePort{DerivePort: networking.HTTPRedirect_FROM_PROTOCOL_DEFAULT}
	default:
		out.RedirectPort = &networking.HTTPRedirect_DerivePort{DerivePort: networking.HTTPRedirect_FROM_REQUEST_PORT}
	}
	if filter.Path != nil {
		switch filter.Path.Type {
		case gateway.FullPathHTTPPathModifier:
			out.Uri = orElse(filter.Path.ReplaceFullPath, "")
		case gateway.PrefixMatchHTTPPathModifier:
			out.Uri = "%PREFIX()%" + orElse(filter.Path.ReplacePrefixMatch, "")
		}
	}
	return out
}

func rewrite(filter *gateway.HTTPURLRewriteFilter) *networking.HTTPRewrite {
	if filter == nil || filter.Path == nil && filter.Hostname == nil {
		return nil
	}
	out := &networking.HTTPRewrite{Authority: string(orElse(filter.Hostname, ""))}
	if filter.Path != nil {
		switch filter.Path.Type {
		case gateway.PrefixMatchHTTPPathModifier:
			out.Uri = strings.TrimSuffix(orElse(filter.Path.ReplacePrefixMatch, ""), "/")
			if out.Uri == "" {
				out.Uri = "/"
			}
		case gateway.FullPathHTTPPathModifier:
			out.UriRegexRewrite = &networking.RegexRewrite{Match: "/.*", Rewrite: orElse(filter.Path.ReplaceFullPath, "")}
		}
	}
	return out
}

func cors(filter *gateway.HTTPCORSFilter) *networking.CorsPolicy {
	if filter == nil {
		return nil
	}
	out := &networking.CorsPolicy{}
	for _, origin := range filter.AllowOrigins {
		if origin != "" {
			out.AllowOrigins = append(out.AllowOrigins, exact(string(origin)))
		}
	}
	if orElse(filter.AllowCredentials, false) {
		out.AllowCredentials = wrapperspb.Bool(true)
	}
	for _, method := range filter.AllowMethods {
		out.AllowMethods = append(out.AllowMethods, string(method))
	}
	for _, header := range filter.AllowHeaders {
		out.AllowHeaders = append(out.AllowHeaders, string(header))
	}
	for _, header := range filter.ExposeHeaders {
		out.ExposeHeaders = append(out.ExposeHeaders, string(header))
	}
	if filter.MaxAge > 0 {
		out.MaxAge = durationpb.New(time.Duration(filter.MaxAge) * time.Second)
	}
	return out
}

// setRetries asks for retries of what never reached the backend, as the Gateway API wants, and of the status codes that it names.
func setRetries(out *networking.HTTPRoute, retry *gateway.HTTPRouteRetry) {
	if retry == nil {
		return
	}
	out.Retries = &networking.HTTPRetry{Attempts: int32(orElse(retry.Attempts, 2))}
	if out.Retries.Attempts != 0 {
		on := []string{"connect-failure", "refused-stream", "unavailable", "cancelled"}
		for _, code := range retry.Codes {
			on = append(on, strconv.Itoa(int(code)))
		}
		out.Retries.RetryOn = strings.Join(on, ",")
	}
	if retry.Backoff != nil {
		out.Retries.Backoff = duration(*retry.Backoff)
	}
}

// setTimeouts sets the request's timeout, and the backend's for each try where there are retries.
func setTimeouts(out *networking.HTTPRoute, timeouts *gateway.HTTPRouteTimeouts) {
	if timeouts == nil {
		return
	}
	if timeouts.Request != nil {
		if d := duration(*timeouts.Request); d.AsDuration() != 0 {
			out.Timeout = d
		}
	}
	if timeouts.BackendRequest == nil {
		return
	}
	if d := duration(*timeouts.BackendRequest); d.AsDuration() == 0 {
		return
	} else if out.Retries != nil {
		out.Retries.PerTryTimeout = d
	} else {
		out.Timeout = d
	}
}

func duration(d gateway.Duration) *durationpb.Duration {
	parsed, err := time.ParseDuration(string(d))
	if err != nil {
		parsed = 0
	}
	return durationpb.New(parsed)
}
