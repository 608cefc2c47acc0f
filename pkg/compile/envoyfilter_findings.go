package compile

import (
	"slices"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	matchedNothingRule = "envoyfilter/matched-nothing"
	invalidPatchRule   = "envoyfilter/invalid-patch"
)

// PatchUse tells what one patch of an EnvoyFilter did to one proxy that the EnvoyFilter selects.
type PatchUse struct {
	// Patch is the entry of spec.configPatches.
	Patch resource.Source
	// Applied counts the messages that it changed, added or removed.
	Applied int
	// Problems say why it could not be applied where it matched.
	Problems []string
}

// PatchFindings judges the patches of all EnvoyFilters by what they did to the proxies: uses holds Configuration.Patches of every proxy of the
// mesh. Reported are patches that had no effect on any of them, and those that cannot be applied because they are not what Envoy could read.
// Findings are in diag.Sort's order.
func PatchFindings(mesh *model.Mesh, uses ...[]PatchUse) []diag.Finding {
	total := map[resource.Source]*PatchUse{}
	for _, list := range uses {
		for _, u := range list {
			sum := total[u.Patch]
			if sum == nil {
				sum = &PatchUse{Patch: u.Patch}
				total[u.Patch] = sum
			}
			sum.Applied += u.Applied
			for _, why := range u.Problems {
				if !slices.Contains(sum.Problems, why) {
					sum.Problems = append(sum.Problems, why)
				}
			}
		}
	}
	var findings []diag.Finding
	for _, p := range envoyFilters(mesh) {
		findings = append(findings, p.judge(total[p.from])...)
	}
	return diag.Sort(findings)
}

// maxProblems bounds how many different refusals of one patch are told.
const maxProblems = 3

// judge is given nil for a patch that no proxy was offered.
func (p *envoyPatch) judge(use *PatchUse) []diag.Finding {
	finding := func(rule string, severity diag.Severity, path, message string) diag.Finding {
		at := p.from.Path + path
		return diag.Finding{
			Rule: rule, Severity: severity, Resource: p.filter.Ref(), Path: at, Location: p.filter.Locate(at),
			Message: p.from.Path + " of " + p.filter.ID() + " " + message,
		}
	}
	if p.invalid != "" {
		return []diag.Finding{finding(invalidPatchRule, diag.Error, ".patch", "is not applied: "+p.invalid)}
	}
	var findings []diag.Finding
	for _, flaw := range p.flaws {
		findings = append(findings, finding(invalidPatchRule, diag.Warning, ".patch.value", "is applied in part: "+flaw))
	}
	switch {
	case use != nil && len(use.Problems) > 0:
		slices.Sort(use.Problems)
		for _, why := range use.Problems[:min(len(use.Problems), maxProblems)] {
			findings = append(findings, finding(invalidPatchRule, diag.Error, ".patch.value", "is not applied: "+why))
		}
	case use == nil || use.Applied == 0:
		findings = append(findings, finding(matchedNothingRule, diag.Warning, "", p.withoutEffect(use)))
	}
	return findings
}

// withoutEffect says why a patch matched nothing, as far as that can be told.
func (p *envoyPatch) withoutEffect(use *PatchUse) string {
	switch {
	case use == nil:
		return "has no effect: the EnvoyFilter or match.proxy selects no proxy"
	case !p.supported():
		return "has no effect: istiod does not know the operation " + p.operation.String() + " for " + p.to.String()
	}
	var asked []string
	if c := p.match.GetContext(); c != networking.EnvoyFilter_ANY {
		asked = append(asked, "context "+c.String())
	}
	switch p.match.GetObjectTypes().(type) {
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_Listener:
		asked = append(asked, "match.listener")
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_RouteConfiguration:
		asked = append(asked, "match.routeConfiguration")
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_Cluster:
		asked = append(asked, "match.cluster")
	}
	if len(asked) == 0 {
		return "has no effect: the proxies that it selects have nothing of " + p.to.String() + " to change"
	}
	return "has no effect: " + strings.Join(asked, " and ") + " fit nothing of " + p.to.String() + " in any proxy that it selects"
}

// supported tells whether the operation means anything for what is patched.
func (p *envoyPatch) supported() bool {
	switch p.to {
	case networking.EnvoyFilter_ROUTE_CONFIGURATION, networking.EnvoyFilter_BOOTSTRAP:
		return patch.Merges(p.operation)
	case networking.EnvoyFilter_EXTENSION_CONFIG:
		return p.operation == networking.EnvoyFilter_Patch_ADD
	case networking.EnvoyFilter_LISTENER, networking.EnvoyFilter_FILTER_CHAIN, networking.EnvoyFilter_CLUSTER, networking.EnvoyFilter_HTTP_ROUTE:
		return p.operation != networking.EnvoyFilter_Patch_REPLACE
	}
	return true
}

// patchUses is what became of the patches, in their order.
func (b *builder) patchUses() []PatchUse {
	var uses []PatchUse
	for _, p := range b.patches.order {
		uses = append(uses, *b.patches.uses[p])
	}
	return uses
}

// bootstrapPatches are what is merged into the bootstrap itself. They count as applied, since there is but one.
func (b *builder) bootstrapPatches() []BootstrapPatch {
	var out []BootstrapPatch
	for _, p := range b.patches.byTarget[networking.EnvoyFilter_BOOTSTRAP] {
		if patch.Merges(p.operation) {
			out = append(out, BootstrapPatch{
				By: p.from, Value: p.value.(*bootstrapv3.Bootstrap), ReplaceLists: p.operation == networking.EnvoyFilter_Patch_MERGE_AND_REPLACE_LIST,
			})
			b.applied(p)
		}
	}
	return out
}

// BootstrapPatch is merged into the bootstrap once it is put together.
type BootstrapPatch struct {
	By    resource.Source
	Value *bootstrapv3.Bootstrap
	// ReplaceLists puts the value's lists in the place of the bootstrap's instead of after their elements.
	ReplaceLists bool
}
