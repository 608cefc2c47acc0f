package document

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
)

// errTemplate marks text that only a template engine turns into YAML.
var errTemplate = errors.New("template")

// Parse reads one YAML or JSON document out of text that begins on the given line of the file. The root is nil for a document of nothing but
// comments. Findings are about duplicate keys and the like; where the text is no YAML at all, or beyond the limits, there is no document.
func Parse(file string, line int, text []byte, limits Limits) (*Document, []diag.Finding) {
	doc, findings, err := parse(file, chunk{text: text, line: line}, limits.withDefaults(), true)
	if err != nil {
		findings = append(findings, syntaxFinding(file, chunk{text: text, line: line}, err))
	}
	return doc, findings
}

// ParseFile reads a file that is to hold one document, as Read would: a byte order mark is passed over, and text that is not UTF-8 is a
// finding. The document is nil for a file of nothing but comments; more than one is an error.
func ParseFile(file string, text []byte, limits Limits) (*Document, []diag.Finding, error) {
	if f := checkText(file, text); f != nil {
		return nil, []diag.Finding{*f}, nil
	}
	chunks := split(bytes.TrimPrefix(text, []byte(byteOrderMark)), 1)
	switch len(chunks) {
	case 0:
		return nil, nil, nil
	case 1:
		doc, findings := Parse(file, chunks[0].line, chunks[0].text, limits)
		return doc, findings, nil
	}
	return nil, nil, fmt.Errorf("%s:%d: a second document, where one is wanted", file, chunks[1].line)
}

func parse(file string, c chunk, limits Limits, strict bool) (doc *Document, findings []diag.Finding, err error) {
	if len(c.text) > limits.DocumentBytes {
		return nil, []diag.Finding{problem("schema/too-large", file, c.line, 1,
			fmt.Sprintf("the document has %d bytes; meshc reads up to %d", len(c.text), limits.DocumentBytes))}, nil
	}
	if col, row, deep := tooDeep(c.text, limits.Depth); deep {
		return nil, []diag.Finding{problem("schema/too-large", file, c.line+row, col,
			fmt.Sprintf("brackets nest deeper than %d levels", limits.Depth))}, nil
	}
	c.text = jsonEscapes(c.text)
	var root yaml.Node
	if err := unmarshal(c.text, &root); err != nil {
		if bytes.Contains(c.text, []byte("{{")) || bytes.Contains(c.text, []byte("{%")) {
			return nil, nil, errTemplate
		}
		return nil, nil, err
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 {
		return nil, nil, nil
	}
	doc = newDocument(file, c, root.Content[0])
	check := checker{doc: doc, limits: limits, shift: c.line - 1, strict: strict}
	check.node(doc.Root, 0)
	if check.template {
		return nil, nil, errTemplate
	}
	if !check.broken {
		check.aliases(doc.Root)
	}
	if check.broken {
		doc = nil
	}
	return doc, check.findings, nil
}

// unmarshal shields the caller from panics of the parser.
func unmarshal(text []byte, root *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", r)
		}
	}()
	return yaml.Unmarshal(text, root)
}

// problem is a finding about the text of a file, which belongs to no resource.
func problem(rule, file string, line, column int, message string) diag.Finding {
	f := diag.Finding{Rule: rule, Severity: diag.Error, Message: message}
	f.Location = diag.Location{File: file, Line: line, Column: column}
	return f
}

// tooDeep finds the first place where more brackets are open than the limit. It ignores quoting on purpose: it only has to spare
// the parser from text that consists of brackets, and resets where a line begins with a letter in column 1.
func tooDeep(text []byte, limit int) (column, row int, deep bool) {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= limit {
		return 0, 0, false
	}
	run, column := 0, 0
	for _, c := range text {
		column++
		switch c {
		case '[', '{':
			if run++; run > limit {
				return column, row, true
			}
		case ' ', '\t', '\r':
		case '\n':
			row, column = row+1, 0
		default:
			run = 0
		}
	}
	return 0, 0, false
}

// checker walks a fresh node tree once: it shifts lines to those of the file, refuses what nests too deep and drops duplicate keys.
type checker struct {
	doc      *Document
	limits   Limits
	shift    int
	strict   bool
	findings []diag.Finding
	broken   bool
	template bool
}

