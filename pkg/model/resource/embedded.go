package resource

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

// Embedded parses the YAML inside a string of the resource, such as data.mesh of the ConfigMap istio. The document's lines and columns are
// those of the outer file: exact for literal block scalars (|), else those of the string itself. The document is nil where the field is
// missing, empty, or no YAML; the findings say why.
func Embedded(r *Resource, path string) (*document.Document, []diag.Finding) {
	n, ok := r.NodeAt(path)
	if !ok || n.Kind != yaml.ScalarNode || r.Document == nil {
		return nil, nil
	}
	doc, findings := document.Parse(r.Document.File, 1, []byte(n.Value), document.Limits{})
	shift := r.shiftOf(n)
	if doc != nil {
		doc.Line = shift.line(1)
		shift.node(doc.Root)
	}
	for i := range findings {
		f := &findings[i]
		f.Resource, f.Path = r.Ref(), path
		shift.location(&f.Location)
		for j := range f.Related {
			shift.location(&f.Related[j].Location)
		}
		if !shift.exact {
			f.Location = r.Document.Location(n)
		}
	}
	return doc, findings
}

// shift maps positions inside a string to those of the file around it.
type shift struct {
	// exact is false for quoted and folded strings, whose inner positions all become the string's own.
	exact         bool
	first, indent int
	outer         *yaml.Node
}

func (r *Resource) shiftOf(n *yaml.Node) shift {
	s := shift{outer: n, first: n.Line}
	if n.Style&yaml.LiteralStyle == 0 {
		return s
	}
	s.exact = true
	s.first = n.Line + 1
	s.indent = r.Document.BlockIndent(n)
	return s
}

func (s shift) line(line int) int {
	if !s.exact {
		return s.outer.Line
	}
	return line + s.first - 1
}

func (s shift) location(l *diag.Location) {
	l.Line = s.line(l.Line)
	if l.EndLine > 0 {
		l.EndLine = s.line(l.EndLine)
	}
	if !s.exact {
		l.Column, l.EndLine, l.EndColumn = s.outer.Column, 0, 0
		return
	}
	l.Column += s.indent
	if l.EndColumn > 0 {
		l.EndColumn += s.indent
	}
}

// node shifts a tree that no alias leads back into.
func (s shift) node(n *yaml.Node) {
	n.Line = s.line(n.Line)
	if s.exact {
		n.Column += s.indent
	} else {
		n.Column = s.outer.Column
	}
	for _, child := range n.Content {
		s.node(child)
	}
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
