package lint_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/lint/rules"
	"github.com/meshc/meshc/pkg/model"
)

// TestRules walks the rule folders: each fires on its bad example as expected.txt has it and is silent on its good one.
func TestRules(t *testing.T) {
	all, err := lint.Rules(lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range all {
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			wanted := map[string]string{"title": rule.Title, "why": rule.Why, "description": rule.Description, "fix": rule.Fix}
			if rule.Stage != "load" {
				wanted["bad.yaml"], wanted["good.yaml"] = rule.Bad, rule.Good
			}
			for field, text := range wanted {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s is missing", field)
				}
			}
			findings := findings
			switch rule.Stage {
			case "load":
				return
			case "compile":
				findings = compileFindings
			}
			bad := only(rule.Name, findings(t, rules.Builtin(), rule.Name+"/bad.yaml"))
			if bad == "" {
				t.Errorf("silent on bad.yaml")
			}
			golden.CompareFile(t, filepath.Join("rules", filepath.FromSlash(rule.Name), "expected.txt"), []byte(bad))
			for _, f := range findings(t, rules.Builtin(), rule.Name+"/good.yaml") {
				if f.Rule == rule.Name || f.Severity == diag.Error {
					t.Errorf("good.yaml: %s", line(f))
				}
			}
		})
	}
}

// TestRulePages holds docs/rules against what the rule folders say.
func TestRulePages(t *testing.T) {
	all, err := lint.Rules(lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join("..", "..", "docs", "rules")
	pages := map[string]bool{"README.md": true}
	var index strings.Builder
	index.WriteString("# Rules\n\nMade from the rule folders under `pkg/lint/rules`; `meshc explain RULE` shows the same. Teams add [rules of their own](../own-rules.md).\n\n| rule | severity | what is wrong | also known as |\n|---|---|---|---|\n")
	for _, rule := range all {
		page := rule.Name + ".md"
		pages[page] = true
		fmt.Fprintf(&index, "| [%s](%s) | %s | %s | %s |\n", rule.Name, page, rule.Severity, rule.Title, strings.Join(rule.Aliases, ", "))
		golden.CompareFile(t, filepath.Join(docs, filepath.FromSlash(page)), []byte(rule.Markdown()))
	}
	golden.CompareFile(t, filepath.Join(docs, "README.md"), []byte(index.String()))
	err = filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(docs, path)
		if !pages[filepath.ToSlash(rel)] {
			t.Errorf("%s: there is no such rule", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func load(t testing.TB, files fs.FS, paths ...string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{FS: files}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

func findings(t testing.TB, files fs.FS, paths ...string) []diag.Finding {
	t.Helper()
	report, err := lint.Run(t.Context(), load(t, files, paths...), lint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

// compileFindings are what compiling all proxies finds.
func compileFindings(t testing.TB, files fs.FS, paths ...string) []diag.Finding {
	t.Helper()
	mesh := load(t, files, paths...)
	compiler := compile.New(mesh, compile.Options{})
	var found []diag.Finding
	for _, p := range mesh.Proxies() {
		found = append(found, compiler.Compile(p).Findings...)
	}
	return found
}

// TestEveryRuleIsExplained looks for the names of rules in the sources: each must have a folder, so that `meshc explain` knows it.
func TestEveryRuleIsExplained(t *testing.T) {
	all, err := lint.Rules(lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	stages := map[string]bool{}
	for _, rule := range all {
		explained[rule.Name] = true
		stage, _, _ := strings.Cut(rule.Name, "/")
		stages[stage] = true
	}
	name := regexp.MustCompile(`"([a-z]+)/[a-z]+(-[a-z]+)*"`)
	seen := 0
	for _, dir := range []string{"model", "lint", "compile"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range name.FindAllSubmatch(text, -1) {
				rule := strings.Trim(string(m[0]), `"`)
				if !stages[string(m[1])] {
					continue
				}
				seen++
				if !explained[rule] {
					t.Errorf("%s: no folder explains %s", path, rule)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 20 {
		t.Errorf("only %d names of rules in the sources", seen)
	}
}

func only(rule string, findings []diag.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		if f.Rule == rule {
			b.WriteString(line(f) + "\n")
		}
	}
	return b.String()
}

func line(f diag.Finding) string {
	text := fmt.Sprintf("%d:%d %s %s %s: %s", f.Location.Line, f.Location.Column, f.Severity, f.Rule, f.Path, f.Message)
	for _, r := range f.Related {
		text += fmt.Sprintf("\n  %d:%d %s", r.Location.Line, r.Location.Column, r.Message)
	}
	if f.Fix != nil {
		text += "\n  fix: " + f.Fix.Description
		for _, e := range f.Fix.Edits {
			text += fmt.Sprintf("\n  %d:%d-%d %q", e.Location.Line, e.Location.Column, e.Location.EndColumn, e.NewText)
		}
	}
	return text
}
