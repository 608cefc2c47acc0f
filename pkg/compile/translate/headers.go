package translate

import (
	"maps"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

// HeaderOps are header operations in Envoy's terms
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#Headers-HeaderOperations).
type HeaderOps struct {
	RequestAdd     []*corev3.HeaderValueOption
	RequestRemove  []string
	ResponseAdd    []*corev3.HeaderValueOption
	ResponseRemove []string
	// Authority is what Host or :authority is to be, "" for as it came: Envoy does not change it by header operations.
	Authority string
}

// HeaderOperations translates header operations: what is set before what is added, each ordered by name. Envoy refuses to change pseudo
// headers and Host, so these are left out.
func HeaderOperations(in *networking.Headers) HeaderOps {
	if in == nil {
		return HeaderOps{}
	}
	requestSet, setAuthority := headerValues(in.GetRequest().GetSet(), corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	requestAdd, addAuthority := headerValues(in.GetRequest().GetAdd(), corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	responseSet, _ := headerValues(in.GetResponse().GetSet(), corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	responseAdd, _ := headerValues(in.GetResponse().GetAdd(), corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	authority := setAuthority
	if authority == "" {
		authority = addAuthority
	}
	return HeaderOps{
		RequestAdd:     append(requestSet, requestAdd...),
		RequestRemove:  removable(in.GetRequest().GetRemove()),
		ResponseAdd:    append(responseSet, responseAdd...),
		ResponseRemove: removable(in.GetResponse().GetRemove()),
		Authority:      authority,
	}
}

func headerValues(in map[string]string, action corev3.HeaderValueOption_HeaderAppendAction) (out []*corev3.HeaderValueOption, authority string) {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if isHost(key) || strings.EqualFold(key, ":authority") {
			authority = in[key]
		}
		if protected(key) {
			continue
		}
		out = append(out, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: key, Value: in[key]},
			AppendAction: action,
		})
	}
	return out, authority
}

func removable(names []string) []string {
	var out []string
	for _, name := range names {
		if !protected(name) {
			out = append(out, name)
		}
	}
	return out
}

func isHost(name string) bool    { return strings.EqualFold(name, "host") }
func protected(name string) bool { return strings.HasPrefix(name, ":") || isHost(name) }

// applyToRoute adds the operations to those of the route.
func (ops HeaderOps) applyToRoute(out *routev3.Route) {
	out.RequestHeadersToAdd = append(out.RequestHeadersToAdd, ops.RequestAdd...)
	out.RequestHeadersToRemove = append(out.RequestHeadersToRemove, ops.RequestRemove...)
	out.ResponseHeadersToAdd = append(out.ResponseHeadersToAdd, ops.ResponseAdd...)
	out.ResponseHeadersToRemove = append(out.ResponseHeadersToRemove, ops.ResponseRemove...)
}
