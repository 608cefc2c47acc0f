// Package schema judges one resource by itself: what the API server and istiod's admission webhook would accept, refuse, or accept
// with a warning.
//
// Shapes, needed fields and ranges are held by the CUE schemas of package schemas; what spans several fields, or wants a parser (host
// names, durations, regular expressions, certificates), is checked in Go in the file named for the kind. Unknown fields and wrong
// types are the decoder's to report, so those are left to it.
package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
	"github.com/meshc/meshc/schemas"
)

// The rules of this stage. What is wrong is said in the message; the rule groups what is mended alike.
const (
	MissingField      = "schema/missing-field"
	InvalidValue      = "schema/invalid-value"
	ConflictingFields = "schema/conflicting-fields"
	Duplicate         = "schema/duplicate"
	Ineffective       = "schema/ineffective"
	Deprecated        = "schema/deprecated"
	UnreachableRoute  = "schema/unreachable-route"
	IneffectiveMatch  = "schema/ineffective-match"
	InternalsExposed  = "schema/envoy-internals"
)

// Stage holds the schemas of the kinds that a mesh has. It is safe for concurrent use.
type Stage struct {
	ctx   *cue.Context
	kinds map[string]cue.Value
}

// New compiles the schemas of those of the kinds that have one.
func New(kinds map[string]bool) (*Stage, error) {
	stage := &Stage{kinds: map[string]cue.Value{}}
	file, err := parser.ParseFile("types.cue", schemas.Types())
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	var present []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		src, ok := schemas.Kind(kind)
		if !ok {
			continue
		}
		own, err := parser.ParseFile(strings.ToLower(kind)+".cue", src)
		if err != nil {
			return nil, fmt.Errorf("schemas: %w", err)
		}
		present = append(present, kind)
		merge(file, own)
	}
	if len(present) == 0 {
		return stage, nil
	}
	stage.ctx = cuecontext.New()
	all := stage.ctx.BuildFile(file)
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	for _, kind := range present {
		stage.kinds[kind] = all.LookupPath(cue.MakePath(cue.Def(kind)))
	}
	return stage, nil
}

// merge adds the declarations of a kind to the shared ones: one file to build, so that what they share is compiled once.
func merge(into, file *ast.File) {
	have := map[string]bool{}
	at := 0
	for i, decl := range into.Decls {
		switch d := decl.(type) {
		case *ast.Package:
			at = i + 1
		case *ast.ImportDecl:
			at = i + 1
			for _, spec := range d.Specs {
				have[spec.Path.Value] = true
			}
		}
	}
	var imports, rest []ast.Decl
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.Package:
		case *ast.ImportDecl:
			for _, spec := range d.Specs {
				if !have[spec.Path.Value] {
					have[spec.Path.Value] = true
					imports = append(imports, &ast.ImportDecl{Specs: []*ast.ImportSpec{spec}})
				}
			}
		default:
			rest = append(rest, decl)
		}
	}
	into.Decls = append(slices.Insert(into.Decls, at, imports...), rest...)
}

// Check returns what is wrong with the resource, in no particular order.
func (s *Stage) Check(r *resource.Resource) []diag.Finding {
	c := &check{Resource: r}
	s.shape(c)
	if run, ok := checks[r.Kind]; ok {
		run(c)
	}
	return c.findings
}

// Covers tells whether the stage has anything to say about a kind.
func Covers(r *resource.Resource) bool {
	if _, ok := checks[r.Kind]; ok {
		return strings.HasSuffix(r.Group(), "istio.io") || r.Kind == "ConfigMap"
	}
	return false
}

// check collects the findings of one resource.
type check struct {
	*resource.Resource
	findings []diag.Finding
}

func (c *check) report(severity diag.Severity, rule, path, alias, message string, fix *diag.Fix) {
	for _, f := range c.findings {
		if f.Path == path && f.Rule == rule {
			return
		}
	}
	c.findings = append(c.findings, diag.Finding{
		Rule: rule, Aliases: []string{alias}, Severity: severity, Message: message,
		Resource: c.Ref(), Path: path, Location: c.Locate(path), Fix: fix,
	})
}

func (c *check) errorf(rule, path, format string, args ...any) {
	c.report(diag.Error, rule, path, "IST0106", fmt.Sprintf(format, args...), nil)
}

func (c *check) warnf(rule, path, format string, args ...any) {
	c.report(diag.Warning, rule, path, "IST0133", fmt.Sprintf(format, args...), nil)
}

// has tells whether the field stands in the YAML, whatever its value.
func (c *check) has(path string) bool {
	n, ok := c.NodeAt(path)
	return ok && n.Tag != "!!null"
}
