package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

const projectURI = "https://github.com/meshc/meshc"

// SARIF prints SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), as GitHub code scanning and others take it. A finding's fingerprint is made
// of rule, object and field path, not of the line, so that it survives edits above it.
func SARIF(w io.Writer, r *lint.Report, opts Options) error {
	run := sarif.NewRunWithInformationURI("meshc", projectURI)
	run.WithColumnKind("unicodeCodePoints")
	if opts.Version != "" {
		run.Tool.Driver.WithVersion(opts.Version)
	}
	descriptors := ruleDescriptors(r.Findings, opts.Rules)
	index := map[string]int{}
	for i, d := range descriptors {
		index[*d.ID] = i
		run.Tool.Driver.AddRule(d)
	}
	for _, f := range r.Findings {
		run.AddResult(sarifResult(f, index[f.Rule]))
	}
	report := sarif.NewReport()
	report.AddRun(run)
	if err := report.PrettyWrite(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// ruleDescriptors describes the rules that the findings name, in order of first mention.
func ruleDescriptors(findings []diag.Finding, known []lint.Rule) []*sarif.ReportingDescriptor {
	var descriptors []*sarif.ReportingDescriptor
	seen := map[string]bool{}
	for _, f := range findings {
		if seen[f.Rule] {
			continue
		}
		seen[f.Rule] = true
		d := sarif.NewRule(f.Rule)
		d.WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(level(f.Severity)))
		for _, rule := range known {
			if rule.Name == f.Rule {
				d.WithShortDescription(text(rule.Title)).WithFullDescription(text(rule.Description)).
					WithHelp(text(rule.Why + "\n\n" + rule.Fix)).
					WithHelpURI(projectURI + "/blob/main/docs/rules/" + rule.Name + ".md")
			}
		}
		descriptors = append(descriptors, d)
	}
	return descriptors
}

func text(s string) *sarif.MultiformatMessageString {
	return sarif.NewMultiformatMessageString().WithText(strings.TrimSpace(s))
}

func sarifResult(f diag.Finding, ruleIndex int) *sarif.Result {
	result := sarif.NewRuleResult(f.Rule).WithRuleIndex(ruleIndex).WithLevel(level(f.Severity)).
		WithMessage(sarif.NewTextMessage(f.Message)).
		WithPartialFingerprints(map[string]string{"meshc/v1": fingerprint(f)})
	location := sarif.NewLocation().WithLogicalLocations([]*sarif.LogicalLocation{
		sarif.NewLogicalLocation().WithFullyQualifiedName(className(f.Resource)).WithKind("resource"),
	})
	if physical := sarifPlace(f.Location); physical != nil {
		location.WithPhysicalLocation(physical)
	}
	result.AddLocation(location)
	for i, rel := range f.Related {
		if physical := sarifPlace(rel.Location); physical != nil {
			result.AddRelatedLocation(sarif.NewLocation().WithID(i + 1).WithPhysicalLocation(physical).
				WithMessage(sarif.NewTextMessage(rel.Message)))
		}
	}
	if f.Fix != nil && len(f.Fix.Edits) > 0 {
		result.AddFixe(sarifFix(f.Fix))
	}
	return result
}

func sarifFix(fix *diag.Fix) *sarif.Fix {
	out := sarif.NewFix().WithDescription(sarif.NewTextMessage(fix.Description))
	for _, e := range fix.Edits {
		replacement := sarif.NewReplacement().WithDeletedRegion(sarifRegion(e.Location)).
			WithInsertedContent(sarif.NewArtifactContent().WithText(e.NewText))
		out.AddArtifactChange(sarif.NewArtifactChange().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(e.Location.File)).
			WithReplacements([]*sarif.Replacement{replacement}))
	}
	return out
}

func sarifPlace(l diag.Location) *sarif.PhysicalLocation {
	if l.File == "" {
		return nil
	}
	return sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(l.File)).WithRegion(sarifRegion(l))
}

func sarifRegion(l diag.Location) *sarif.Region {
	region := sarif.NewRegion().WithStartLine(max(l.Line, 1))
	if l.Column > 0 {
		region.WithStartColumn(l.Column)
	}
	if l.EndLine > 0 && l.EndColumn > 0 {
		region.WithEndLine(l.EndLine).WithEndColumn(l.EndColumn)
	}
	return region
}

func level(s diag.Severity) string {
	switch s {
	case diag.Error:
		return sarif.LevelError
	case diag.Warning:
		return sarif.LevelWarning
	}
	return sarif.LevelNote
}

func fingerprint(f diag.Finding) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Rule, f.Resource.Kind, f.Resource.Namespace, f.Resource.Name, f.Path, f.Location.File}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
