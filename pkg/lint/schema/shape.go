package schema

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// shape holds the resource against its CUE schema. Subsumption answers yes or no at a fifth of the price of unification, which is
// needed for the reasons only.
func (s *Stage) shape(c *check) {
	schema, ok := s.kinds[c.Kind]
	if !ok {
		return
	}
	spec, ok := c.NodeAt("spec")
	if !ok {
		spec = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	value := s.encode(plain(spec))
	if schema.Subsume(value, cue.Final()) == nil {
		return
	}
	err := schema.Unify(value).Validate(cue.Concrete(true), cue.Final())
	reported := map[string]bool{}
	for _, e := range errors.Errors(err) {
		format, _ := e.Msg()
		// The decoder reports unknown fields.
		if strings.HasPrefix(format, "field not allowed") {
			continue
		}
		steps := steps(e.Path())
		path := "spec" + render(steps)
		if reported[path] {
			continue
		}
		reported[path] = true
		c.explain(path, lookup(schema, steps))
	}
}

func (s *Stage) encode(v any) cue.Value { return s.ctx.Encode(v) }

// explain says what is allowed at a path whose value is not.
func (c *check) explain(path string, want cue.Value) {
	allowed := describe(want, 0)
	if allowed != "" {
		allowed = ": it must be " + allowed
	}
	n, present := c.NodeAt(path)
	if !present || n.Tag == "!!null" {
		c.errorf(MissingField, path, "%s is missing%s", last(path), allowed)
		return
	}
	if allowed == "" {
		allowed = " is not what this field takes"
	}
	if n.Kind == yaml.ScalarNode {
		c.errorf(InvalidValue, path, "%s has the value %s%s", last(path), quote(n.Value), allowed)
		return
	}
	c.errorf(InvalidValue, path, "%s is not as it should be%s", last(path), allowed)
}

// steps turns the path of a CUE error into steps below spec: the definition's own name goes.
func steps(path []string) []resource.Step {
	var out []resource.Step
	for _, p := range path {
		if strings.HasPrefix(p, "#") {
			continue
		}
		if i, err := strconv.Atoi(p); err == nil {
			out = append(out, resource.Step{Key: p, Index: i, IsIndex: true})
			continue
		}
		if unquoted, err := strconv.Unquote(p); err == nil {
			p = unquoted
		}
		out = append(out, resource.Step{Key: p})
	}
	return out
}

func render(steps []resource.Step) string {
	path := "spec"
	for _, s := range steps {
		if s.IsIndex {
			path = resource.Index(path, s.Index)
		} else {
			path = resource.Key(path, s.Key)
		}
	}
	return strings.TrimPrefix(path, "spec")
}

// lookup finds what the schema says of a place.
func lookup(v cue.Value, steps []resource.Step) cue.Value {
	for _, s := range steps {
		var next cue.Value
		if s.IsIndex {
			next = v.LookupPath(cue.MakePath(cue.AnyIndex))
		} else {
			next = v.LookupPath(cue.MakePath(cue.Str(s.Key).Optional()))
			if !next.Exists() {
				next = v.LookupPath(cue.MakePath(cue.Str(s.Key)))
			}
			if !next.Exists() {
				next = v.LookupPath(cue.MakePath(cue.AnyString))
			}
		}
		v = next
	}
	return v
}

// describe puts a constraint into words: `one of "A", "B"`, `an integer, at least 1, at most 65535`.
func describe(v cue.Value, depth int) string {
	if !v.Exists() || depth > 6 {
		return ""
	}
	if _, path := v.ReferencePath(); len(path.Selectors()) > 0 {
		switch path.String() {
		case "#Duration":
			return "a duration such as 5s, 250ms or 1h30m"
		case "#Port":
			return "a port number from 1 to 65535"
		case "#Percentage":
			return "a number from 0 to 100"
		}
		return describe(cue.Dereference(v), depth+1)
	}
	op, args := v.Expr()
	switch op {
	case cue.OrOp:
		return alternatives(args, depth)
	case cue.AndOp:
		var parts []string
		for _, a := range args {
			if d := describe(a, depth+1); d != "" && !slices.Contains(parts, d) {
				parts = append(parts, d)
			}
		}
		return strings.Join(parts, ", ")
	case cue.GreaterThanEqualOp:
		return "at least " + text(args[0])
	case cue.GreaterThanOp:
		return "more than " + text(args[0])
	case cue.LessThanEqualOp:
		return "at most " + text(args[0])
	case cue.LessThanOp:
		return "less than " + text(args[0])
	case cue.NotEqualOp:
		if text(args[0]) == `""` {
			return "not empty"
		}
		return "anything but " + text(args[0])
	case cue.RegexMatchOp:
		if limit, ok := lengthLimit(args[0]); ok {
			return limit
		}
		return "in the form " + text(args[0])
	case cue.NotRegexMatchOp:
		return "free of " + text(args[0])
	case cue.CallOp:
		return call(args)
	}
	return kindName(v)
}

func alternatives(args []cue.Value, depth int) string {
	var names []string
	for _, a := range args {
		if s, err := a.String(); err == nil {
			names = append(names, s)
		} else if d := describe(a, depth+1); d != "" {
			names = append(names, d)
		}
	}
	return "one of " + strings.Join(names, ", ")
}

// lengthLimit reads the two patterns by which the schemas bound the length of a string (a subsumption check does not follow calls).
func lengthLimit(pattern cue.Value) (string, bool) {
	s, _ := pattern.String()
	if s == "(?s)." {
		return "not empty", true
	}
	most, ok := strings.CutPrefix(s, "(?s)^.{0,")
	most, whole := strings.CutSuffix(most, "}$")
	return "at most " + most + " characters long", ok && whole
}

// call describes the validators that the schemas use.
func call(args []cue.Value) string {
	if len(args) != 2 {
		return ""
	}
	switch name := fmt.Sprint(args[0]); {
	case strings.HasSuffix(name, "MinItems"):
		return "at least " + text(args[1]) + " long"
	case strings.HasSuffix(name, "MaxItems"):
		return "at most " + text(args[1]) + " long"
	case strings.HasSuffix(name, "MaxRunes"):
		return "at most " + text(args[1]) + " characters long"
	}
	return ""
}

func kindName(v cue.Value) string {
	switch v.IncompleteKind() {
	case cue.StringKind:
		return "a string"
	case cue.IntKind:
		return "an integer"
	case cue.NumberKind, cue.FloatKind:
		return "a number"
	case cue.BoolKind:
		return "true or false"
	case cue.ListKind:
		return "a list"
	case cue.StructKind:
		return "an object"
	}
	return ""
}

func text(v cue.Value) string { return fmt.Sprint(v) }

// last is the field that a path ends in, as people say it.
func last(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[i+1:]
	}
	return path
}

func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// plain turns a node into Go values as CUE takes them: integers stay integers, and a field that is null counts as absent.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item)
		}
		return list
	case yaml.MappingNode:
		fields := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := plain(n.Content[i+1]); v != nil {
				fields[n.Content[i].Value] = v
			}
		}
		return fields
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil
}

func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
		if i, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0); ok {
			return i
		}
	case "!!float":
		var f float64
		if n.Decode(&f) == nil {
			return f
		}
	}
	return n.Value
}
