package engine

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/meshc/meshc/pkg/model"
)

// exportsMeet: mesh.exports_meet(id, id): is there a namespace that sees both resources, by what their exportTo says? Each pair of scopes
// of each pair of resources is too many for Rego.
func (f *facts) exportsMeet(_ rego.BuiltinContext, a, b *ast.Term) (*ast.Term, error) {
	for _, x := range f.scope(str(a)) {
		for _, y := range f.scope(str(b)) {
			if x == y || x == "*" || y == "*" {
				return ast.BooleanTerm(true), nil
			}
		}
	}
	return ast.BooleanTerm(false), nil
}

// scope is the resource's exportTo with "." written out. See https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService.
func (f *facts) scope(id string) []string {
	i, ok := f.index(id)
	if !ok {
		return nil
	}
	list, ok := f.field(i, "spec", "exportTo").(*ast.Array)
	if !ok || list.Len() == 0 {
		return []string{"*"}
	}
	scope := make([]string, list.Len())
	for n := range scope {
		if scope[n] = str(list.Elem(n)); scope[n] == "." {
			scope[n] = f.resources[i].Namespace
		}
	}
	return scope
}

// gatewaysOf: mesh.gateways_of(id): the gateways that a VirtualService is bound to as NAMESPACE/NAME, "mesh" for the sidecars.
func (f *facts) gatewaysOf(_ rego.BuiltinContext, id *ast.Term) (*ast.Term, error) {
	i, ok := f.index(str(id))
	if !ok {
		return ast.SetTerm(), nil
	}
	list, ok := f.field(i, "spec", "gateways").(*ast.Array)
	if !ok || list.Len() == 0 {
		return ast.SetTerm(ast.StringTerm(model.MeshGateway)), nil
	}
	bound := ast.NewSetWithCapacity(list.Len())
	list.Foreach(func(t *ast.Term) {
		gateway := str(t)
		if gateway != model.MeshGateway && !strings.Contains(gateway, "/") {
			gateway = f.resources[i].Namespace + "/" + gateway
		}
		bound.Add(ast.StringTerm(gateway))
	})
	return ast.NewTerm(bound), nil
}

// index is the number that a document's id stands for.
func (f *facts) index(id string) (int, bool) {
	i, err := strconv.Atoi(id)
	return i, err == nil && i >= 0 && i < len(f.resources)
}

// field finds what stands at a place of a document; nil if nothing does.
func (f *facts) field(id int, path ...string) ast.Value {
	at := f.documents[id]()
	for _, key := range path {
		fields, ok := at.(ast.Object)
		if !ok {
			return nil
		}
		value := fields.Get(ast.StringTerm(key))
		if value == nil {
			return nil
		}
		at = value.Value
	}
	return at
}
