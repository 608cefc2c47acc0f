package document

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/meshc/meshc/pkg/diag"
)

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^line (\d+): `) })

// syntaxFinding puts the YAML parser's complaint into a finding on its line of the file, with what usually lies behind it.
func syntaxFinding(file string, c chunk, err error) diag.Finding {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	row := 1
	if m := yamlLine().FindStringSubmatch(message); m != nil {
		row, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
		if countsFromZero(message) {
			row++
		}
	}
	rows := bytes.Split(bytes.TrimRight(c.text, "\r\n"), []byte("\n"))
	row = min(max(row, 1), len(rows))
	text := rows[row-1]
	column := 1 + len(text) - len(bytes.TrimLeft(text, " \t"))
	finding := problem("schema/yaml-syntax", file, c.line+row-1, column, "malformed YAML: "+message)
	if hint := hint(message, text); hint != "" {
		finding.Message += "; " + hint
	}
	return finding
}

// countsFromZero tells apart the complaints of the parser's grammar, whose lines count from 0, and those of its scanner.
func countsFromZero(message string) bool {
	for _, ending := range []string{"key", "',' or ']'", "',' or '}'", "'-' indicator", "node content", "<document start>"} {
		if message == "did not find expected "+ending {
			return true
		}
	}
	return false
}

// hint says what usually causes a complaint of the parser.
func hint(message string, row []byte) string {
	indent := row[:len(row)-len(bytes.TrimLeft(row, " \t"))]
	switch {
	case bytes.ContainsRune(indent, '\t'):
		return "this line is indented by a tab, where YAML wants blanks"
	case message == "found character that cannot start any token":
		return "put the value in quotes: it begins with a character that means something to YAML"
	case message == "found unexpected end of stream":
		return "a quote that opens here is never closed"
	case message == "mapping values are not allowed in this context":
		return "check the indentation, and put a value that holds \": \" in quotes"
	case message == "could not find expected ':'":
		return "a key lacks its colon, or a quote is not closed"
	case message == "did not find expected key":
		return "check the indentation of what follows in this mapping"
	case message == "did not find expected '-' indicator":
		return "check the indentation of what follows in this list"
	case strings.HasPrefix(message, "did not find expected ','"):
		return "a bracket that opens here is never closed, or a comma is missing"
	}
	return ""
}
