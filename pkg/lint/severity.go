package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
)

// off switches a rule off.
const off = "off"

// levels are the severities that the configuration sets.
type levels map[string]string

// newLevels checks the configured severities.
func newLevels(cfg Config) (levels, error) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Severity)) {
		switch s := cfg.Severity[name]; diag.Severity(s) {
		case diag.Error, diag.Warning, diag.Info, off:
		default:
			return nil, fmt.Errorf("severity of %s: %q is none of error, warning, info, off", name, s)
		}
		if !strings.Contains(name, "/") {
			return nil, fmt.Errorf("severity: %q is no name of a rule (KIND/WHAT-IS-WRONG, or KIND/* for all of a kind)", name)
		}
	}
	return cfg.Severity, nil
}

// of returns what the configuration says of a rule, "" for nothing: its own name counts before its kind's.
func (l levels) of(rule string) string {
	if s, ok := l[rule]; ok {
		return s
	}
	kind, _, _ := strings.Cut(rule, "/")
	return l[kind+"/*"]
}

func (l levels) off(rule string) bool { return l.of(rule) == off }

// apply sets severities and drops the findings of rules that are off.
func (l levels) apply(findings []diag.Finding) []diag.Finding {
	if len(l) == 0 {
		return findings
	}
	kept := findings[:0]
	for _, f := range findings {
		switch s := l.of(f.Rule); s {
		case off:
			continue
		case "":
		default:
			f.Severity = diag.Severity(s)
		}
		kept = append(kept, f)
	}
	return kept
}
