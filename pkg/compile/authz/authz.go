// Package authz translates Istio's security policies into Envoy filters: AuthorizationPolicy into RBAC and external authorization, over HTTP
// and over TCP, and RequestAuthentication into JWT authentication. It knows no mesh: which policies apply to a proxy, in which order, and which
// services there are is for the caller to say.
//
// Files are named for what they translate: policy.go the policies of one action, rule.go one rule of a policy, permission.go what is called
// (to, and conditions about the destination), principal.go who calls (from, and conditions about the source), custom.go the hand-over to a
// provider, jwt.go tokens.
//
// See https://istio.io/latest/docs/reference/config/security/authorization-policy/ and
// https://istio.io/latest/docs/reference/config/security/request_authentication/.
package authz

import (
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Policy is an AuthorizationPolicy and where it stands.
type Policy = resource.Of[*security.AuthorizationPolicy]

// Names of the filters, as istiod writes them.
const (
	HTTPFilterName     = "envoy.filters.http.rbac"
	NetworkFilterName  = "envoy.filters.network.rbac"
	HTTPExtAuthzName   = "envoy.filters.http.ext_authz"
	NetworkExtAuthz    = "envoy.filters.network.ext_authz"
	JWTFilterName      = "envoy.filters.http.jwt_authn"
	networkStatPrefix  = "tcp."
	dryRunAllowPrefix  = "istio_dry_run_allow_"
	dryRunDenyPrefix   = "istio_dry_run_deny_"
	extAuthzPrefix     = "istio_ext_authz_"
	effectivePolicyID  = "shadow_effective_policy_id"
	extAuthzPolicy     = "istio-ext-authz"
	badProviderSuffix  = "-deny-due-to-bad-CUSTOM-action"
	identityPrefix     = "spiffe://"
	defaultTrustDomain = "cluster.local"
)

// Options of the translation.
type Options struct {
	// TrustDomains are the mesh's trust domain and its aliases, the domain itself first. A principal of one of them stands for all.
	TrustDomains []string
	// Providers are those of MeshConfig.extensionProviders that authorize, by name.
	Providers map[string]*Provider
	// Sources takes the place in the YAML of every message that is made; never nil.
	Sources *provenance.Map
}

// Policies are those that apply to one proxy, by action, each in the order in which they are to be looked at.
type Policies struct {
	Custom, Audit, Deny, Allow []Policy
}

// ruleSet is what the policies of one action amount to: those that are enforced, and those that only tell what they would decide
// (https://istio.io/latest/docs/tasks/security/authorization/authz-dry-run/). Each is nil where there is no such policy.
type ruleSet struct {
	rules, shadow *rbacv3.RBAC
	sources       []resource.Source
}
