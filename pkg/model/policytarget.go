package model

import (
	"cmp"
	"slices"

	typev1beta1 "istio.io/api/type/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// WorkloadPolicy is a resource that says by labels or by reference which workloads it is for.
type WorkloadPolicy interface {
	GetSelector() *typev1beta1.WorkloadSelector
	GetTargetRefs() []*typev1beta1.PolicyTargetReference
}

// TargetRefs are the references of a policy, the older single one where it is the only one.
func TargetRefs(policy WorkloadPolicy) []*typev1beta1.PolicyTargetReference {
	refs := policy.GetTargetRefs()
	if single, ok := policy.(interface {
		GetTargetRef() *typev1beta1.PolicyTargetReference
	}); ok && len(refs) == 0 && single.GetTargetRef() != nil {
		refs = []*typev1beta1.PolicyTargetReference{single.GetTargetRef()}
	}
	return refs
}

// PolicyApplies tells whether a policy is for the proxy: it stands in the proxy's namespace or the root namespace and its selector picks the
// proxy's labels, or it refers to the Gateway of the Gateway API, in its own namespace, whose proxy this is. References to a GatewayClass, a
// Service or a ServiceEntry are for waypoints alone, and a policy with references is for nothing else
// (https://istio.io/latest/docs/reference/config/type/workload-selector/#PolicyTargetReference).
func (m *Mesh) PolicyApplies(p *Proxy, r *resource.Resource, policy WorkloadPolicy) bool {
	if r.Namespace != p.Namespace && r.Namespace != m.Settings.RootNamespace() {
		return false
	}
	refs := TargetRefs(policy)
	if len(refs) == 0 {
		return Selects(policy.GetSelector().GetMatchLabels(), p.Labels)
	}
	gateway, ok := p.Labels[gatewayNameLabel]
	return ok && slices.ContainsFunc(refs, func(ref *typev1beta1.PolicyTargetReference) bool {
		return ref.GetGroup() == "gateway.networking.k8s.io" && ref.GetKind() == "Gateway" && ref.GetName() == gateway &&
			cmp.Or(ref.GetNamespace(), r.Namespace) == p.Namespace
	})
}

// policiesFor returns those of the policies that are for the proxy: the root namespace's first, each namespace's oldest first.
func policiesFor[T WorkloadPolicy](m *Mesh, byNamespace map[string][]resource.Of[T], p *Proxy) []resource.Of[T] {
	root := m.Settings.RootNamespace()
	namespaces := []string{root, p.Namespace}
	if p.Namespace == root {
		namespaces = namespaces[:1]
	}
	var out []resource.Of[T]
	for _, ns := range namespaces {
		for _, r := range byNamespace[ns] {
			if m.PolicyApplies(p, r.Resource, r.Spec) {
				out = append(out, r)
			}
		}
	}
	return out
}
