package model

import (
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// sidecarTable holds the Sidecars by namespace, oldest first.
type sidecarTable map[string][]resource.Of[*networking.Sidecar]

func (m *Mesh) buildSidecars() sidecarTable {
	return groupBy(byAge(All[*networking.Sidecar](m)), func(r resource.Of[*networking.Sidecar]) string { return r.Namespace })
}

// sidecarFor returns the Sidecar that applies to a workload: one of its namespace whose selector picks it, else the namespace's own without
// a selector, else the root namespace's (https://istio.io/latest/docs/reference/config/networking/sidecar/).
func (m *Mesh) sidecarFor(namespace string, labels map[string]string) *resource.Of[*networking.Sidecar] {
	t := m.sidecars()
	var whole *resource.Of[*networking.Sidecar]
	for i := range t[namespace] {
		s := &t[namespace][i]
		switch {
		case s.Spec.GetWorkloadSelector() == nil:
			if whole == nil {
				whole = s
			}
		case Selects(s.Spec.GetWorkloadSelector().GetLabels(), labels):
			return s
		}
	}
	if whole != nil {
		return whole
	}
	root := t[m.Settings.RootNamespace()]
	for i := range root {
		if root[i].Spec.GetWorkloadSelector() == nil {
			return &root[i]
		}
	}
	return nil
}
