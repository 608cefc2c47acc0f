package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/meshc/meshc/pkg/model/gatewayapi"
	"github.com/meshc/meshc/pkg/model/resource"
)

// indexStatuses finds the statuses that resources of the Gateway API would get.
func (f *facts) indexStatuses() map[*resource.Resource]*gatewayapi.Status {
	statuses := map[*resource.Resource]*gatewayapi.Status{}
	for _, s := range f.mesh.GatewayAPI().Statuses {
		statuses[s.Resource] = s.Status
	}
	return statuses
}

// problems: mesh.problems(id): the conditions of the status that the resource would get which report something wrong, each with what it is
// about: a listener's name, a parent's, or "" for the resource as a whole.
func (f *facts) problems(_ rego.BuiltinContext, id *ast.Term) (*ast.Term, error) {
	i, ok := f.index(str(id))
	if !ok {
		return ast.ArrayTerm(), nil
	}
	status := f.statuses()[f.resources[i]]
	if status == nil {
		return ast.ArrayTerm(), nil
	}
	var items []*ast.Term
	add := func(about, name string, conditions []gatewayapi.Condition) {
		for _, c := range conditions {
			if c.Bad() {
				items = append(items, ast.ObjectTerm(
					item("about", ast.StringTerm(about)), item("name", ast.StringTerm(name)), item("type", ast.StringTerm(c.Type)),
					item("reason", ast.StringTerm(c.Reason)), item("message", ast.StringTerm(c.Message)), item("path", ast.StringTerm(c.Place)),
				))
			}
		}
	}
	add("resource", "", status.Conditions)
	for _, l := range status.Listeners {
		add("listener", l.Name, l.Conditions)
	}
	for _, p := range status.Parents {
		add("parent", string(p.ParentRef.Name), p.Conditions)
	}
	for _, a := range status.Ancestors {
		add("ancestor", string(a.AncestorRef.Name), a.Conditions)
	}
	return ast.ArrayTerm(items...), nil
}
