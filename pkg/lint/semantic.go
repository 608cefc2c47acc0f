package lint

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint/engine"
	"github.com/meshc/meshc/pkg/lint/rules"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Rule is what a rule says of itself: its name, what it means, why it matters and how to mend it.
type Rule = rules.Rule

// Rules returns all rules with their examples, ordered by name: meshc's own and those of the configured directories. No rule is compiled.
func Rules(cfg Config) ([]Rule, error) { return loadRules(cfg, true) }

func loadRules(cfg Config, examples bool) ([]Rule, error) {
	all, err := rules.Load(rules.Builtin(), examples)
	if err != nil {
		return nil, err
	}
	own := len(all)
	for i := range all {
		all[i].Builtin = true
	}
	for _, dir := range cfg.Rules {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			return nil, fmt.Errorf("rules: %s is no directory", dir)
		}
		more, err := rules.Load(os.DirFS(dir), examples)
		if err != nil {
			return nil, fmt.Errorf("rules in %s: %w", dir, err)
		}
		for _, r := range more {
			if r.Source == "" {
				return nil, fmt.Errorf("rules in %s: %s has no rule.rego", dir, r.Name)
			}
			if slices.ContainsFunc(all, func(o Rule) bool { return o.Package() == r.Package() }) {
				return nil, fmt.Errorf("rules in %s: there is a rule %s already", dir, r.Name)
			}
		}
		all = append(all, more...)
	}
	if len(all) > own {
		slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	}
	return all, nil
}

// workloadKinds are what a rule means that needs a Workload.
var workloadKinds = []string{"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "WorkloadEntry"}

// selection is which rules run, and over what.
type selection struct {
	rules     []Rule
	resources []*resource.Resource
	// most bounds the severity of rules whose needs the input does not meet.
	most      map[string]diag.Severity
	unchecked []Unchecked
}

// selectRules picks the rules that have something to look at and can decide.
func selectRules(mesh *model.Mesh, all []Rule, levels levels) selection {
	present := map[string]bool{}
	for _, r := range mesh.Resources() {
		present[engine.Type(r)] = true
	}
	if slices.ContainsFunc(workloadKinds, func(k string) bool { return present[k] }) {
		present["Workload"] = true
	}
	if len(mesh.Settings.Sources) > 0 {
		present["MeshConfig"] = true
	}
	chosen := selection{most: map[string]diag.Severity{}}
	wanted := map[string]bool{}
	for _, rule := range all {
		applies := slices.ContainsFunc(rule.Kinds, func(k string) bool { return present[k] })
		if rule.Source == "" || !applies || levels.off(rule.Name) {
			continue
		}
		if need := unmet(rule, present); need != "" {
			if rule.Unmet == "" {
				chosen.unchecked = append(chosen.unchecked, Unchecked{Rule: rule.Name, Why: "the input has no " + need})
				continue
			}
			chosen.most[rule.Name] = rule.Unmet
		}
		if !concerns(rule, mesh) {
			continue
		}
		chosen.rules = append(chosen.rules, rule)
		for _, k := range rule.Kinds {
			wanted[k] = true
		}
	}
	for _, r := range mesh.Resources() {
		if wanted[engine.Type(r)] {
			chosen.resources = append(chosen.resources, r)
		}
	}
	return chosen
}

// concerns tells whether a resource of the rule's kinds has one of the fields that the rule is about.
func concerns(rule Rule, mesh *model.Mesh) bool {
	if len(rule.When) == 0 {
		return true
	}
	paths := make([][]string, len(rule.When))
	for i, path := range rule.When {
		paths[i] = strings.Split(path, ".")
	}
	return slices.ContainsFunc(mesh.Resources(), func(r *resource.Resource) bool {
		return slices.Contains(rule.Kinds, engine.Type(r)) && slices.ContainsFunc(paths, func(path []string) bool { return holds(r.Node, path) })
	})
}

// holds tells whether the field stands in the YAML as rules see it, in any item of the lists on the way.
func holds(n *yaml.Node, path []string) bool {
	switch n.Kind {
	case yaml.AliasNode:
		return holds(n.Alias, path)
	case yaml.SequenceNode:
		return len(path) == 0 || slices.ContainsFunc(n.Content, func(item *yaml.Node) bool { return holds(item, path) })
	case yaml.MappingNode:
		if len(path) == 0 {
			return true
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == path[0] && holds(n.Content[i+1], path[1:]) {
				return true
			}
		}
		return false
	}
	return len(path) == 0 && n.ShortTag() != "!!null"
}

// unmet names what the rule needs and the input lacks.
func unmet(rule Rule, present map[string]bool) string {
	for _, need := range rule.Needs {
		kinds := strings.Split(need, "|")
		if !slices.ContainsFunc(kinds, func(k string) bool { return present[k] }) {
			return strings.ReplaceAll(strings.Join(kinds, " or "), "Workload", "workload (Pod, Deployment…)")
		}
	}
	return ""
}

// semanticFindings runs the rules in Rego. References into what lives elsewhere are counted instead of reported.
func semanticFindings(ctx context.Context, mesh *model.Mesh, chosen selection, external External) (found []diag.Finding, assumed int, err error) {
	if len(chosen.rules) == 0 || len(chosen.resources) == 0 {
		return nil, 0, nil
	}
	eng, err := engine.New(ctx, mesh, chosen.rules)
	if err != nil {
		return nil, 0, err
	}
	var mu sync.Mutex
	found, err = eachResource(ctx, chosen.resources, func(r *resource.Resource) ([]diag.Finding, error) {
		results, err := eng.Evaluate(ctx, r)
		if err != nil {
			return nil, err
		}
		var findings []diag.Finding
		for _, result := range results {
			if result.Missing != nil && external.holds(mesh, *result.Missing) {
				mu.Lock()
				assumed++
				mu.Unlock()
				continue
			}
			f := result.Finding
			if most, ok := chosen.most[f.Rule]; ok && !most.AtLeast(f.Severity) {
				f.Severity = most
			}
			findings = append(findings, f)
		}
		return findings, nil
	})
	return found, assumed, err
}

// holds tells whether a reference leads to what the configuration declares to live elsewhere.
func (x External) holds(mesh *model.Mesh, ref engine.Reference) bool {
	if ref.Host != "" {
		return x.HoldsHost(mesh, ref.Host)
	}
	if slices.Contains(x.Namespaces, ref.Namespace) || ref.Kind == "Namespace" && slices.Contains(x.Namespaces, ref.Name) {
		return true
	}
	name := ref.Namespace + "/" + ref.Name
	switch ref.Kind {
	case "Gateway":
		return slices.Contains(x.Gateways, name)
	case "Service":
		return slices.Contains(x.Services, name)
	}
	return false
}

// HoldsHost tells whether a host lives outside the repository: it is declared, or that of a service which is or whose namespace is.
func (x External) HoldsHost(mesh *model.Mesh, host string) bool {
	if slices.ContainsFunc(x.Hosts, func(pattern string) bool { return model.HostMatches(pattern, host) }) {
		return true
	}
	rest, ok := strings.CutSuffix(host, ".svc."+mesh.Settings.DomainSuffix)
	if !ok {
		return false
	}
	name, namespace, _ := strings.Cut(rest, ".")
	return slices.Contains(x.Namespaces, namespace) || slices.Contains(x.Services, namespace+"/"+name)
}
