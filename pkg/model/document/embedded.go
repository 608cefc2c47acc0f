package document

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
)

// Embedded parses the YAML inside a string of the document. Lines and columns of what it returns are those of the file around it: exact for
// literal block scalars (|), else those of the string itself. The document is nil where the string is empty or no YAML; the findings say why.
func (d *Document) Embedded(n *yaml.Node) (*Document, []diag.Finding) {
	inner, findings := Parse(d.File, 1, []byte(n.Value), Limits{})
	if n.Style&yaml.LiteralStyle == 0 {
		if inner != nil {
			collapse(inner.Root, n)
			inner = &Document{File: d.File, Line: n.Line, Root: inner.Root}
		}
		for i := range findings {
			findings[i].Location, findings[i].Related = d.Location(n), nil
		}
		return inner, findings
	}
	indent := d.blockIndent(n)
	if inner != nil {
		shift(inner.Root, n.Line, indent)
		inner.Line, inner.indent = inner.Line+n.Line, indent
	}
	for i := range findings {
		shiftLocation(&findings[i].Location, n.Line, indent)
		for j := range findings[i].Related {
			shiftLocation(&findings[i].Related[j].Location, n.Line, indent)
		}
	}
	return inner, findings
}

// collapse puts a whole tree where the outer string stands.
func collapse(n, outer *yaml.Node) {
	n.Line, n.Column = outer.Line, outer.Column
	for _, child := range n.Content {
		collapse(child, outer)
	}
}

func shift(n *yaml.Node, lines, columns int) {
	n.Line += lines
	n.Column += columns
	for _, child := range n.Content {
		shift(child, lines, columns)
	}
}

func shiftLocation(l *diag.Location, lines, columns int) {
	l.Line += lines
	l.Column += columns
	if l.EndLine > 0 {
		l.EndLine += lines
		l.EndColumn += columns
	}
}
