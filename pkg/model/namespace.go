package model

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// namespaceTable holds what the input says of namespaces.
type namespaceTable struct {
	documents map[string]resource.Of[*corev1.Namespace]
	names     []string // of documents and of everything that stands in one, ordered
}

func (m *Mesh) buildNamespaces() *namespaceTable {
	t := &namespaceTable{documents: map[string]resource.Of[*corev1.Namespace]{}}
	names := map[string]bool{}
	for _, r := range m.resources {
		if r.Namespace != "" {
			names[r.Namespace] = true
		}
	}
	for _, r := range All[*corev1.Namespace](m) {
		t.documents[r.Name] = r
		names[r.Name] = true
	}
	t.names = slices.Sorted(maps.Keys(names))
	return t
}

// Namespaces returns the names of all namespaces that the input has documents for or puts resources in, ordered.
func (m *Mesh) Namespaces() []string { return m.namespaces().names }

// Namespace returns the namespace's document; ok is false for a namespace that the input merely mentions.
func (m *Mesh) Namespace(name string) (r resource.Of[*corev1.Namespace], ok bool) {
	r, ok = m.namespaces().documents[name]
	return r, ok
}

// namespaceLabels returns the labels of the namespace's document, and whether there is one.
func (m *Mesh) namespaceLabels(name string) (map[string]string, bool) {
	r, ok := m.namespaces().documents[name]
	if !ok {
		return nil, false
	}
	return r.Labels, true
}
