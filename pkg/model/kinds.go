package model

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/pkg/model/resource"
)

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
	all := m.OfKind(kind, group)
	i, found := slices.BinarySearchFunc(all, [2]string{namespace, name}, func(r *resource.Resource, want [2]string) int {
		return cmp.Or(cmp.Compare(r.Namespace, want[0]), cmp.Compare(r.Name, want[1]))
	})
	if !found {
		return nil
	}
	return all[i]
}
