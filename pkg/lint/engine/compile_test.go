package engine

import (
	"testing"

	"github.com/meshc/meshc/pkg/lint/rules"
	"github.com/meshc/meshc/pkg/model"
)

// TestBuiltinRulesPassAllChecks runs the stages of OPA's compiler that meshc's own rules are spared at run time.
func TestBuiltinRulesPassAllChecks(t *testing.T) {
	all, err := rules.Load(rules.Builtin(), false)
	if err != nil {
		t.Fatal(err)
	}
	var inRego []rules.Rule
	for _, r := range all {
		if r.Source != "" {
			inRego = append(inRego, r)
		}
	}
	if len(inRego) == 0 {
		t.Fatal("no rule is written in Rego")
	}
	if _, err := New(t.Context(), &model.Mesh{}, inRego); err != nil {
		t.Error(err)
	}
	broken := append(inRego, rules.Rule{Name: "service/broken", Kinds: []string{"Service"}, Source: "package service.broken\n\nfindings contains upper(1)\n"})
	if _, err := New(t.Context(), &model.Mesh{}, broken); err == nil {
		t.Error("a rule with a wrong type passed: the checks did not run")
	}
}