func (c *checker) report(rule string, n *yaml.Node, message string) *diag.Finding {
	f := problem(rule, c.doc.File, n.Line, n.Column, message)
	f.Location = c.doc.Location(n)
	c.findings = append(c.findings, f)
	return &c.findings[len(c.findings)-1]
}

func (c *checker) node(n *yaml.Node, depth int) {
	n.Line += c.shift
	if depth > c.limits.Depth {
		if !c.broken {
			c.report("schema/too-large", n, fmt.Sprintf("values nest deeper than %d levels", c.limits.Depth))
		}
		c.broken = true
		return
	}
	for _, child := range n.Content {
		c.node(child, depth+1)
		if c.broken {
			return
		}
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	c.template = c.template || isTemplate(n)
	if c.strict {
		c.uniqueKeys(n)
	}
}

// isTemplate tells whether the mapping is a template's {{ … }}, which YAML takes for a mapping whose key is a mapping.
func isTemplate(n *yaml.Node) bool {
	if n.Style&yaml.FlowStyle == 0 || len(n.Content) != 2 {
		return false
	}
	key := n.Content[0]
	return key.Kind == yaml.MappingNode && key.Style&yaml.FlowStyle != 0 && key.Line == n.Line && key.Column == n.Column+1
}

// maxDuplicates is how many duplicate keys of one mapping are reported.
const maxDuplicates = 10

// uniqueKeys reports keys that stand twice in a mapping and keeps the last, which is the one that counts.
func (c *checker) uniqueKeys(n *yaml.Node) {
	if len(n.Content) <= 32 && !repeatsKey(n.Content) {
		return
	}
	last := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; isPlainKey(key) {
			last[key.Value] = key
		}
	}
	kept := make([]*yaml.Node, 0, 2*len(last))
	reported := 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		final := last[key.Value]
		if !isPlainKey(key) || final == key {
			kept = append(kept, key, n.Content[i+1])
			continue
		}
		if reported++; reported > maxDuplicates {
			continue
		}
		f := c.report("schema/duplicate-key", final, fmt.Sprintf("the key %q stands twice in one mapping; only the last is kept", key.Value))
		f.Related = []diag.Related{{Location: c.doc.Location(key), Message: "it stood here before"}}
		f.Fix = &diag.Fix{Description: "remove one of the two"}
	}
	n.Content = kept
}

func isPlainKey(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.Tag != "!!merge" }

func repeatsKey(content []*yaml.Node) bool {
	for i := 2; i+1 < len(content); i += 2 {
		for j := 0; j < i; j += 2 {
			if content[i].Value == content[j].Value && isPlainKey(content[i]) && isPlainKey(content[j]) {
				return true
			}
		}
	}
	return false
}

// aliases refuses documents whose aliases stand for more nodes than the limit, or for themselves.
func (c *checker) aliases(root *yaml.Node) {
	sizes := map[*yaml.Node]int{}
	const open = -1
	var offender *yaml.Node
	cyclic := false
	limit := c.limits.AliasNodes
	var size func(n *yaml.Node) int
	total := func(n *yaml.Node) int {
		sum := 1
		for _, child := range n.Content {
			sum = min(sum+size(child), limit+1)
			if offender != nil {
				break
			}
		}
		return sum
	}
	size = func(n *yaml.Node) int {
		if n.Kind != yaml.AliasNode {
			if n.Anchor == "" {
				return total(n)
			}
			sizes[n] = open
			sum := total(n)
			sizes[n] = sum
			return sum
		}
		known, ok := sizes[n.Alias]
		switch {
		case !ok:
			return 1
		case known == open:
			offender, cyclic = n, true
		case known > limit:
			offender = n
		}
		return known
	}
	if !hasAlias(root) {
		return
	}
	// Only what aliases add counts: a large document without them is no bomb.
	limit += count(root)
	sum := size(root)
	switch {
	case cyclic:
		c.report("schema/yaml-syntax", offender, fmt.Sprintf("the anchor %q contains itself", offender.Value))
		c.broken = true
	case offender != nil || sum > limit:
		if offender == nil {
			offender = root
		}
		c.report("schema/too-large", offender, fmt.Sprintf("aliases make this document stand for more than %d nodes", c.limits.AliasNodes))
		c.broken = true
	}
}

func hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, child := range n.Content {
		if hasAlias(child) {
			return true
		}
	}
	return false
}

func count(n *yaml.Node) int {
	sum := 1
	for _, child := range n.Content {
		sum += count(child)
	}
	return sum
}
