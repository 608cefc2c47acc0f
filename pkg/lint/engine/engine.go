// Package engine runs rules written in Rego over the resources of a mesh.
//
// Each rule is a package of its own with a set called findings. A module made here asks them by the type of the input, so that one
// prepared query serves all and a resource costs only the rules of its kind. Rules see the resource as input and ask about the mesh
// through functions (mesh.service…, see facts.go) that exist in this engine alone. They reach neither network nor clock nor environment,
// and each evaluation has a deadline.
package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint/rules"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Deadline is how long the rules may take over one resource.
const Deadline = 10 * time.Second

// Engine is a set of compiled rules. It is safe for concurrent use.
type Engine struct {
	query rego.PreparedEvalQuery
	rules map[string]*rules.Rule
	facts *facts
}

// Result is a finding, and what it takes to be missing, if anything: the caller may know that this lives elsewhere.
type Result struct {
	diag.Finding
	Missing *Reference
}

// Reference names something that a finding did not find: a host, or an object by kind, namespace and name.
type Reference struct {
	Host      string
	Kind      string
	Namespace string
	Name      string
}

// New compiles rules for a mesh.
func New(ctx context.Context, mesh *model.Mesh, set []rules.Rule) (*Engine, error) {
	e := &Engine{rules: map[string]*rules.Rule{}, facts: newFacts(mesh)}
	functions := e.facts.functions()
	compiler, err := compileRules(set, functions)
	if err != nil {
		return nil, err
	}
	for i := range set {
		e.rules[set[i].Name] = &set[i]
	}
	options := []func(*rego.Rego){
		rego.Query("data.meshc.findings"),
		rego.StrictBuiltinErrors(true),
		rego.Compiler(compiler),
	}
	for _, f := range functions {
		options = append(options, f.option)
	}
	if e.query, err = rego.New(options...).PrepareForEval(ctx); err != nil {
		return nil, compileError(err)
	}
	return e, nil
}

// Evaluate runs the rules of the resource's kind over it.
func (e *Engine) Evaluate(ctx context.Context, r *resource.Resource) ([]Result, error) {
	within, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	set, err := e.query.Eval(within, rego.EvalParsedInput(e.facts.document(r)))
	if err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			return nil, fmt.Errorf("%s: the rules took longer than %s over it", r.ID(), Deadline)
		}
		return nil, fmt.Errorf("%s: a rule failed: %w", r.ID(), err)
	}
	var results []Result
	for _, answer := range set {
		for _, value := range answer.Expressions {
			list, _ := value.Value.([]any)
			for _, item := range list {
				result, err := e.result(r, item)
				if err != nil {
					return nil, err
				}
				results = append(results, result)
			}
		}
	}
	return results, nil
}

// result reads what a rule says: {"path", "message"} and, if it likes, "severity", "aliases", "related", "fix", "missing".
func (e *Engine) result(r *resource.Resource, item any) (Result, error) {
	pair, _ := item.([]any)
	if len(pair) != 2 {
		return Result{}, fmt.Errorf("%s: a rule gave %v, which is no finding", r.ID(), item)
	}
	name, _ := pair[0].(string)
	rule := e.rules[name]
	said, ok := pair[1].(map[string]any)
	if !ok || text(said, "message") == "" {
		return Result{}, fmt.Errorf("rule %s: a finding must be an object with message and path", name)
	}
	f := diag.Finding{
		Rule: name, Aliases: rule.Aliases, Severity: rule.Severity, Message: text(said, "message"),
		Resource: r.Ref(), Path: text(said, "path"), Location: r.Locate(text(said, "path")),
	}
	if s := diag.Severity(text(said, "severity")); s == diag.Error || s == diag.Warning || s == diag.Info {
		f.Severity = s
	}
	if codes, ok := said["aliases"].([]any); ok {
		f.Aliases = nil
		for _, c := range codes {
			if s, ok := c.(string); ok {
				f.Aliases = append(f.Aliases, s)
			}
		}
	}
	f.Related = e.related(said["related"])
	f.Fix = fix(r, said["fix"], f.Path)
	result := Result{Finding: f}
	if m, ok := said["missing"].(map[string]any); ok {
		result.Missing = &Reference{Host: text(m, "host"), Kind: text(m, "kind"), Namespace: text(m, "namespace"), Name: text(m, "name")}
	}
	return result, nil
}

func text(object map[string]any, key string) string {
	s, _ := object[key].(string)
	return s
}

// related turns [{"of": DOCUMENT or {"id"}, "path", "message"}] into places.
func (e *Engine) related(said any) []diag.Related {
	list, _ := said.([]any)
	var all []diag.Related
	for _, item := range list {
		m, _ := item.(map[string]any)
		id, err := strconv.Atoi(text(m, "id"))
		if err != nil || id < 0 || id >= len(e.facts.resources) {
			continue
		}
		r := e.facts.resources[id]
		all = append(all, diag.Related{Resource: r.Ref(), Location: r.Locate(text(m, "path")), Message: text(m, "message")})
	}
	slices.SortFunc(all, func(a, b diag.Related) int { return a.Location.Compare(b.Location) })
	return all
}

// fix turns {"description", "replace"} into an edit of the scalar at the path; without replace it is words only.
func fix(r *resource.Resource, said any, at string) *diag.Fix {
	m, ok := said.(map[string]any)
	if !ok || text(m, "description") == "" {
		return nil
	}
	out := &diag.Fix{Description: text(m, "description"), Edits: []diag.Edit{}}
	if p := text(m, "path"); p != "" {
		at = p
	}
	replacement, ok := m["replace"].(string)
	if location := r.Locate(at); ok && location.EndLine != 0 {
		out.Edits = append(out.Edits, diag.Edit{Location: location, NewText: replacement})
	}
	return out
}
