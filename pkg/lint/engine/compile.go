package engine

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/pkg/lint/rules"
)

// checks are the stages of OPA's compiler that find mistakes and change nothing, or change what meshc's own rules do not have: print and
// metadata. They take a third of the time; a test runs them over meshc's rules, so only those of users are held against them at run time.
var checks = [...]ast.StageID{
	ast.StageCheckUnusedImports, ast.StageCheckKeywordOverrides, ast.StageCheckDuplicateImports, ast.StageCheckVoidCalls, ast.StageRewritePrintCalls,
	ast.StageParseMetadataBlocks, ast.StageSetAnnotationSet, ast.StageRewriteRegoMetadataCalls, ast.StageCheckRuleConflicts, ast.StageCheckUndefinedFuncs,
	ast.StageCheckSafetyRuleHeads, ast.StageRewriteTestRulesForTracing, ast.StageCheckRecursion, ast.StageCheckTypes, ast.StageCheckUnsafeBuiltins,
	ast.StageCheckDeprecatedBuiltins, ast.StageBuildRequiredCapabilities,
}

// compileRules compiles rules, and the module that asks each by the type of the input.
func compileRules(set []rules.Rule, functions []function) (*ast.Compiler, error) {
	modules, err := parseAll(set)
	if err != nil {
		return nil, err
	}
	declared := map[string]*ast.Builtin{}
	for _, f := range functions {
		declared[f.declaration.Name] = &f.declaration
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithBuiltins(declared).WithUseTypeCheckAnnotations(true)
	if !slices.ContainsFunc(set, func(r rules.Rule) bool { return !r.Builtin }) {
		compiler = compiler.WithSkipStages(checks[:]...)
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, compileError(compiler.Errors)
	}
	return compiler, nil
}

// parseAll reads the modules on all cores. They are named for their files.
func parseAll(set []rules.Rule) (map[string]*ast.Module, error) {
	parsed, failed := make([]*ast.Module, len(set)), make([]error, len(set))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range set {
		group.Go(func() error {
			parsed[i], failed[i] = parse(&set[i])
			return nil
		})
	}
	asking, err := ast.ParseModuleWithOpts("meshc.rego", dispatch(set), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err := cmp.Or(group.Wait(), err); err != nil {
		return nil, err
	}
	modules := map[string]*ast.Module{"meshc.rego": asking}
	for i, module := range parsed {
		if failed[i] != nil {
			return nil, failed[i]
		}
		modules[set[i].Name+"/rule.rego"] = module
	}
	return modules, nil
}

// dispatch is the module that asks the rules for the type of the input.
func dispatch(set []rules.Rule) string {
	var text strings.Builder
	text.WriteString("package meshc\n")
	for i := range set {
		for _, kind := range set[i].Kinds {
			fmt.Fprintf(&text, "findings contains [%q, f] if {\n\tinput.type == %q\n\tsome f in data.%s.findings\n}\n", set[i].Name, kind, set[i].Package())
		}
	}
	return text.String()
}

// parse reads a rule's module and holds its package against its name, so that no rule can reach into another's.
func parse(rule *rules.Rule) (*ast.Module, error) {
	file := rule.Name + "/rule.rego"
	module, err := ast.ParseModuleWithOpts(file, rule.Source, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", rule.Name, err)
	}
	if got := strings.TrimPrefix(module.Package.Path.String(), "data."); got != rule.Package() {
		return nil, fmt.Errorf("rule %s: %s must begin with \"package %s\", not %q", rule.Name, file, rule.Package(), got)
	}
	return module, nil
}

func compileError(err error) error {
	var errs ast.Errors
	if errors.As(err, &errs) && len(errs) > 0 && errs[0].Location != nil {
		return fmt.Errorf("rules do not compile: %s:%d: %s", errs[0].Location.File, errs[0].Location.Row, errs[0].Message)
	}
	return fmt.Errorf("rules do not compile: %w", err)
}

// capabilities are OPA's without whatever answers differently from run to run or reaches outside.
func capabilities() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic || strings.HasPrefix(b.Name, "http.") || strings.HasPrefix(b.Name, "net.lookup") || strings.HasPrefix(b.Name, "opa.") ||
			strings.HasPrefix(b.Name, "io.jwt.") || strings.HasPrefix(b.Name, "rego.") || strings.HasPrefix(b.Name, "providers.") || b.Name == "trace"
	})
	return caps
}
