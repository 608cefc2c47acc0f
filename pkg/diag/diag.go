// Package diag holds what every stage reports: a finding, where it stands in the YAML, and what would mend it.
//
// It is a leaf: it imports nothing of this module, so that the loader, the linter and the compiler can all speak
// of a mistake in the same words and one printer can show them all.
package diag

import (
	"cmp"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// AtLeast reports whether s is as severe as the threshold or more so.
func (s Severity) AtLeast(threshold Severity) bool { return s.rank() >= threshold.rank() }

func (s Severity) rank() int {
	switch s {
	case Error:
		return 3
	case Warning:
		return 2
	case Info:
		return 1
	}
	return 0
}

// Location is a range in a YAML file. Lines and columns count from 1, columns in characters; File is as the user named it, with
// forward slashes. The zero End means a point. The zero Location means "nowhere in particular".
type Location struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"endLine,omitempty"`
	EndColumn int    `json:"endColumn,omitempty"`
}

// IsZero reports whether the location says nothing.
func (l Location) IsZero() bool { return l == Location{} }

// Compare orders locations by file, line and column.
func (l Location) Compare(o Location) int {
	return cmp.Or(cmp.Compare(l.File, o.File), cmp.Compare(l.Line, o.Line), cmp.Compare(l.Column, o.Column))
}

// Resource names the Kubernetes object that a finding is about.
type Resource struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// Related points at another place that takes part in a finding: the other VirtualService, the Service that lacks the port.
type Related struct {
	Resource Resource `json:"resource"`
	Location Location `json:"location"`
	Message  string   `json:"message"`
}

// Fix is a mend that could be applied. Edits may be empty where only words help.
type Fix struct {
	Description string `json:"description"`
	Edits       []Edit `json:"edits"`
}

// Edit replaces the text of a range by NewText.
type Edit struct {
	Location Location `json:"location"`
	NewText  string   `json:"newText"`
}

// Finding is one thing worth saying about the input.
type Finding struct {
	// Rule is kind/what-is-wrong; rules of the schema stage begin with "schema/".
	Rule string `json:"rule"`
	// Aliases are the codes that users of istioctl (ISTnnnn) and Kiali (KIAnnnn) know this by.
	Aliases  []string `json:"aliases"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Resource Resource `json:"resource"`
	// Path is a field path in the resource, such as spec.http[0].route[1].weight.
	Path     string    `json:"path"`
	Location Location  `json:"location"`
	Related  []Related `json:"related"`
	Fix      *Fix      `json:"fix,omitempty"`
}

// Sort orders findings by file, line, column, rule, resource, path and message, and drops exact repetitions (YAML aliases make
// the same line wrong twice).
func Sort(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			a.Location.Compare(b.Location),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Resource.Kind, b.Resource.Kind),
			cmp.Compare(a.Resource.Namespace, b.Resource.Namespace),
			cmp.Compare(a.Resource.Name, b.Resource.Name),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(findings, func(a, b Finding) bool {
		return a.Location == b.Location && a.Rule == b.Rule && a.Resource == b.Resource && a.Path == b.Path && a.Message == b.Message
	})
}

// Count returns how many findings are errors, warnings and infos.
func Count(findings []Finding) (errors, warnings, infos int) {
	for _, f := range findings {
		switch f.Severity {
		case Error:
			errors++
		case Warning:
			warnings++
		case Info:
			infos++
		}
	}
	return errors, warnings, infos
}
