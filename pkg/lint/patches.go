package lint

import (
	"context"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

// idleOperation is the rule about operations that do nothing to what they are applied to, whatever the proxy.
const idleOperation = "envoyfilter/operation-without-effect"

// patchFindings tries the patches of EnvoyFilters on the proxies that they are for, compiled as for Istio's own proxies, and says which had no
// effect and which cannot be applied. Nothing is compiled for a mesh without EnvoyFilters. said are the findings of the other stages: what
// they report of a patch is not reported again.
func patchFindings(ctx context.Context, mesh *model.Mesh, cfg Config, levels levels, said []diag.Finding) (findings []diag.Finding, unchecked []Unchecked, assumed int, err error) {
	idleOff := levels.off(compile.MatchedNothing)
	if len(model.All[*networking.EnvoyFilter](mesh)) == 0 || idleOff && levels.off(compile.InvalidPatch) {
		return nil, nil, 0, nil
	}
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	uses, err := compiler.TryPatches(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	report := compiler.JudgePatches(func(host string) bool { return cfg.External.HoldsHost(mesh, host) }, uses...)
	known := saidOfPatches(said)
	findings = slices.DeleteFunc(report.Findings, known.covers)
	if idleOff {
		return findings, nil, 0, nil
	}
	for _, why := range report.Unchecked() {
		unchecked = append(unchecked, Unchecked{Rule: compile.MatchedNothing, Why: why})
	}
	return findings, unchecked, report.Assumed, nil
}

// saidOfPatches holds the paths of EnvoyFilters that make a patch one that istiod would not accept, or pass over.
func saidOfPatches(findings []diag.Finding) decoded {
	said := saidByDecoder(findings)
	for _, f := range findings {
		if f.Rule == idleOperation {
			said[f.Resource] = append(said[f.Resource], f.Path)
		}
	}
	return said
}
