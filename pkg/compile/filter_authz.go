package compile

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshc/meshc/pkg/compile/authz"
)

// securityFilters are what the policies that apply to the proxy amount to. They are the same in every filter chain, so they are made once and
// each chain gets filters of its own around the same configuration, which nobody may change.
type securityFilters struct {
	http    []*hcmv3.HttpFilter
	network []*listenerv3.Filter
}

// security returns the proxy's security filters in Istio's order: providers that CUSTOM policies ask, tokens, then the mesh's own policies.
func (b *builder) security() *securityFilters {
	if b.securityOf == nil {
		policies := b.mesh.AuthorizationPoliciesFor(b.proxy)
		opts := authz.Options{
			TrustDomains: append([]string{b.mesh.Settings.TrustDomain()}, b.mesh.Settings.Mesh.GetTrustDomainAliases()...),
			Sources:      b.sources,
		}
		if len(policies.Custom) > 0 {
			opts.Providers = authorizationProviders(b.mesh)
		}
		s := &securityFilters{http: authz.CustomHTTP(policies.Custom, opts)}
		if jwt := b.jwtFilter(); jwt != nil {
			s.http = append(s.http, jwt)
		}
		s.http = append(s.http, authz.HTTP(authz.Policies(policies), opts)...)
		s.network = append(authz.CustomNetwork(policies.Custom, opts), authz.Network(authz.Policies(policies), opts)...)
		b.securityOf = s
	}
	return b.securityOf
}

// securityHTTP are the HTTP filters that judge requests. A sidecar judges what comes to its workload, not what the workload sends.
func (b *builder) securityHTTP(direction direction) []*hcmv3.HttpFilter {
	if direction == outbound {
		return nil
	}
	var filters []*hcmv3.HttpFilter
	for _, f := range b.security().http {
		own := &hcmv3.HttpFilter{Name: f.GetName(), ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: f.GetTypedConfig()}}
		b.sources.Add(own, b.sources.Of(f)...)
		filters = append(filters, own)
	}
	return filters
}

// securityNetwork are the network filters that judge connections which are not read as HTTP.
func (b *builder) securityNetwork() []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	for _, f := range b.security().network {
		own := &listenerv3.Filter{Name: f.GetName(), ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: f.GetTypedConfig()}}
		b.sources.Add(own, b.sources.Of(f)...)
		filters = append(filters, own)
	}
	return filters
}
