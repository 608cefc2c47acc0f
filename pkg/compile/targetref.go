package compile

import (
	"slices"

	typev1beta1 "istio.io/api/type/v1beta1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// waypointClass is the class of Gateways that are waypoints of ambient mode.
const waypointClass = "istio-waypoint"

// attachment is what a policy says of which workloads it is for.
type attachment struct {
	labels map[string]string
	refs   []*typev1beta1.PolicyTargetReference
}

func (a attachment) GetSelector() *typev1beta1.WorkloadSelector {
	return &typev1beta1.WorkloadSelector{MatchLabels: a.labels}
}

func (a attachment) GetTargetRefs() []*typev1beta1.PolicyTargetReference { return a.refs }

// selected tells whether a policy is for the proxy, by its labels or its references.
func (b *builder) selected(r *resource.Resource, labels map[string]string, refs []*typev1beta1.PolicyTargetReference) bool {
	return b.mesh.PolicyApplies(b.proxy, r, attachment{labels, refs})
}

// waypointRefs reports those of a policy's references that lead to what waypoints alone enforce.
func waypointRefs(mesh *model.Mesh, r *resource.Resource, spec model.WorkloadPolicy) []diag.Finding {
	const why = "waypoints enforce it, and they are not among the proxies that are compiled"
	refs, path := spec.GetTargetRefs(), "spec.targetRefs"
	if len(refs) == 0 {
		refs, path = model.TargetRefs(spec), "spec.targetRef"
	}
	var findings []diag.Finding
	for i, ref := range refs {
		if !forWaypoint(mesh, r.Namespace, ref) {
			continue
		}
		at := path
		if path == "spec.targetRefs" {
			at = resource.Index(path, i)
		}
		findings = append(findings, leftOut(r, at, why))
	}
	if len(findings) == len(refs) && len(refs) > 0 {
		return []diag.Finding{leftOut(r, path, why)}
	}
	return findings
}

func forWaypoint(mesh *model.Mesh, namespace string, ref *typev1beta1.PolicyTargetReference) bool {
	return ref.GetKind() != "Gateway" || slices.ContainsFunc(model.All[*gatewayv1.Gateway](mesh), func(gw resource.Of[*gatewayv1.Gateway]) bool {
		return gw.Namespace == namespace && gw.Name == ref.GetName() && gw.Spec.Spec.GatewayClassName == waypointClass
	})
}
