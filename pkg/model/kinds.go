package model

import "github.com/meshc/meshc/pkg/model/resource"

// All returns the resources whose object has the Go type T, in the mesh's order: All[*networking.VirtualService](m).
func All[T any](m *Mesh) []resource.Of[T] {
	var all []resource.Of[T]
	for _, r := range m.resources {
		if spec, ok := r.Object.(T); ok {
			all = append(all, resource.Of[T]{Resource: r, Spec: spec})
		}
	}
	return all
}

// OfKind returns the resources of a kind, in the mesh's order; group is "" for Kubernetes' core.
func (m *Mesh) OfKind(kind, group string) []*resource.Resource { return m.byKind[kind+"."+group] }

// Find returns the resource with the name, nil where there is none; namespace is "" for cluster-scoped kinds.
func (m *Mesh) Find(kind, group, namespace, name string) *resource.Resource {
	for _, r := range m.OfKind(kind, group) {
		if r.Namespace == namespace && r.Name == name {
			return r
		}
	}
	return nil
}
