// Package document turns bytes into YAML documents that know where they stand.
//
// It finds the files, reads each byte once, splits streams into documents and parses them to node trees. It knows nothing of
// Kubernetes: what a document means is the business of package resource. Input is hostile here, so size, depth, aliases and links
// are bounded, and what cannot be read becomes a finding while the rest goes on.
package document

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
)

// Document is one YAML (or JSON) document of a file.
type Document struct {
	// File is the name as the user would write it: relative, with forward slashes; "<stdin>" for standard input.
	File string
	// Line is the line of the file on which the document's text begins, from 1.
	Line int
	// Root is the top node; lines in it are those of the file, not of the document.
	Root *yaml.Node

	text []byte // from Line on
}

// BlockIndent returns by how many columns the text of a literal block scalar (|) is indented in the file.
func (d *Document) BlockIndent(n *yaml.Node) int {
	rows := bytes.Split(d.text, []byte("\n"))
	for i, content := range strings.Split(n.Value, "\n") {
		row := n.Line - d.Line + 1 + i
		if content != "" && row >= 0 && row < len(rows) {
			return max(0, len(bytes.TrimSuffix(rows[row], []byte("\r")))-len(content))
		}
	}
	return 0
}

// Location gives the range of a node.
func (d *Document) Location(n *yaml.Node) diag.Location {
	if n == nil {
		return diag.Location{File: d.File, Line: d.Line, Column: 1}
	}
	l := diag.Location{File: d.File, Line: n.Line, Column: n.Column}
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && n.Value != "" {
		width := len([]rune(n.Value))
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			width += 2
		}
		l.EndLine, l.EndColumn = n.Line, n.Column+width
	}
	return l
}
