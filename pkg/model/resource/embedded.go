package resource

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

// Embedded parses the YAML inside a string of the resource, such as data.mesh of the ConfigMap istio. Positions are those of the outer file:
// see document.Document.Embedded. The document is nil where the field is missing, empty, or no YAML; the findings say why.
func Embedded(r *Resource, path string) (*document.Document, []diag.Finding) {
	n, ok := r.NodeAt(path)
	if !ok || n.Kind != yaml.ScalarNode || r.Document == nil {
		return nil, nil
	}
	doc, findings := r.Document.Embedded(n)
	for i := range findings {
		findings[i].Resource, findings[i].Path = r.Ref(), path
	}
	return doc, findings
}

// IsMeshConfigMap tells whether the resource is the ConfigMap that holds the mesh's settings: istio, or istio-REVISION.
func IsMeshConfigMap(r *Resource) bool {
	return r.Kind == "ConfigMap" && r.Group() == "" && (r.Name == "istio" || strings.HasPrefix(r.Name, "istio-")) && hasData(r, "mesh", "meshNetworks")
}

// IsInjectorConfigMap tells whether the resource is the ConfigMap that holds the settings of sidecar injection.
func IsInjectorConfigMap(r *Resource) bool {
	return r.Kind == "ConfigMap" && r.Group() == "" && strings.HasPrefix(r.Name, "istio-sidecar-injector") && hasData(r, "values", "config")
}

func hasData(r *Resource, keys ...string) bool {
	for _, key := range keys {
		if _, ok := r.NodeAt("data." + key); ok {
			return true
		}
	}
	return false
}
