package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// customAuthorization: mesh.custom_authorization(id): what becomes of a CUSTOM AuthorizationPolicy; undefined for any other resource.
func (f *facts) customAuthorization(_ rego.BuiltinContext, id *ast.Term) (*ast.Term, error) {
	i, ok := f.index(str(id))
	if !ok {
		return nil, nil
	}
	c := f.custom()[f.resources[i]]
	if c == nil {
		return nil, nil
	}
	var rivals, blind []*ast.Term
	for _, r := range c.Rivals {
		rivals = append(rivals, ast.NewTerm(f.document(r)))
	}
	for _, p := range c.Blind {
		blind = append(blind, ast.StringTerm(p.ID()))
	}
	return ast.ObjectTerm(
		item("service", ast.StringTerm(c.Service)), item("problem", ast.StringTerm(c.Problem)), item("serviceMissing", ast.BooleanTerm(c.ServiceMissing)),
		item("rivals", ast.ArrayTerm(rivals...)), item("blind", ast.ArrayTerm(blind...)),
	), nil
}
