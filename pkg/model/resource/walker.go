package resource

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

// walker decodes one resource. It remembers the way from the resource's top, so that a finding can name its field.
type walker struct {
	decoder *Decoder
	doc     *document.Document
	ref     diag.Resource
	kind    *Kind
	steps   []pathStep
	// unknown is how bad unknown fields are where the walker is now, "" where they don't matter.
	unknown diag.Severity
	// protoNames accepts snake_case names of fields too.
	protoNames bool
	findings   []diag.Finding
	// more counts what was found beyond maxFindings, which goes into spare.
	more  int
	spare diag.Finding
}

// maxFindings is how many findings one resource may have; beyond that, they are only counted.
const maxFindings = 100

type pathStep struct {
	key   string
	index int
}

func (w *walker) pushKey(key string) { w.steps = append(w.steps, pathStep{key: key, index: -1}) }
func (w *walker) pushIndex(i int)    { w.steps = append(w.steps, pathStep{index: i}) }
func (w *walker) pop()               { w.steps = w.steps[:len(w.steps)-1] }

func (w *walker) path() string {
	path := ""
	for _, s := range w.steps {
		if s.index >= 0 {
			path = Index(path, s.index)
		} else {
			path = Key(path, s.key)
		}
	}
	return path
}

// all returns the findings, with one more for those that were only counted.
func (w *walker) all(n *yaml.Node) []diag.Finding {
	if w.more == 0 {
		return w.findings
	}
	return append(w.findings, diag.Finding{
		Rule: "schema/too-many", Severity: diag.Error, Resource: w.ref, Location: w.doc.Location(n),
		Message: fmt.Sprintf("%d more problems in this resource are not shown", w.more),
	})
}

// pattern is the path without indices, as the table of retired fields has it.
func (w *walker) pattern(field string) string {
	var b strings.Builder
	for _, s := range w.steps {
		if s.index < 0 {
			b.WriteString(s.key)
			b.WriteByte('.')
		}
	}
	b.WriteString(field)
	return b.String()
}

// report adds a finding at the current path.
func (w *walker) report(rule string, severity diag.Severity, n *yaml.Node, message string) *diag.Finding {
	if len(w.findings) >= maxFindings {
		w.more++
		w.spare = diag.Finding{}
		return &w.spare
	}
	w.findings = append(w.findings, diag.Finding{
		Rule: rule, Severity: severity, Message: message, Resource: w.ref, Path: w.path(), Location: w.doc.Location(n),
	})
	return &w.findings[len(w.findings)-1]
}

// wrongType reports a value of another type than the field's; mend may be "".
func (w *walker) wrongType(n *yaml.Node, want, mend string) *diag.Finding {
	message := fmt.Sprintf("%s: %s is wanted here, this is %s", w.field(), want, typeOf(n))
	f := w.report("schema/wrong-type", diag.Error, n, message)
	if mend != "" {
		f.Fix = &diag.Fix{Description: mend}
	}
	return f
}

// wrongValue reports a value that has the right type but says nothing.
func (w *walker) wrongValue(n *yaml.Node, why string) *diag.Finding {
	return w.report("schema/invalid-value", diag.Error, n, fmt.Sprintf("%s: %s", w.field(), why))
}

// field names the current field in messages.
func (w *walker) field() string {
	if path := w.path(); path != "" {
		return path
	}
	return "the document"
}

// unknownField reports a field that the kind lacks. The path on the stack is that of the object which holds it.
func (w *walker) unknownField(key *yaml.Node, known func(yield func(string) bool)) {
	name := keyText(key)
	if s, ok := w.retired(name); ok {
		w.retiredField(key, diag.Error, fmt.Sprintf("is no field of %s any more", w.kindName()), s)
		return
	}
	if w.unknown == "" {
		return
	}
	w.pushKey(name)
	defer w.pop()
	if len(w.findings) >= maxFindings {
		w.more++
		return
	}
	message := fmt.Sprintf("unknown field %q in %s", name, w.parent())
	nearest := closest(name, known)
	if nearest != "" {
		message += fmt.Sprintf("; did you mean %q?", nearest)
	}
	f := w.report("schema/unknown-field", w.unknown, key, message)
	if nearest != "" {
		f.Fix = &diag.Fix{
			Description: fmt.Sprintf("rename %q to %q", name, nearest),
			Edits:       []diag.Edit{{Location: w.doc.Location(key), NewText: nearest}},
		}
	}
}

func (w *walker) parent() string {
	parent := walker{steps: w.steps[:len(w.steps)-1]}
	if path := parent.path(); path != "" {
		return path
	}
	if name := w.kindName(); name != "" {
		return name
	}
	return "the document"
}

func (w *walker) kindName() string {
	if w.kind != nil {
		return w.kind.Kind
	}
	return w.ref.Kind
}

// closest returns the known name that differs least from what was written, "" where none is near.
func closest(name string, known func(yield func(string) bool)) string {
	best, bestDistance := "", 3
	if len(name) <= 3 {
		bestDistance = 2
	}
	lower := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	for candidate := range known {
		d := distance(lower, strings.ToLower(candidate), bestDistance)
		if d < bestDistance || d == bestDistance && best != "" && candidate < best {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap to turn a into b; beyond the limit it only says so.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 100 {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
