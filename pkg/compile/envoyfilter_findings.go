package compile

import (
	"fmt"
	"slices"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/patch"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// MatchedNothing and InvalidPatch are the rules under which patches of EnvoyFilters are reported.
const (
	MatchedNothing = "envoyfilter/matched-nothing"
	InvalidPatch   = "envoyfilter/invalid-patch"
)

// PatchUse tells what one patch of an EnvoyFilter did to one proxy that the EnvoyFilter selects.
type PatchUse struct {
	// Patch is the entry of spec.configPatches.
	Patch resource.Source
	// Applied counts the messages that it changed, added or removed.
	Applied int
	// Problems say why it could not be applied where it matched.
	Problems []string
	// Bare is set for a proxy that tells little of what a patch would find: one that had to be made up, or a gateway that the input gives
	// nothing to listen for.
	Bare bool
}

// PatchReport is what is to be said of the patches of a mesh's EnvoyFilters.
type PatchReport struct {
	// Findings are one a patch that had no effect, and one for each reason why a patch is not applied, in diag.Sort's order.
	Findings []diag.Finding
	// Undecided are the patches without effect of which the input does not tell whether they would have one.
	Undecided []UndecidedPatch
	// Assumed counts the patches without effect that name a host which lives elsewhere.
	Assumed int
}

// UndecidedPatch is a patch that could not be tried, or only in vain where nothing follows from it.
type UndecidedPatch struct {
	Patch resource.Source
	// Why is the reason, of any number of patches.
	Why string
}

// maxNamed bounds how many undecided patches are named for one reason.
const maxNamed = 3

// Unchecked says of the undecided patches why they are that: a sentence a reason, in the order of the patches.
func (r *PatchReport) Unchecked() []string {
	var reasons []string
	by := map[string][]string{}
	for _, u := range r.Undecided {
		if by[u.Why] == nil {
			reasons = append(reasons, u.Why)
		}
		by[u.Why] = append(by[u.Why], u.Patch.Path+" of "+u.Patch.Resource.ID())
	}
	for i, why := range reasons {
		patches := by[why]
		named := strings.Join(patches[:min(len(patches), maxNamed)], ", ")
		if more := len(patches) - maxNamed; more > 0 {
			named += fmt.Sprintf(" and %d more", more)
		}
		reasons[i] = why + ": " + named
	}
	return reasons
}

// JudgePatches judges the patches of all EnvoyFilters by what they did to proxies: uses holds Configuration.Patches of every proxy that was
// compiled, which is every proxy of the mesh or what TryPatches chose. Reported are patches that had no effect on any of them, and those
// that cannot be applied because they are not what Envoy could read. elsewhere tells whether a host lives outside the input, nil for none.
func (c *Compiler) JudgePatches(elsewhere func(host string) bool, uses ...[]PatchUse) PatchReport {
	cases := c.patchCases()
	for _, list := range uses {
		for _, u := range list {
			cases[u.Patch].add(u)
		}
	}
	var report PatchReport
	for _, p := range c.patches() {
		findings, why := p.judge(cases[p.from])
		switch {
		case why != "":
			report.Undecided = append(report.Undecided, UndecidedPatch{p.from, why})
		case slices.ContainsFunc(findings, func(f diag.Finding) bool { return f.Rule == MatchedNothing }) && elsewhere != nil && elsewhere(p.host()):
			report.Assumed++
			findings = slices.DeleteFunc(findings, func(f diag.Finding) bool { return f.Rule == MatchedNothing })
		}
		report.Findings = append(report.Findings, findings...)
	}
	report.Findings = diag.Sort(report.Findings)
	return report
}

// patchCase is what is known of one patch: which proxies it is for, and what it did to those that were compiled.
type patchCase struct {
	// selected are the proxies that the EnvoyFilter and match.proxy select; fitting those of them that are of the kind that match.context asks
	// for, by their place in Mesh.Proxies.
	selected int
	fitting  []int
	only     *model.Proxy
	// tried counts the proxies that were compiled, and telling those among them that are not bare.
	tried, telling int
	applied        int
	problems       []string
}

func (k *patchCase) add(u PatchUse) {
	if k == nil {
		return
	}
	k.tried++
	if !u.Bare {
		k.telling++
	}
	k.applied += u.Applied
	for _, why := range u.Problems {
		if !slices.Contains(k.problems, why) {
			k.problems = append(k.problems, why)
		}
	}
}

// patchCases finds out for which proxies each patch is, without compiling any.
func (c *Compiler) patchCases() map[resource.Source]*patchCase {
	cases := map[resource.Source]*patchCase{}
	all := c.patches()
	for _, p := range all {
		cases[p.from] = &patchCase{}
	}
	for i, proxy := range c.mesh.Proxies() {
		b := &builder{mesh: c.mesh, proxy: proxy, target: c.opts.Target}
		for _, p := range b.offered(all) {
			k := cases[p.from]
			k.selected++
			if p.fits(proxy.Type) {
				k.fitting, k.only = append(k.fitting, i), proxy
			}
		}
	}
	return cases
}

// fits tells whether match.context is one of a kind of proxy. istiod does not ask for the context of what is no part of a direction.
func (p *envoyPatch) fits(kind model.ProxyType) bool {
	if p.to == networking.EnvoyFilter_BOOTSTRAP || p.to == networking.EnvoyFilter_EXTENSION_CONFIG {
		return true
	}
	switch p.match.GetContext() {
	case networking.EnvoyFilter_ANY:
		return true
	case networking.EnvoyFilter_GATEWAY:
		return kind == model.Router
	case networking.EnvoyFilter_SIDECAR_INBOUND, networking.EnvoyFilter_SIDECAR_OUTBOUND:
		return kind == model.Sidecar
	}
	return false
}

// maxProblems bounds how many different refusals of one patch are told.
const maxProblems = 3

func (p *envoyPatch) finding(rule string, severity diag.Severity, path, message string) diag.Finding {
	at := p.from.Path + path
	return diag.Finding{
		Rule: rule, Severity: severity, Resource: p.filter.Ref(), Path: at, Location: p.filter.Locate(at),
		Message: p.from.Path + " of " + p.filter.ID() + " " + message,
	}
}

// judge returns what is wrong with the patch, or why it cannot be told whether it has an effect.
func (p *envoyPatch) judge(k *patchCase) (findings []diag.Finding, undecided string) {
	if p.invalid != "" {
		return []diag.Finding{p.finding(InvalidPatch, diag.Error, ".patch", "is not applied: "+p.invalid)}, ""
	}
	if p.unknown != "" {
		findings = append(findings, p.finding(InvalidPatch, diag.Warning, ".patch.value", "is applied in part: Envoy does not know a part of the value, which is left out: "+p.unknown))
	}
	for _, name := range p.foreign {
		findings = append(findings, p.finding(InvalidPatch, diag.Info, ".patch.value", "is applied as it is written: meshc has no definition of "+name+" to check it by"))
	}
	slices.Sort(k.problems)
	for _, why := range k.problems[:min(len(k.problems), maxProblems)] {
		findings = append(findings, p.finding(InvalidPatch, diag.Error, ".patch.value", "is not applied: "+why))
	}
	if k.applied > 0 || len(k.problems) > 0 {
		return findings, ""
	}
	effect, undecided := p.withoutEffect(k)
	if undecided == "" {
		findings = append(findings, p.finding(MatchedNothing, diag.Warning, "", "has no effect: "+effect))
	}
	return findings, undecided
}

// withoutEffect says why a patch matched nothing, or why nothing follows from that.
func (p *envoyPatch) withoutEffect(k *patchCase) (effect, undecided string) {
	chosen := len(p.filter.Spec.GetWorkloadSelector().GetLabels())+len(p.filter.Spec.GetTargetRefs()) > 0
	context := p.match.GetContext().String()
	switch {
	case !p.supported():
		return "istiod does not know the operation " + p.operation.String() + " for " + p.to.String(), ""
	case p.lacksName():
		return "match does not name the filter to " + strings.ToLower(p.operation.String()), ""
	case p.match.GetContext() == networking.EnvoyFilter_WAYPOINT:
		return "", "waypoints are not compiled"
	case p.version != nil && !p.version.MatchString(istioVersion):
		return "", "match.proxy.proxyVersion leaves out " + istioVersion + ", the version that is compiled for"
	case k.selected == 0:
		return "", "the input has no proxy that the EnvoyFilter and match.proxy select"
	case len(k.fitting) == 0 && !chosen:
		return "", "the input has no proxy of the kind that match.context asks for"
	case len(k.fitting) == 0:
		return "no proxy that it selects is of the kind that context " + context + " asks for", ""
	case k.tried < len(k.fitting):
		return "", "it has no effect on those proxies that it was tried on, and selects more"
	case k.telling == 0:
		return "", "the input has no workload or Gateway to try it on"
	}
	where := fmt.Sprintf("none of the %d proxies that it selects", k.tried)
	if k.tried == 1 {
		where = k.only.ID() + ", the only proxy that it selects,"
	}
	asked := p.asks()
	if len(asked) == 0 {
		return where + " has " + negated(k.tried, p.to.String()) + " to change", ""
	}
	verb := "fits"
	if len(asked) > 1 {
		verb = "fit"
	}
	return where + " has " + negated(k.tried, p.to.String()) + " that " + strings.Join(asked, " and ") + " " + verb, ""
}

// lacksName tells whether the operation is one on a filter of a name that the match does not give.
func (p *envoyPatch) lacksName() bool {
	if patch.Inserts(p.operation) {
		return false
	}
	named := true
	switch p.to {
	case networking.EnvoyFilter_LISTENER_FILTER:
		_, named = p.listenerFilter()
	case networking.EnvoyFilter_NETWORK_FILTER:
		_, named = p.networkFilter()
		named = named || patch.Merges(p.operation)
	case networking.EnvoyFilter_HTTP_FILTER:
		_, named = p.httpFilter()
	}
	return !named
}

// negated is what one proxy has not, or none of several has.
func negated(proxies int, what string) string {
	if proxies == 1 {
		return "no " + what
	}
	return "a " + what
}

// asks are the parts of match that something has to satisfy.
func (p *envoyPatch) asks() []string {
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
	return asked
}

// host is that of the service that the match names, "" where it names none.
func (p *envoyPatch) host() string {
	if c := p.match.GetCluster(); c != nil {
		if c.GetName() != "" {
			_, _, _, host, _ := translate.SplitCluster(c.GetName())
			return host
		}
		return c.GetService()
	}
	h := p.match.GetRouteConfiguration().GetVhost()
	if h.GetDomainName() != "" {
		return h.GetDomainName()
	}
	host, _, _ := strings.Cut(h.GetName(), ":")
	return host
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
		if p.fits(b.proxy.Type) {
			use := *b.patches.uses[p]
			use.Bare = b.patches.bare
			uses = append(uses, use)
		}
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
