package resource

import (
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
