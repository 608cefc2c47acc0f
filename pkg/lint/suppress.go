package lint

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Findings about suppressions themselves.
const (
	unusedSuppression = "suppression/unused"
	noReason          = "suppression/without-reason"
)

// Annotations that accept findings on the object that bears them: meshc's, with "RULE: REASON" a line, and Istio's, with codes.
const (
	ignoreAnnotation   = "meshc.dev/ignore"
	suppressAnnotation = "galley.istio.io/analyze-suppress"
)

// suppression accepts findings of a rule in a place.
type suppression struct {
	rule string
	// line of a file, where the suppression is a comment.
	file string
	line int
	// of is the resource, where the suppression is an annotation.
	of *diag.Resource
	// ignore is the entry, where it stands in the configuration.
	ignore *Ignore
	used   bool
	// unused is what to report if nothing matches; the zero Finding for nothing.
	unused diag.Finding
}

// suppress takes the accepted findings out, and reports suppressions that accept nothing or lack a reason.
func suppress(mesh *model.Mesh, cfg Config, findings []diag.Finding) ([]diag.Finding, error) {
	all, complaints, err := suppressions(mesh, cfg)
	if err != nil || len(all)+len(complaints) == 0 {
		return findings, err
	}
	kept := findings[:0]
	for _, f := range findings {
		accepted := false
		for _, s := range all {
			if s.matches(f) {
				s.used, accepted = true, true
			}
		}
		if !accepted {
			kept = append(kept, f)
		}
	}
	for _, s := range all {
		if !s.used && s.unused.Rule != "" {
			kept = append(kept, s.unused)
		}
	}
	return append(kept, complaints...), nil
}

func suppressions(mesh *model.Mesh, cfg Config) (all []*suppression, complaints []diag.Finding, err error) {
	for i := range cfg.Ignore {
		s, err := fromConfig(&cfg.Ignore[i], i)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, s)
	}
	files := map[string]bool{}
	for _, r := range mesh.Resources() {
		files[r.Document.File] = true
		found, wrong := fromAnnotations(r)
		all, complaints = append(all, found...), append(complaints, wrong...)
	}
	for file := range files {
		found, wrong := fromComments(file, mesh.SourceText(file))
		all, complaints = append(all, found...), append(complaints, wrong...)
	}
	return all, complaints, nil
}

func fromConfig(entry *Ignore, i int) (*suppression, error) {
	switch {
	case entry.Rule == "":
		return nil, fmt.Errorf("ignore[%d]: rule is missing", i)
	case strings.TrimSpace(entry.Reason) == "":
		return nil, fmt.Errorf("ignore[%d] (%s): reason is missing: say why the finding is accepted", i, entry.Rule)
	case entry.Path != "" && !doublestar.ValidatePattern(entry.Path):
		return nil, fmt.Errorf("ignore[%d] (%s): %q is no pattern for paths", i, entry.Rule, entry.Path)
	}
	return &suppression{rule: entry.Rule, ignore: entry, unused: diag.Finding{
		Rule: unusedSuppression, Severity: diag.Info,
		Message: fmt.Sprintf("ignore[%d] (%s) of the configuration accepts nothing any more: take it away", i, entry.Rule),
	}}, nil
}

// marker begins a comment that accepts findings: "# meshc:ignore RULE REASON", on the line or above it.
const marker = "meshc:ignore"

func fromComments(file string, text []byte) (all []*suppression, complaints []diag.Finding) {
	if !bytes.Contains(text, []byte(marker)) {
		return nil, nil
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		before, comment, ok := strings.Cut(line, "#")
		rest, marked := strings.CutPrefix(strings.TrimSpace(comment), marker)
		if !ok || !marked || before != "" && strings.TrimRight(before, " \t") == before {
			continue
		}
		at := diag.Location{File: file, Line: i + 1, Column: len([]rune(before)) + 1}
		rule, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if rule == "" || strings.TrimSpace(reason) == "" {
			complaints = append(complaints, diag.Finding{Rule: noReason, Severity: diag.Warning, Location: at,
				Message: "this suppression has no effect: write # meshc:ignore RULE REASON, with the reason why the finding is accepted"})
			continue
		}
		all = append(all, &suppression{rule: rule, file: file, line: target(lines, i, before), unused: diag.Finding{
			Rule: unusedSuppression, Severity: diag.Info, Location: at, Message: fmt.Sprintf("%s reports nothing here any more: take the suppression away", rule),
		}})
	}
	return all, complaints
}

// target is the line that a comment is about: its own if something stands before it, else the next that is neither blank nor a comment.
func target(lines []string, i int, before string) int {
	if strings.TrimSpace(before) != "" {
		return i + 1
	}
	for j := i + 1; j < len(lines); j++ {
		if l := strings.TrimSpace(lines[j]); l != "" && l[0] != '#' {
			return j + 1
		}
	}
	return i + 1
}

func fromAnnotations(r *resource.Resource) (all []*suppression, complaints []diag.Finding) {
	ref := r.Ref()
	if text, ok := r.Annotations[suppressAnnotation]; ok {
		for code := range strings.SplitSeq(text, ",") {
			all = append(all, &suppression{rule: strings.TrimSpace(code), of: &ref})
		}
	}
	text, ok := r.Annotations[ignoreAnnotation]
	if !ok {
		return all, nil
	}
	where := resource.Key("metadata.annotations", ignoreAnnotation)
	for _, entry := range strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == ';' }) {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		rule, reason, _ := strings.Cut(entry, ":")
		rule = strings.TrimSpace(rule)
		f := diag.Finding{Resource: ref, Path: where, Location: r.Locate(where)}
		if strings.TrimSpace(reason) == "" {
			f.Rule, f.Severity = noReason, diag.Warning
			f.Message = fmt.Sprintf("the suppression of %s has no effect: write %s: \"RULE: REASON\"", rule, ignoreAnnotation)
			complaints = append(complaints, f)
			continue
		}
		f.Rule, f.Severity = unusedSuppression, diag.Info
		f.Message = fmt.Sprintf("%s reports nothing on this %s any more: take it out of the annotation", rule, r.Kind)
		all = append(all, &suppression{rule: rule, of: &ref, unused: f})
	}
	return all, complaints
}

func (s *suppression) matches(f diag.Finding) bool {
	if s.rule != "*" && s.rule != f.Rule && !slices.Contains(f.Aliases, s.rule) {
		return false
	}
	switch {
	case s.of != nil:
		return *s.of == f.Resource
	case s.ignore != nil:
		return s.ignore.covers(f)
	}
	return s.file == f.Location.File && s.line == f.Location.Line
}

func (i *Ignore) covers(f diag.Finding) bool {
	like := func(pattern, value string) bool {
		ok, err := path.Match(pattern, value)
		return pattern == "" || err == nil && ok
	}
	return like(i.Kind, f.Resource.Kind) && like(i.Namespace, f.Resource.Namespace) && like(i.Name, f.Resource.Name) &&
		(i.Path == "" || doublestar.MatchUnvalidated(i.Path, f.Location.File))
}
