package model

import (
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// AuthorizationPolicies are those that apply to a proxy, by action: the root namespace's first, each namespace's oldest first.
type AuthorizationPolicies struct {
	Custom, Audit, Deny, Allow []resource.Of[*security.AuthorizationPolicy]
}

// authorizationTable holds AuthorizationPolicies by namespace, oldest first.
type authorizationTable map[string][]resource.Of[*security.AuthorizationPolicy]

func (m *Mesh) buildAuthorizations() authorizationTable {
	return groupBy(byAge(All[*security.AuthorizationPolicy](m)), func(r resource.Of[*security.AuthorizationPolicy]) string { return r.Namespace })
}

// AuthorizationPoliciesFor returns the policies that apply to the proxy
// (https://istio.io/latest/docs/reference/config/security/authorization-policy/).
func (m *Mesh) AuthorizationPoliciesFor(p *Proxy) AuthorizationPolicies {
	var out AuthorizationPolicies
	for _, policy := range policiesFor(m, m.authorizations(), p) {
		switch policy.Spec.GetAction() {
		case security.AuthorizationPolicy_CUSTOM:
			out.Custom = append(out.Custom, policy)
		case security.AuthorizationPolicy_AUDIT:
			out.Audit = append(out.Audit, policy)
		case security.AuthorizationPolicy_DENY:
			out.Deny = append(out.Deny, policy)
		case security.AuthorizationPolicy_ALLOW:
			out.Allow = append(out.Allow, policy)
		}
	}
	return out
}
