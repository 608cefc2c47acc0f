package report

import (
	"encoding/json"
	"io"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

// JSON prints the report as the findings contract has it: lists are never null.
func JSON(w io.Writer, r *lint.Report, _ Options) error {
	out := *r
	out.Findings = make([]diag.Finding, len(r.Findings))
	copy(out.Findings, r.Findings)
	for i := range out.Findings {
		f := &out.Findings[i]
		if f.Aliases == nil {
			f.Aliases = []string{}
		}
		if f.Related == nil {
			f.Related = []diag.Related{}
		}
		if f.Fix != nil && f.Fix.Edits == nil {
			fix := *f.Fix
			fix.Edits = []diag.Edit{}
			f.Fix = &fix
		}
	}
	if out.Summary.Unchecked == nil {
		out.Summary.Unchecked = []lint.Unchecked{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(&out)
}
