package model

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// ruleTable holds DestinationRules, merged by host and namespace, where those who may see them find them.
type ruleTable struct {
	local    map[string]*hostTable[[]*DestinationRule] // by namespace: for proxies of that namespace
	exported map[string]*hostTable[[]*DestinationRule] // by namespace: what it lets others see
	// rootLocal are the root namespace's private ones. Its others only count once the service's namespace has said nothing.
	rootLocal *hostTable[[]*DestinationRule]
	// selectors are the labels by which rules of a namespace select workloads.
	selectors map[string][]map[string]string
}

func (m *Mesh) buildRules() *ruleTable {
	t := &ruleTable{
		local: map[string]*hostTable[[]*DestinationRule]{}, exported: map[string]*hostTable[[]*DestinationRule]{},
		rootLocal: newHostTable[[]*DestinationRule](), selectors: map[string][]map[string]string{},
	}
	table := func(of map[string]*hostTable[[]*DestinationRule], ns string) *hostTable[[]*DestinationRule] {
		if of[ns] == nil {
			of[ns] = newHostTable[[]*DestinationRule]()
		}
		return of[ns]
	}
	privateByDefault := slices.Contains(m.Settings.Mesh.GetDefaultDestinationRuleExportTo(), exportPrivate)
	for _, r := range byAge(slices.Concat(All[*networking.DestinationRule](m), m.GatewayAPI().DestinationRules)) {
		if labels := r.Spec.GetWorkloadSelector().GetMatchLabels(); len(labels) > 0 {
			t.selectors[r.Namespace] = append(t.selectors[r.Namespace], labels)
		}
		host := m.ResolveHost(r.Spec.GetHost(), r.Namespace)
		exportTo := ruleExport(r.Spec)
		own := exportTo[exportPrivate] || exportTo[r.Namespace]
		if len(exportTo) == 0 || exportTo[exportPublic] || own {
			mergeRule(table(t.local, r.Namespace), r, host, exportTo)
		}
		switch privateOnly := len(exportTo) == 0 && privateByDefault || len(exportTo) == 1 && own; {
		case !privateOnly:
			mergeRule(table(t.exported, r.Namespace), r, host, exportTo)
		case r.Namespace == m.Settings.RootNamespace():
			mergeRule(t.rootLocal, r, host, exportTo)
		}
	}
	return t
}

// ruleExport is to whom a rule is visible: rules for some workloads only stay in their namespace.
func ruleExport(spec *networking.DestinationRule) map[string]bool {
	if spec.GetWorkloadSelector() != nil {
		return map[string]bool{exportPrivate: true}
	}
	set := map[string]bool{}
	for _, e := range spec.GetExportTo() {
		set[strings.TrimSpace(e)] = true
	}
	return set
}

// mergeRule adds a rule to those of its host. Rules of one selector and one exportTo become one: the oldest one's traffic policy counts,
// subsets are collected, the first one of a name wins. A rule that is exported further than an older one, or that is for some workloads
// while the older one is for all, is merged into that and stands for itself as well; like istiod, the last older rule looked at decides
// whether it does.
func mergeRule(t *hostTable[[]*DestinationRule], r resource.Of[*networking.DestinationRule], host string, exportTo map[string]bool) {
	existing, _ := t.get(host)
	apart := true
	for _, d := range existing {
		same, wider := maps.Equal(d.exportTo, exportTo), len(d.exportTo) > 0 && includes(exportTo, d.exportTo)
		old, young := d.Spec.GetWorkloadSelector(), r.Spec.GetWorkloadSelector()
		sameSelector := (old == nil) == (young == nil) && maps.Equal(old.GetMatchLabels(), young.GetMatchLabels())
		if apart = !same; !same && !wider {
			continue
		}
		if old != nil && young != nil && !sameSelector {
			apart = true
			continue
		}
		if sameSelector {
			apart = false
		}
		d.merge(r)
	}
	if apart {
		t.set(host, append(existing, newRule(r, host, exportTo)))
	}
}

// includes tells whether the set holds all of the other.
func includes(set, other map[string]bool) bool {
	for k := range other {
		if !set[k] {
			return false
		}
	}
	return true
}

func newRule(r resource.Of[*networking.DestinationRule], host string, exportTo map[string]bool) *DestinationRule {
	spec := proto.CloneOf(r.Spec)
	spec.Host = host
	d := &DestinationRule{
		Spec: spec, From: []resource.Of[*networking.DestinationRule]{r}, exportTo: exportTo, PolicyFrom: r.At("spec.trafficPolicy"),
	}
	for i := range spec.GetSubsets() {
		d.SubsetFrom = append(d.SubsetFrom, r.At(resource.Index("spec.subsets", i)))
	}
	return d
}

// merge collects what another rule of the same host adds.
func (d *DestinationRule) merge(r resource.Of[*networking.DestinationRule]) {
	d.From = append(d.From, r)
	if d.Spec.TrafficPolicy == nil && r.Spec.GetTrafficPolicy() != nil {
		d.Spec.TrafficPolicy = proto.CloneOf(r.Spec.GetTrafficPolicy())
		d.PolicyFrom = r.At("spec.trafficPolicy")
	}
	for i, s := range r.Spec.GetSubsets() {
		if have, _ := d.Subset(s.GetName()); have == nil {
			d.Spec.Subsets = append(d.Spec.Subsets, proto.CloneOf(s))
			d.SubsetFrom = append(d.SubsetFrom, r.At(resource.Index("spec.subsets", i)))
		}
	}
}

// rulesFor returns the rules that proxies of a namespace use for a service, one for each workload selector: those of the proxy's
// namespace, else those that the service's namespace exports, else those that the root namespace exports. Proxies of the root namespace
// look at its private ones first.
func (m *Mesh) rulesFor(proxyNamespace string, svc *Service) []*DestinationRule {
	t, root := m.rules(), m.Settings.RootNamespace()
	own := t.local[proxyNamespace]
	if proxyNamespace == root {
		own = t.rootLocal
	}
	if own != nil {
		if rules, ok := own.mostSpecific(svc.Hostname); ok {
			return rules
		}
	}
	for _, ns := range []string{svc.Namespace, root} {
		if rules := t.exportedTo(proxyNamespace, ns, svc.Hostname); len(rules) > 0 {
			return rules
		}
	}
	return nil
}

// exportedTo returns the most specific rules of namespace owner for the host, where client may see them.
func (t *ruleTable) exportedTo(client, owner, host string) []*DestinationRule {
	table := t.exported[owner]
	if table == nil {
		return nil
	}
	rules, _ := table.mostSpecific(host)
	var out []*DestinationRule
	for _, d := range rules {
		if len(d.exportTo) == 0 || d.exportTo[exportPublic] || d.exportTo[client] {
			out = append(out, d)
		}
	}
	return out
}

// pick chooses among rules of several selectors: one whose selector picks the proxy, else the one for all.
func pickRule(rules []*DestinationRule, p *Proxy) *DestinationRule {
	for _, d := range rules {
		selector := d.Spec.GetWorkloadSelector()
		if selector != nil && d.Namespace() == p.Namespace && Selects(selector.GetMatchLabels(), p.Labels) {
			return d
		}
	}
	return ruleForAll(rules)
}

// ruleForAll is the rule without a selector, the last one of several.
func ruleForAll(rules []*DestinationRule) *DestinationRule {
	for _, d := range slices.Backward(rules) {
		if d.Spec.GetWorkloadSelector() == nil {
			return d
		}
	}
	return nil
}
