// Package lint says what is wrong with a mesh: with each resource by itself (CUE schemas and the checks beside them, rules named
// schema/…) and with what resources say of one another (rules in Rego, a folder each under rules/).
//
// Rules neither filter nor count nor print: suppression, severities and what lives outside the repository are settled here, once for
// all of them, and the report says what was checked, assumed and not checked.
package lint

import (
	"context"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

// Options say how to lint. The zero value runs every rule at its own severity.
type Options struct {
	// Config is what the configuration file says.
	Config Config
}

// Report is the answer, in the form of `meshc lint -o json`.
type Report struct {
	// Findings are sorted (see diag.Sort), without those that are suppressed.
	Findings []diag.Finding `json:"findings"`
	Summary  Summary        `json:"summary"`
}

// Summary says how much was looked at.
type Summary struct {
	Files     int `json:"files"`
	Documents int `json:"documents"`
	Resources int `json:"resources"`
	// Skipped counts documents of kinds that meshc does not know.
	Skipped  int `json:"skipped"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	// Assumed counts references into what the configuration declares to live elsewhere.
	Assumed int `json:"assumed"`
	// Unchecked lists the rules that the input gives nothing to decide by.
	Unchecked []Unchecked `json:"unchecked"`
}

// Unchecked is a rule that could not be applied, and why.
type Unchecked struct {
	Rule string `json:"rule"`
	Why  string `json:"why"`
}

// Run lints the mesh. An error means that there is no report: the configuration is wrong, a rule of the user's does not compile, or
// the context ended; what is wrong with the mesh is in the report.
func Run(ctx context.Context, mesh *model.Mesh, opts Options) (*Report, error) {
	findings := append([]diag.Finding{}, mesh.Findings...)
	own, err := schemaFindings(ctx, mesh)
	if err != nil {
		return nil, err
	}
	findings = diag.Sort(append(findings, own...))
	report := &Report{Findings: findings, Summary: summarise(mesh)}
	report.Summary.Errors, report.Summary.Warnings, report.Summary.Infos = diag.Count(findings)
	return report, ctx.Err()
}

func summarise(mesh *model.Mesh) Summary {
	s := Summary{Files: mesh.Stats.Files, Documents: mesh.Stats.Documents, Resources: mesh.Stats.Resources, Unchecked: []Unchecked{}}
	for _, n := range mesh.Stats.Skipped {
		s.Skipped += n
	}
	return s
}
