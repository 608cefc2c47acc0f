package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"
)

// function is a mesh.… function: what the compiler must know of it, and what makes it known to the evaluation.
type function struct {
	declaration ast.Builtin
	option      func(*rego.Rego)
}

// functions are the mesh.… functions for rules.
func (f *facts) functions() []function {
	anyArray := types.NewArray(nil, types.A)
	return []function{
		one("resources", anyArray, f.resourcesOf, types.S),
		two("resources_in", anyArray, f.resourcesIn, types.S, types.S),
		two("selecting", anyArray, f.selecting, types.S, types.A),
		two("exports_meet", types.B, f.exportsMeet, types.S, types.S),
		one("gateways_of", types.NewSet(types.S), f.gatewaysOf, types.S),
		two("services", anyArray, f.servicesOf, types.S, types.S),
		two("similar_host", types.S, f.similarHost, types.S, types.S),
		two("resolve_host", types.S, f.resolveHost, types.S, types.S),
		two("host_matches", types.B, hostMatches, types.S, types.S),
		two("destination_rules", anyArray, f.destinationRules, types.S, types.S),
		two("overlapping_rules", anyArray, f.overlappingRules, types.S, types.S),
		one("problems", anyArray, f.problems, types.S),
		one("custom_authorization", types.A, f.customAuthorization, types.S),
		one("routes_to", anyArray, f.routesTo, types.S),
		one("service_entries", anyArray, f.serviceEntries, types.S),
		one("virtual_services", anyArray, f.virtualServices, types.S),
		two("workloads", anyArray, f.workloads, types.S, types.A),
		two("endpoint_labels", anyArray, f.endpointLabels, types.S, types.S),
		two("mtls", types.A, f.mtls, types.S, types.A),
		none("settings", types.A, f.settings),
		none("namespaces", types.NewSet(types.S), f.spaces),
		none("annotations", types.A, f.notes),
		two("annotation_problem", types.S, annotationProblem, types.S, types.S),
		two("similar", types.S, similarTo, types.S, types.A),
	}
}

func declare(name string, result types.Type, args ...types.Type) *rego.Function {
	return &rego.Function{Name: "mesh." + name, Decl: types.NewFunction(args, result)}
}

func builtin(f *rego.Function) ast.Builtin { return ast.Builtin{Name: f.Name, Decl: f.Decl} }

func none(name string, result types.Type, value func() *ast.Term) function {
	d := declare(name, result)
	return function{builtin(d), rego.FunctionDyn(d, func(rego.BuiltinContext, []*ast.Term) (*ast.Term, error) { return value(), nil })}
}

func one(name string, result types.Type, answer rego.Builtin1, arg types.Type) function {
	d := declare(name, result, arg)
	return function{builtin(d), rego.Function1(d, answer)}
}

func two(name string, result types.Type, answer rego.Builtin2, first, second types.Type) function {
	d := declare(name, result, first, second)
	return function{builtin(d), rego.Function2(d, answer)}
}
