// Package document turns bytes into YAML documents that know where they stand.
//
// It finds the files, reads each byte once, splits streams into documents and parses them to node trees. It knows nothing of
// Kubernetes: what a document means is the business of package resource. Input is hostile here, so size, depth, aliases and links
// are bounded, and what cannot be read becomes a finding while the rest goes on.
package document

import (
	"bytes"
	"sync"
	"unicode/utf8"

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
	rows func() [][]byte
	// indent is by how many columns the text is indented in the file: not 0 only inside a block scalar.
	indent int
}

func newDocument(file string, c chunk, root *yaml.Node) *Document {
	rows := sync.OnceValue(func() [][]byte { return bytes.Split(c.text, []byte("\n")) })
	return &Document{File: file, Line: c.line, Root: root, text: c.text, rows: rows}
}

// row returns the text of a line of the file, nil where it is none of the document's.
func (d *Document) row(line int) []byte {
	if d.rows == nil || line < d.Line {
		return nil
	}
	rows := d.rows()
	if line-d.Line >= len(rows) {
		return nil
	}
	return bytes.TrimSuffix(rows[line-d.Line], []byte("\r"))
}

// Location gives the range of a scalar that stands on one line, without its anchor and tag, and the beginning of anything else.
func (d *Document) Location(n *yaml.Node) diag.Location {
	if n == nil {
		return diag.Location{File: d.File, Line: d.Line, Column: 1}
	}
	l := diag.Location{File: d.File, Line: n.Line, Column: n.Column}
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return l
	}
	row := skipRunes(d.row(n.Line), n.Column-1-d.indent)
	token := skipProperties(row)
	l.Column += utf8.RuneCount(row[:len(row)-len(token)])
	if width := scalarWidth(token, n); width > 0 {
		l.EndLine, l.EndColumn = n.Line, l.Column+utf8.RuneCount(token[:width])
	}
	return l
}

func skipRunes(row []byte, n int) []byte {
	for ; n > 0 && len(row) > 0; n-- {
		_, width := utf8.DecodeRune(row)
		row = row[width:]
	}
	return row
}

// skipProperties skips an anchor and a tag in front of a value.
func skipProperties(row []byte) []byte {
	for len(row) > 0 && (row[0] == '&' || row[0] == '!') {
		end := bytes.IndexByte(row, ' ')
		if end < 0 {
			return row[len(row):]
		}
		row = bytes.TrimLeft(row[end:], " ")
	}
	return row
}

// scalarWidth returns how many bytes the scalar's text takes up, 0 where it does not end on the line.
func scalarWidth(token []byte, n *yaml.Node) int {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(token); i++ {
			switch token[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(token); i++ {
			if token[i] != '\'' {
				continue
			}
			if i+1 < len(token) && token[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
	case bytes.HasPrefix(token, []byte(n.Value)):
		return len(n.Value)
	}
	return 0
}

// blockIndent returns by how many columns the text of a literal block scalar (|) is indented in the file.
func (d *Document) blockIndent(n *yaml.Node) int {
	line := n.Line + 1
	for content := range bytes.SplitSeq([]byte(n.Value), []byte("\n")) {
		if row := d.row(line); len(content) > 0 && row != nil {
			return max(0, len(row)-len(bytes.TrimSuffix(content, []byte("\r"))))
		}
		line++
	}
	return 0
}
