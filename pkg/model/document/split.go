package document

import (
	"bytes"
)

// chunk is the text of one document in a file, before it is parsed.
type chunk struct {
	text []byte
	line int // of the text's first byte, from 1
}

// split cuts a file into documents at the lines "---" and "..." in column 1, which YAML reserves for that even inside block scalars.
// A marker line belongs to the document that it opens, since content may follow on it. Documents of nothing but comments are dropped. No
// more than limit+1 documents are returned.
func split(text []byte, limit int) []chunk {
	var chunks []chunk
	start, startLine := 0, 1
	hasContent, hasDirective := false, false
	flush := func(end, endLine int) {
		if hasContent {
			chunks = append(chunks, chunk{text: text[start:end], line: startLine})
		}
		if !hasDirective || hasContent {
			start, startLine = end, endLine
		}
		hasContent, hasDirective = false, false
	}
	line := 1
	for pos := 0; pos < len(text) && len(chunks) <= limit; line++ {
		end := len(text)
		if i := bytes.IndexByte(text[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		row := text[pos:end]
		switch {
		case isMarker(row, "---"):
			flush(pos, line)
			hasContent = !isBlank(row[3:])
		case isMarker(row, "..."):
			flush(end, line+1)
		case row[0] == '%' && !hasContent:
			hasDirective = true
		case !hasContent && !isBlank(row):
			hasContent = true
		}
		pos = end
	}
	flush(len(text), line)
	return chunks
}

// isMarker tells whether the line is the marker, alone or followed by white space.
func isMarker(row []byte, marker string) bool {
	if len(row) < 3 || string(row[:3]) != marker {
		return false
	}
	return len(row) == 3 || row[3] == ' ' || row[3] == '\t' || row[3] == '\n' || row[3] == '\r'
}

// isBlank tells whether the line holds nothing but white space and a comment.
func isBlank(row []byte) bool {
	row = bytes.TrimLeft(row, " \t\r\n")
	return len(row) == 0 || row[0] == '#'
}

// header is what can be told of a document without parsing it.
type header struct {
	apiVersion, kind string
	// mapping is true for a block mapping whose keys begin in column 1: only then are apiVersion and kind to be trusted.
	mapping bool
}

// sniff reads apiVersion and kind off the lines that begin in column 1. Where they are written in a way that only a parser understands, it
// gives up and returns the zero header.
func sniff(text []byte) header {
	var h header
	for row := range bytes.Lines(text) {
		row = bytes.TrimRight(row, "\r\n")
		if len(row) == 0 {
			continue
		}
		if !h.mapping {
			if isBlank(row) || row[0] == '%' || isMarker(row, "---") && isBlank(row[3:]) {
				continue
			}
			if !isKeyLine(row) {
				return header{}
			}
			h.mapping = true
		}
		ok := true
		switch {
		case row[0] == 'a' && h.apiVersion == "":
			h.apiVersion, ok = plainValue(row, "apiVersion")
		case row[0] == 'k' && h.kind == "":
			h.kind, ok = plainValue(row, "kind")
		}
		if !ok {
			return header{}
		}
		if h.apiVersion != "" && h.kind != "" {
			break
		}
	}
	return h
}

// isKeyLine tells whether the line begins with a plain key: a letter in column 1, and a colon before white space or the end.
func isKeyLine(row []byte) bool {
	c := row[0] | 0x20
	if c < 'a' || c > 'z' {
		return false
	}
	i := bytes.IndexByte(row, ':')
	return i > 0 && (i+1 == len(row) || row[i+1] == ' ' || row[i+1] == '\r' || row[i+1] == '\t')
}

// plainValue returns the value of "key: value", "" for another key; ok is false where it is no plain or quoted scalar on the same line.
func plainValue(row []byte, key string) (value string, ok bool) {
	rest, found := bytes.CutPrefix(row, []byte(key))
	if !found {
		return "", true
	}
	rest, found = bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte(":"))
	if !found {
		return "", true
	}
	if i := bytes.Index(rest, []byte(" #")); i >= 0 {
		rest = rest[:i]
	}
	rest = bytes.TrimSpace(rest)
	if len(rest) == 0 || bytes.IndexByte([]byte("&*!|>{[%@`"), rest[0]) >= 0 {
		return "", false
	}
	if rest[0] == '"' || rest[0] == '\'' {
		if len(rest) < 2 || rest[len(rest)-1] != rest[0] || bytes.IndexByte(rest, '\\') >= 0 {
			return "", false
		}
		rest = rest[1 : len(rest)-1]
	}
	return string(rest), true
}
