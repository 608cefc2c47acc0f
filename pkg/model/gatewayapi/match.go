package gatewayapi

import (
	"fmt"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

func exact(text string) *networking.StringMatch {
	return &networking.StringMatch{MatchType: &networking.StringMatch_Exact{Exact: text}}
}

func prefix(text string) *networking.StringMatch {
	return &networking.StringMatch{MatchType: &networking.StringMatch_Prefix{Prefix: text}}
}

func regex(text string) *networking.StringMatch {
	return &networking.StringMatch{MatchType: &networking.StringMatch_Regex{Regex: text}}
}

func unknownType(kind, what string) *problem {
	return &problem{reason: "InvalidConfiguration", message: fmt.Sprintf("unknown type: %q is not supported %s type", kind, what)}
}

// httpMatch turns a match of an HTTPRoute into one of a VirtualService.
func httpMatch(m gateway.HTTPRouteMatch) (*networking.HTTPMatchRequest, *problem) {
	out := &networking.HTTPMatchRequest{}
	var bad *problem
	if out.Uri, bad = pathMatch(m.Path); bad != nil {
		return nil, bad
	}
	if m.Method != nil {
		out.Method = exact(string(*m.Method))
	}
	for _, h := range m.Headers {
		match, bad := textMatch(string(orElse(h.Type, gateway.HeaderMatchExact)), h.Value, "HeaderMatch")
		if bad != nil {
			return nil, bad
		}
		if out.Headers == nil {
			out.Headers = map[string]*networking.StringMatch{}
		}
		out.Headers[string(h.Name)] = match
	}
	for _, q := range m.QueryParams {
		match, bad := textMatch(string(orElse(q.Type, gateway.QueryParamMatchExact)), q.Value, "QueryParams")
		if bad != nil {
			return nil, bad
		}
		if out.QueryParams == nil {
			out.QueryParams = map[string]*networking.StringMatch{}
		}
		out.QueryParams[string(q.Name)] = match
	}
	return out, nil
}

// textMatch matches a value as a whole or by a regular expression: the types of headers and query parameters have the same names.
func textMatch(kind, value, what string) (*networking.StringMatch, *problem) {
	switch gateway.HeaderMatchType(kind) {
	case gateway.HeaderMatchExact:
		return exact(value), nil
	case gateway.HeaderMatchRegularExpression:
		return regex(value), nil
	}
	return nil, unknownType(kind, what)
}

func pathMatch(path *gateway.HTTPPathMatch) (*networking.StringMatch, *problem) {
	kind, value := gateway.PathMatchPathPrefix, "/"
	if path != nil {
		kind, value = orElse(path.Type, kind), orElse(path.Value, value)
	}
	switch kind {
	case gateway.PathMatchPathPrefix:
		if value != "/" {
			value = strings.TrimSuffix(value, "/")
		}
		return prefix(value), nil
	case gateway.PathMatchExact:
		return exact(value), nil
	case gateway.PathMatchRegularExpression:
		return regex(value), nil
	}
	return nil, unknownType(string(kind), "Path match")
}

// grpcMatch turns a match of a GRPCRoute into one of a VirtualService: a method is the path /SERVICE/METHOD.
func grpcMatch(m gateway.GRPCRouteMatch) (*networking.HTTPMatchRequest, *problem) {
	out := &networking.HTTPMatchRequest{}
	var bad *problem
	if out.Uri, bad = methodMatch(m.Method); bad != nil {
		return nil, bad
	}
	for _, h := range m.Headers {
		match, bad := textMatch(string(orElse(h.Type, gateway.GRPCHeaderMatchExact)), h.Value, "HeaderMatch")
		if bad != nil {
			return nil, bad
		}
		if out.Headers == nil {
			out.Headers = map[string]*networking.StringMatch{}
		}
		out.Headers[string(h.Name)] = match
	}
	return out, nil
}

func methodMatch(m *gateway.GRPCMethodMatch) (*networking.StringMatch, *problem) {
	if m == nil {
		return nil, nil
	}
	if m.Method == nil && m.Service == nil {
		return nil, &problem{reason: "InvalidConfiguration", message: "gRPC match must have method or service defined"}
	}
	switch kind := orElse(m.Type, gateway.GRPCMethodMatchExact); {
	case kind != gateway.GRPCMethodMatchExact && kind != gateway.GRPCMethodMatchRegularExpression:
		return nil, unknownType(string(kind), "Path match")
	case m.Service == nil:
		return regex("/[^/]+/" + *m.Method), nil
	case kind == gateway.GRPCMethodMatchExact && m.Method == nil:
		return prefix("/" + *m.Service + "/"), nil
	case kind == gateway.GRPCMethodMatchExact:
		return exact("/" + *m.Service + "/" + *m.Method), nil
	case m.Method == nil:
		return regex("/" + *m.Service + "/.+"), nil
	default:
		return regex("/" + *m.Service + "/" + *m.Method), nil
	}
}
