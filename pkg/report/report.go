// Package report prints the findings of a lint run: for people, for machines, and for the places where pull requests are read.
//
// Printers are functions of the report alone. They neither filter nor sort nor decide an exit status, and their bytes depend on nothing else.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

// Options of a printer. The zero value prints without colours and excerpts.
type Options struct {
	// Color turns on ANSI colours in text.
	Color bool
	// Source returns the bytes of a file of the input, for excerpts; nil prints none.
	Source func(file string) []byte
	// Rules describe the rules that may be named, for formats that carry descriptions (SARIF).
	Rules []lint.Rule
	// Version of meshc, for formats that name their tool.
	Version string
}

// Printer writes a report.
type Printer func(w io.Writer, r *lint.Report, opts Options) error

// Formats are the names that Print understands.
var formats = []struct {
	name  string
	print Printer
}{
	{"text", Text}, {"json", JSON}, {"sarif", SARIF}, {"junit", JUnit}, {"github", GitHub}, {"markdown", Markdown},
}

// Formats returns the names of the formats.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Print writes the report in a format.
func Print(w io.Writer, format string, r *lint.Report, opts Options) error {
	for _, f := range formats {
		if f.name == format {
			return f.print(w, r, opts)
		}
	}
	return fmt.Errorf("there is no format %q: choose %s", format, strings.Join(Formats(), ", "))
}

// summaryLine is the one line that ends every report for people.
func summaryLine(s lint.Summary) string {
	var b strings.Builder
	switch {
	case s.Errors+s.Warnings+s.Infos == 0:
		b.WriteString("No findings")
	default:
		var parts []string
		for _, c := range []struct {
			n    int
			noun string
		}{{s.Errors, "error"}, {s.Warnings, "warning"}, {s.Infos, "info"}} {
			if c.n > 0 {
				parts = append(parts, count(c.n, c.noun))
			}
		}
		b.WriteString(strings.Join(parts, ", "))
	}
	fmt.Fprintf(&b, " in %s of %s", count(s.Resources, "resource"), count(s.Files, "file"))
	if s.Skipped > 0 {
		fmt.Fprintf(&b, "; %s of other kinds passed over", count(s.Skipped, "document"))
	}
	if s.Assumed > 0 {
		fmt.Fprintf(&b, "; %s assumed to be right (declared external)", count(s.Assumed, "reference"))
	}
	if n := len(s.Unchecked); n > 0 {
		fmt.Fprintf(&b, "; %d not checked", n)
	}
	b.WriteString(".")
	return b.String()
}

// uncheckedByReason groups the rules that were not applied by the reason, in order of first mention.
func uncheckedByReason(s lint.Summary) (reasons []string, rules map[string][]string) {
	rules = map[string][]string{}
	for _, u := range s.Unchecked {
		if !slices.Contains(reasons, u.Why) {
			reasons = append(reasons, u.Why)
		}
		rules[u.Why] = append(rules[u.Why], u.Rule)
	}
	return reasons, rules
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// where prints a location as editors and terminals make it clickable.
func where(l diag.Location) string {
	switch {
	case l.File == "":
		return "(no file)"
	case l.Line == 0:
		return l.File
	}
	return fmt.Sprintf("%s:%d:%d", l.File, l.Line, l.Column)
}

// code is the rule with the codes that others know it by.
func code(f diag.Finding) string {
	if len(f.Aliases) == 0 {
		return f.Rule
	}
	return f.Rule + " " + strings.Join(f.Aliases, " ")
}
