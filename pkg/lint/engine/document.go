package engine

import (
	"encoding/json"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Type is what a rule's kinds say of the resource: its kind, but for the Gateway API's Gateway, which has its group behind it.
func Type(r *resource.Resource) string {
	if r.Kind == "Gateway" && r.Group() == "gateway.networking.k8s.io" {
		return "Gateway.gateway.networking.k8s.io"
	}
	return r.Kind
}

// document is the resource as rules see it: what stands in the YAML, and beside it
//
//	type       see Type
//	id         names the resource in a finding's related
//	namespace  the namespace, also where the document leaves it out
//	name
func document(r *resource.Resource, id int) ast.Value {
	value, ok := convert(r.Node).(ast.Object)
	if !ok {
		value = ast.NewObject()
	}
	value.Insert(ast.StringTerm("type"), ast.StringTerm(Type(r)))
	value.Insert(ast.StringTerm("id"), ast.StringTerm(strconv.Itoa(id)))
	value.Insert(ast.StringTerm("namespace"), ast.StringTerm(r.Namespace))
	value.Insert(ast.StringTerm("name"), ast.StringTerm(r.Name))
	return value
}

// convert turns a node into a value without the detour over JSON. A field that is null counts as absent.
func convert(n *yaml.Node) ast.Value {
	switch n.Kind {
	case yaml.AliasNode:
		return convert(n.Alias)
	case yaml.SequenceNode:
		items := make([]*ast.Term, len(n.Content))
		for i, item := range n.Content {
			items[i] = ast.NewTerm(convert(item))
		}
		return ast.NewArray(items...)
	case yaml.MappingNode:
		fields := ast.NewObject()
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := n.Content[i+1]; v.ShortTag() != "!!null" {
				fields.Insert(ast.StringTerm(n.Content[i].Value), ast.NewTerm(convert(v)))
			}
		}
		return fields
	case yaml.ScalarNode:
		return scalar(n)
	}
	return ast.NullValue
}

func scalar(n *yaml.Node) ast.Value {
	switch n.ShortTag() {
	case "!!null":
		return ast.NullValue
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return ast.Boolean(b)
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return ast.Number(json.Number(strconv.FormatInt(i, 10)))
		}
	case "!!float":
		var f float64
		if n.Decode(&f) == nil {
			if text, err := json.Marshal(f); err == nil {
				return ast.Number(json.Number(text))
			}
		}
	}
	return ast.String(n.Value)
}
