package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// selecting: mesh.selecting(namespace, labels): the Services of the namespace whose selectors the labels meet. One without a selector
// selects nothing.
func (f *facts) selecting(_ rego.BuiltinContext, namespace, labels *ast.Term) (*ast.Term, error) {
	have, ok := labels.Value.(ast.Object)
	if !ok {
		return ast.ArrayTerm(), nil
	}
	var ids []int
	for _, id := range f.byPlace()[place{"Service", str(namespace)}] {
		if selector, ok := f.field(id, "spec", "selector").(ast.Object); ok && selector.Len() > 0 && !selector.Until(func(k, v *ast.Term) bool {
			label := have.Get(k)
			return label == nil || !label.Equal(v)
		}) {
			ids = append(ids, id)
		}
	}
	return f.array(ids), nil
}
