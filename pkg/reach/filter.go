package reach

import (
	"maps"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	exthttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	extnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/diag"
)

// filter is one of a chain's that judges calls: by rules, by tokens, or by asking a provider.
type filter struct {
	http          bool
	rules, shadow *rbacv3.RBAC
	tokens        *tokenFilter
	// cluster is that over which a provider is asked, provider its name in the mesh's settings.
	cluster, provider string
	// asksAlways is set for a provider that is asked about every call; from says who wants that.
	asksAlways bool
	from       []Rule
}

// tokenFilter reads tokens.
type tokenFilter struct {
	rules    []TokenRule
	required bool
}

// TokenRule says whose tokens are valid.
type TokenRule struct {
	// Issuer must be the token's iss; "" for any.
	Issuer string `json:"issuer"`
	// Audiences must hold one of the token's aud, unless there are none.
	Audiences []string `json:"audiences,omitempty"`
	// From lists where tokens are looked for, unless that is the Authorization header alone: header NAME, parameter NAME, cookie NAME.
	From     []string      `json:"from,omitempty"`
	Resource diag.Resource `json:"resource"`
	Path     string        `json:"path"`
	Location diag.Location `json:"location"`

	// payload is the key under which the claims are left for policies.
	payload string
}

// chainReader reads what a chain judges calls by.
type chainReader struct{ sources *provenance.Map }

func (r chainReader) unpack(packed *anypb.Any) proto.Message {
	if packed == nil {
		return nil
	}
	msg, err := r.sources.Unpack(packed)
	if err != nil {
		return nil
	}
	return msg
}

// filters are those of the chain in their order; http tells whether it reads HTTP.
func (r chainReader) filters(chain *listenerv3.FilterChain) (filters []filter, http bool) {
	for _, f := range chain.GetFilters() {
		switch config := r.unpack(f.GetTypedConfig()).(type) {
		case *rbacnetworkv3.RBAC:
			filters = append(filters, filter{rules: config.GetRules(), shadow: config.GetShadowRules()})
		case *extnetworkv3.ExtAuthz:
			filters = append(filters, filter{
				cluster: config.GetGrpcService().GetEnvoyGrpc().GetClusterName(), provider: providerName(config.GetFilterEnabledMetadata()),
				asksAlways: config.GetFilterEnabledMetadata() == nil, from: r.from(f),
			})
		case *hcmv3.HttpConnectionManager:
			return append(filters, r.httpFilters(config)...), true
		case *tcpv3.TcpProxy:
			return filters, false
		}
	}
	return filters, false
}

func (r chainReader) httpFilters(m *hcmv3.HttpConnectionManager) []filter {
	var filters []filter
	for _, f := range m.GetHttpFilters() {
		if f.GetDisabled() {
			continue
		}
		switch config := r.unpack(f.GetTypedConfig()).(type) {
		case *jwtv3.JwtAuthentication:
			filters = append(filters, filter{http: true, tokens: r.tokens(config)})
		case *rbachttpv3.RBAC:
			filters = append(filters, filter{http: true, rules: config.GetRules(), shadow: config.GetShadowRules()})
		case *exthttpv3.ExtAuthz:
			cluster := config.GetGrpcService().GetEnvoyGrpc().GetClusterName()
			if cluster == "" {
				cluster = config.GetHttpService().GetServerUri().GetCluster()
			}
			filters = append(filters, filter{
				http: true, cluster: cluster, provider: providerName(config.GetFilterEnabledMetadata()),
				asksAlways: config.GetFilterEnabledMetadata() == nil, from: r.from(f),
			})
		}
	}
	return filters
}

// providerName finds the provider's name in the condition on which a filter asks it: that a rule of its policies was noted.
func providerName(enabled *matcherv3.MetadataMatcher) string {
	name, _ := strings.CutPrefix(enabled.GetValue().GetStringMatch().GetPrefix(), "istio-ext-authz-")
	return name
}

func (r chainReader) from(msg proto.Message) []Rule {
	var rules []Rule
	for _, from := range r.sources.Of(msg) {
		rules = append(rules, ruleOf(from))
	}
	return rules
}

func (r chainReader) tokens(config *jwtv3.JwtAuthentication) *tokenFilter {
	t := &tokenFilter{rules: []TokenRule{}}
	for _, name := range slices.Sorted(maps.Keys(config.GetProviders())) {
		p := config.GetProviders()[name]
		rule := TokenRule{Issuer: p.GetIssuer(), Audiences: p.GetAudiences(), payload: p.GetPayloadInMetadata()}
		for _, h := range p.GetFromHeaders() {
			rule.From = append(rule.From, "header "+h.GetName())
		}
		for _, name := range p.GetFromParams() {
			rule.From = append(rule.From, "parameter "+name)
		}
		for _, name := range p.GetFromCookies() {
			rule.From = append(rule.From, "cookie "+name)
		}
		if from := r.sources.Of(p); len(from) > 0 {
			at := ruleOf(from[0])
			rule.Resource, rule.Path, rule.Location = at.Resource, at.Path, at.Location
		}
		t.rules = append(t.rules, rule)
	}
	t.required = slices.ContainsFunc(config.GetRules(), func(rule *jwtv3.RequirementRule) bool { return !mayMiss(rule.GetRequires()) })
	return t
}

// mayMiss tells whether a requirement is content with a request without a token.
func mayMiss(r *jwtv3.JwtRequirement) bool {
	switch r := r.GetRequiresType().(type) {
	case *jwtv3.JwtRequirement_ProviderName, *jwtv3.JwtRequirement_ProviderAndAudiences:
		return false
	case *jwtv3.JwtRequirement_RequiresAny:
		return slices.ContainsFunc(r.RequiresAny.GetRequirements(), mayMiss)
	case *jwtv3.JwtRequirement_RequiresAll:
		return !slices.ContainsFunc(r.RequiresAll.GetRequirements(), func(each *jwtv3.JwtRequirement) bool { return !mayMiss(each) })
	}
	return true
}
