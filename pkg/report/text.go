package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

// Text prints each finding as path:line:column: severity: message [rule], with the line of YAML and a caret below it, what else takes part,
// and the mend; then what was checked.
func Text(w io.Writer, r *lint.Report, opts Options) error {
	out := bufio.NewWriter(w)
	p := palette{on: opts.Color}
	excerpts := newExcerpts(opts.Source)
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s: %s: %s %s\n", p.bold(printable(where(f.Location))), p.severity(f.Severity), printable(f.Message), p.faint("["+code(f)+"]"))
		excerpt(out, p, excerpts, f.Resource, f.Location)
		for _, rel := range f.Related {
			fmt.Fprintf(out, "  %s: %s: %s\n", printable(where(rel.Location)), p.note("note"), printable(rel.Message))
			excerpt(out, p, excerpts, rel.Resource, rel.Location)
		}
		if f.Fix != nil && f.Fix.Description != "" {
			fmt.Fprintf(out, "  %s: %s\n", p.note("fix"), printable(f.Fix.Description))
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, summaryLine(r.Summary))
	reasons, rules := uncheckedByReason(r.Summary)
	for _, why := range reasons {
		fmt.Fprintf(out, "Not checked: %s (%s)\n", strings.Join(rules[why], ", "), why)
	}
	return out.Flush()
}

func excerpt(out *bufio.Writer, p palette, excerpts *excerpts, resource diag.Resource, l diag.Location) {
	line, ok := excerpts.line(resource, l)
	if !ok {
		return
	}
	number := fmt.Sprint(l.Line)
	margin := strings.Repeat(" ", len(number))
	fmt.Fprintf(out, "  %s\n", p.faint(margin+" |"))
	fmt.Fprintf(out, "  %s %s\n", p.faint(number+" |"), line.text)
	fmt.Fprintf(out, "  %s %s\n", p.faint(margin+" |"), strings.Repeat(" ", line.indent)+p.caret(strings.Repeat("^", line.width)))
}

// palette adds colours where they are wanted.
type palette struct{ on bool }

func (p palette) paint(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
func (p palette) bold(s string) string  { return p.paint("1", s) }
func (p palette) faint(s string) string { return p.paint("2", s) }
func (p palette) note(s string) string  { return p.paint("36", s) }
func (p palette) caret(s string) string { return p.paint("1;32", s) }
func (p palette) severity(s diag.Severity) string {
	switch s {
	case diag.Error:
		return p.paint("1;31", string(s))
	case diag.Warning:
		return p.paint("1;33", string(s))
	}
	return p.paint("1;34", string(s))
}
