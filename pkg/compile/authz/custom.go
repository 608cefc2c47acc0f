package authz

import (
	"maps"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	exthttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	extnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/pkg/model/resource"
)

// handOver is what CUSTOM policies hand over to one provider. A shadow RBAC filter notes in the request's metadata which rule matched; the
// external authorization filter after it asks the provider where one did
// (https://istio.io/latest/docs/tasks/security/authorization/authz-custom/).
type handOver struct {
	name     string
	provider *Provider
	rules    *rbacv3.RBAC
	// dryRun are the rules of policies on dry run, nil for none.
	dryRun  *rbacv3.RBAC
	sources []resource.Source
}

// CustomHTTP returns the HTTP filters of CUSTOM policies.
func CustomHTTP(policies []Policy, opts Options) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	for _, h := range opts.handOvers(policies, false) {
		if !h.provider.usable() {
			filters = append(filters, opts.httpFilter(HTTPFilterName, &rbachttpv3.RBAC{Rules: h.denied(opts)}, h.sources))
			continue
		}
		config := proto.Clone(h.provider.http).(*exthttpv3.ExtAuthz)
		config.FilterEnabledMetadata = h.matched(HTTPFilterName)
		sources := append(slices.Clone(h.sources), h.provider.Source)
		opts.Sources.Add(config, sources...)
		filters = append(filters,
			opts.httpFilter(HTTPFilterName, &rbachttpv3.RBAC{Rules: h.dryRun, ShadowRules: h.rules, ShadowRulesStatPrefix: extAuthzPrefix}, h.sources),
			opts.httpFilter(HTTPExtAuthzName, config, sources))
	}
	return filters
}

// CustomNetwork returns the network filters of CUSTOM policies. A provider that is asked over HTTP has no say in TCP connections.
func CustomNetwork(policies []Policy, opts Options) []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	for _, h := range opts.handOvers(policies, true) {
		switch {
		case !h.provider.usable():
			filters = append(filters, opts.networkFilter(NetworkFilterName,
				&rbacnetworkv3.RBAC{Rules: h.denied(opts), StatPrefix: networkStatPrefix}, h.sources))
		case h.provider.network != nil:
			config := proto.Clone(h.provider.network).(*extnetworkv3.ExtAuthz)
			config.FilterEnabledMetadata = h.matched(NetworkFilterName)
			sources := append(slices.Clone(h.sources), h.provider.Source)
			opts.Sources.Add(config, sources...)
			filters = append(filters,
				opts.networkFilter(NetworkFilterName, &rbacnetworkv3.RBAC{
					Rules: h.dryRun, ShadowRules: h.rules, ShadowRulesStatPrefix: extAuthzPrefix, StatPrefix: networkStatPrefix,
				}, h.sources),
				opts.networkFilter(NetworkExtAuthz, config, sources))
		}
	}
	return filters
}

// handOvers are those of the providers that the policies name, ordered by name. A workload can have one provider only (unless istiod runs with
// PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS): of several, none is asked.
func (o Options) handOvers(policies []Policy, tcp bool) []*handOver {
	byName := map[string]*handOver{}
	for _, p := range policies {
		name := p.Spec.GetProvider().GetName()
		h := byName[name]
		if h == nil {
			h = &handOver{name: name, provider: o.Providers[name], rules: denyRules()}
			byName[name] = h
		}
		rules := h.rules
		if isDryRun(p) {
			if h.dryRun == nil {
				h.dryRun = denyRules()
			}
			rules = h.dryRun
		}
		o.addPolicy(rules, p, name, tcp)
		o.Sources.Add(rules, p.At("spec"))
		h.sources = append(h.sources, p.At("spec"))
	}
	var all []*handOver
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		h := byName[name]
		if len(byName) > 1 {
			h.provider = nil
		}
		if h.dryRun != nil && len(h.dryRun.GetPolicies()) == 0 {
			h.dryRun = nil
		}
		all = append(all, h)
	}
	return all
}

func denyRules() *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{}}
}

// denied are the rules in force where the provider cannot be asked: what should have been handed over is denied.
func (h *handOver) denied(opts Options) *rbacv3.RBAC {
	deny := denyRules()
	for id, policy := range h.rules.GetPolicies() {
		deny.Policies[id+badProviderSuffix] = policy
	}
	opts.Sources.Add(deny, h.sources...)
	return deny
}

// matched is true where the filter of the name has noted a rule of this provider.
func (h *handOver) matched(filter string) *matcherv3.MetadataMatcher {
	return metadataMatcher(filter, []string{extAuthzPrefix + effectivePolicyID},
		&matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{
			StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: extAuthzPolicy + "-" + h.name}},
		}})
}
