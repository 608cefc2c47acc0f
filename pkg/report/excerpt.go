package report

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/pkg/diag"
)

// widest is how much of a line an excerpt shows, in characters.
const widest = 160

// excerpts finds lines of the input. Lines that could hold key material are never shown.
type excerpts struct {
	source func(file string) []byte
	lines  map[string][][]byte
}

func newExcerpts(source func(string) []byte) *excerpts {
	return &excerpts{source: source, lines: map[string][][]byte{}}
}

// excerptLine is a line with the place of the caret, in characters.
type excerptLine struct {
	text   string
	indent int
	width  int
}

func (e *excerpts) line(resource diag.Resource, l diag.Location) (excerptLine, bool) {
	if e.source == nil || l.Line < 1 || l.File == "" || resource.Kind == "Secret" {
		return excerptLine{}, false
	}
	lines, ok := e.lines[l.File]
	if !ok {
		lines = bytes.Split(e.source(l.File), []byte("\n"))
		e.lines[l.File] = lines
	}
	if l.Line > len(lines) || mayHoldKey(lines, l.Line-1) {
		return excerptLine{}, false
	}
	text := strings.TrimRight(string(lines[l.Line-1]), "\r ")
	if strings.TrimSpace(text) == "" || !utf8.ValidString(text) {
		return excerptLine{}, false
	}
	text = printable(text)
	runes := []rune(text)
	indent := min(max(l.Column-1, 0), len(runes))
	width := 1
	if l.EndLine == l.Line && l.EndColumn > l.Column {
		width = l.EndColumn - l.Column
	}
	if indent > widest-20 {
		// The place lies far to the right, as in JSON on one line: show what is around it.
		cut := indent - 40
		runes, indent = append([]rune("…"), runes[cut:]...), indent-cut+1
	}
	if len(runes) > widest {
		runes = append(runes[:widest:widest], '…')
	}
	width = max(1, min(width, len(runes)-indent))
	return excerptLine{text: string(runes), indent: indent, width: width}, true
}

// mayHoldKey tells whether the YAML document around a line is a Secret or holds a private key.
func mayHoldKey(lines [][]byte, at int) bool {
	first, last := at, at
	for first > 0 && !bytes.HasPrefix(lines[first], []byte("---")) {
		first--
	}
	for last+1 < len(lines) && !bytes.HasPrefix(lines[last+1], []byte("---")) {
		last++
	}
	for _, line := range lines[first : last+1] {
		trimmed := bytes.TrimLeft(bytes.TrimSpace(line), "- {\"")
		if bytes.Contains(line, []byte("PRIVATE KEY")) ||
			bytes.HasPrefix(trimmed, []byte("kind")) && bytes.Contains(line, []byte("Secret")) ||
			bytes.Contains(line, []byte(`"kind"`)) && bytes.Contains(line, []byte(`Secret"`)) {
			return true
		}
	}
	return false
}

// printable replaces control characters (an escape sequence in a comment would reach the reader's terminal) and makes tabs one wide.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0:
			return '�'
		}
		return r
	}, s)
}
