package report

import "github.com/meshc/meshc/pkg/diag"

// mostSevere returns at most n findings in their order: errors first get room, then warnings, then infos.
func mostSevere(findings []diag.Finding, n int) []diag.Finding {
	if len(findings) <= n {
		return findings
	}
	keep := make([]bool, len(findings))
	for _, s := range []diag.Severity{diag.Error, diag.Warning, diag.Info} {
		for i, f := range findings {
			if f.Severity == s && n > 0 {
				keep[i] = true
				n--
			}
		}
	}
	var shown []diag.Finding
	for i, f := range findings {
		if keep[i] {
			shown = append(shown, f)
		}
	}
	return shown
}
