package authz

import (
	"fmt"
	"strconv"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// HTTP returns the HTTP filters of AUDIT, DENY and ALLOW policies, in this order, which is that of their precedence.
func HTTP(policies Policies, opts Options) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	for _, set := range opts.ruleSets(policies, false) {
		filters = append(filters, opts.httpFilter(HTTPFilterName, &rbachttpv3.RBAC{
			Rules: set.rules, ShadowRules: set.shadow, ShadowRulesStatPrefix: dryRunPrefix(set.shadow),
		}, set.sources))
	}
	return filters
}

// Network returns the network filters of AUDIT, DENY and ALLOW policies. What only HTTP has is unknown to them: an ALLOW rule that asks
// for it allows nothing, a DENY or AUDIT rule goes without it and so covers more
// (https://istio.io/latest/docs/concepts/security/#using-istio-authorization-on-plain-tcp-protocols).
func Network(policies Policies, opts Options) []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	for _, set := range opts.ruleSets(policies, true) {
		filters = append(filters, opts.networkFilter(NetworkFilterName, &rbacnetworkv3.RBAC{
			Rules: set.rules, ShadowRules: set.shadow, ShadowRulesStatPrefix: dryRunPrefix(set.shadow), StatPrefix: networkStatPrefix,
		}, set.sources))
	}
	return filters
}

func (o Options) httpFilter(name string, config proto.Message, sources []resource.Source) *hcmv3.HttpFilter {
	filter := &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: o.Sources.Pack(config)}}
	o.Sources.Add(filter, sources...)
	return filter
}

func (o Options) networkFilter(name string, config proto.Message, sources []resource.Source) *listenerv3.Filter {
	filter := &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: o.Sources.Pack(config)}}
	o.Sources.Add(filter, sources...)
	return filter
}

// dryRunPrefix begins the names under which Envoy reports what shadow rules would decide.
func dryRunPrefix(shadow *rbacv3.RBAC) string {
	switch shadow.GetAction() {
	case rbacv3.RBAC_ALLOW:
		return dryRunAllowPrefix
	case rbacv3.RBAC_DENY:
		return dryRunDenyPrefix
	default:
		return ""
	}
}

// ruleSets are those of the actions that have policies.
func (o Options) ruleSets(policies Policies, tcp bool) []ruleSet {
	var sets []ruleSet
	for _, of := range []struct {
		action   rbacv3.RBAC_Action
		policies []Policy
	}{
		{rbacv3.RBAC_LOG, policies.Audit},
		{rbacv3.RBAC_DENY, policies.Deny},
		{rbacv3.RBAC_ALLOW, policies.Allow},
	} {
		if len(of.policies) == 0 {
			continue
		}
		set := ruleSet{}
		for _, p := range of.policies {
			target := &set.rules
			if isDryRun(p) {
				target = &set.shadow
			}
			if *target == nil {
				*target = &rbacv3.RBAC{Action: of.action, Policies: map[string]*rbacv3.Policy{}}
			}
			o.addPolicy(*target, p, "", tcp)
			o.Sources.Add(*target, p.At("spec"))
			set.sources = append(set.sources, p.At("spec"))
		}
		sets = append(sets, set)
	}
	return sets
}

// isDryRun tells whether a policy is not enforced. A value that is no boolean counts as false, as in istiod.
func isDryRun(p Policy) bool {
	dry, err := strconv.ParseBool(p.Annotations["istio.io/dry-run"])
	return err == nil && dry
}

// addPolicy adds the rules of a policy. One without rules matches nothing: as an ALLOW policy it denies all that no other allows.
func (o Options) addPolicy(rbac *rbacv3.RBAC, p Policy, provider string, tcp bool) {
	for i, rule := range p.Spec.GetRules() {
		at := resource.Index("spec.rules", i)
		t := translation{policy: p, at: at, tcp: tcp, action: rbac.GetAction(), options: o}
		policy, err := t.policyOf(rule)
		if err != nil {
			continue
		}
		o.Sources.Add(policy, p.At(at))
		rbac.Policies[policyID(p, i, provider)] = policy
	}
	if len(p.Spec.GetRules()) == 0 {
		never := &rbacv3.Policy{
			Permissions: []*rbacv3.Permission{permissions.not(permissions.any())},
			Principals:  []*rbacv3.Principal{principals.not(principals.any())},
		}
		o.Sources.Add(never, p.At("spec"))
		rbac.Policies[policyID(p, 0, provider)] = never
	}
}

// policyID is the name by which Envoy's logs, statistics and metadata know a rule.
func policyID(p Policy, rule int, provider string) string {
	id := fmt.Sprintf("ns[%s]-policy[%s]-rule[%d]", p.Namespace, p.Name, rule)
	if p.Spec.GetAction() != security.AuthorizationPolicy_CUSTOM {
		return id
	}
	if provider == "" {
		return extAuthzPolicy + "-" + id
	}
	return extAuthzPolicy + "-" + provider + "-" + id
}
