// Package lint says what is wrong with a mesh: with each resource by itself (CUE schemas and the checks beside them, rules named
// schema/…), with what resources say of one another (rules in Rego, a folder each under rules/), and with what EnvoyFilters do to the proxies
// that they are for, which takes compiling those.
//
// Rules neither filter nor count nor print: suppression, severities and what lives outside the repository are settled here, once for
// all of them, and the report says what was checked, assumed and not checked.
package lint

import (
	"context"
	"slices"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint/schema"
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
	levels, err := newLevels(opts.Config)
	if err != nil {
		return nil, err
	}
	all, err := loadRules(opts.Config, false)
	if err != nil {
		return nil, err
	}
	report := &Report{Summary: summarise(mesh)}
	findings := slices.Clone(mesh.Findings)
	single, err := schemaFindings(ctx, mesh)
	if err != nil {
		return nil, err
	}
	chosen := selectRules(mesh, all, levels)
	across, assumed, err := semanticFindings(ctx, mesh, chosen, opts.Config.External)
	if err != nil {
		return nil, err
	}
	patches, untried, elsewhere, err := patchFindings(ctx, mesh, opts.Config, levels, slices.Concat(findings, single, across))
	if err != nil {
		return nil, err
	}
	findings = levels.apply(slices.Concat(findings, single, across, patches, compile.NotCompiled(mesh, compile.IstioProxy)))
	findings, err = suppress(mesh, opts.Config, findings)
	if err != nil {
		return nil, err
	}
	for i := range findings {
		complete(&findings[i])
	}
	report.Findings = diag.Sort(findings)
	report.Summary.Assumed = assumed + elsewhere
	report.Summary.Unchecked = slices.Concat(report.Summary.Unchecked, chosen.unchecked, untried)
	report.Summary.Errors, report.Summary.Warnings, report.Summary.Infos = diag.Count(report.Findings)
	return report, ctx.Err()
}

// complete makes empty lists of nil ones, as the JSON form promises, and gives errors of the decoder the code that istioctl has for them.
func complete(f *diag.Finding) {
	if f.Aliases == nil {
		f.Aliases = []string{}
		if f.Rule == "schema/wrong-type" || f.Rule == schema.InvalidValue || f.Rule == "schema/one-of" {
			f.Aliases = []string{"IST0106"}
		}
	}
	if f.Related == nil {
		f.Related = []diag.Related{}
	}
	if f.Fix != nil && f.Fix.Edits == nil {
		f.Fix.Edits = []diag.Edit{}
	}
}

func summarise(mesh *model.Mesh) Summary {
	s := Summary{Files: mesh.Stats.Files, Documents: mesh.Stats.Documents, Resources: mesh.Stats.Resources, Unchecked: []Unchecked{}}
	for _, n := range mesh.Stats.Skipped {
		s.Skipped += n
	}
	return s
}
