package resource

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// deref follows an alias to the node that it stands for.
func deref(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// pairs returns keys and values of a mapping by turns, with merge keys (<<) resolved: own keys win over merged ones, and among those the
// first mapping that has the key.
func pairs(n *yaml.Node) []*yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			return mergedPairs(n)
		}
	}
	return n.Content
}

func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" && key.Kind == yaml.ScalarNode }

func mergedPairs(n *yaml.Node) []*yaml.Node {
	var merged []*yaml.Node
	seen := map[string]bool{}
	var sources []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !isMerge(key) {
			seen[key.Value] = true
			merged = append(merged, key, value)
			continue
		}
		if value = deref(value); value.Kind == yaml.SequenceNode {
			sources = append(sources, value.Content...)
		} else {
			sources = append(sources, value)
		}
	}
	for _, source := range sources {
		source = deref(source)
		if source.Kind != yaml.MappingNode {
			continue
		}
		from := pairs(source)
		for i := 0; i+1 < len(from); i += 2 {
			if !seen[from[i].Value] {
				seen[from[i].Value] = true
				merged = append(merged, from[i], from[i+1])
			}
		}
	}
	return merged
}

// lookup returns the key and the value nodes of a key in a mapping, nil where it is not there.
func lookup(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n = deref(n); n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	content := pairs(n)
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Value == name && content[i].Kind == yaml.ScalarNode {
			return content[i], content[i+1]
		}
	}
	return nil, nil
}

// scalarType is what a value is to a Kubernetes API server, which reads YAML 1.1.
type scalarType string

const (
	isNull    scalarType = "null"
	isBool    scalarType = "a boolean"
	isInt     scalarType = "a number"
	isFloat   scalarType = "a decimal number"
	isString  scalarType = "a string"
	isList    scalarType = "a list"
	isMapping scalarType = "an object"
)

// typeOf tells what a node is. Plain yes, no, on, off, y and n are booleans, as in YAML 1.1.
func typeOf(n *yaml.Node) scalarType {
	switch n.Kind {
	case yaml.MappingNode:
		return isMapping
	case yaml.SequenceNode:
		return isList
	case yaml.ScalarNode:
	default:
		return isNull
	}
	switch n.Tag {
	case "!!null":
		return isNull
	case "!!bool":
		return isBool
	case "!!int":
		return isInt
	case "!!float":
		return isFloat
	}
	if n.Style == 0 && isBoolWord(n.Value) {
		return isBool
	}
	return isString
}

func isBoolWord(s string) bool {
	if len(s) > 3 || len(s) == 0 {
		return false
	}
	switch s {
	case "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF":
		return true
	}
	return false
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "y", "yes", "on":
		return true
	}
	return false
}

// keyText is a mapping's key as JSON has it: booleans and numbers turn into their text.
func keyText(key *yaml.Node) string {
	key = deref(key)
	switch typeOf(key) {
	case isBool:
		return strconv.FormatBool(isTrue(key.Value))
	case isNull:
		return "null"
	case isInt:
		if i, err := strconv.ParseInt(plainNumber(key.Value), 0, 64); err == nil {
			return strconv.FormatInt(i, 10)
		}
	}
	return key.Value
}

// plainNumber takes the underscores out that YAML 1.1 allows in numbers, and writes octal as Go reads it.
func plainNumber(s string) string { return strings.ReplaceAll(s, "_", "") }

func parseFloat(s string) (float64, error) {
	s = plainNumber(s)
	switch strings.ToLower(strings.TrimPrefix(s, "+")) {
	case ".inf":
		return strconv.ParseFloat("+Inf", 64)
	case "-.inf":
		return strconv.ParseFloat("-Inf", 64)
	case ".nan":
		return strconv.ParseFloat("NaN", 64)
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return float64(i), nil
	}
	return strconv.ParseFloat(s, 64)
}

// plain turns a node into what encoding/json would have decoded it to, with int64 for whole numbers.
func plain(n *yaml.Node) any {
	n = deref(n)
	switch typeOf(n) {
	case isMapping:
		content := pairs(n)
		object := make(map[string]any, len(content)/2)
		for i := 0; i+1 < len(content); i += 2 {
			object[keyText(content[i])] = plain(content[i+1])
		}
		return object
	case isList:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item)
		}
		return list
	case isBool:
		return isTrue(n.Value)
	case isInt:
		if i, err := strconv.ParseInt(plainNumber(n.Value), 0, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(plainNumber(n.Value), 0, 64); err == nil {
			return u
		}
		return n.Value
	case isFloat:
		if f, err := parseFloat(n.Value); err == nil {
			return f
		}
		return n.Value
	case isNull:
		return nil
	}
	return n.Value
}

// toJSON writes a node as JSON, for types that only know how to read that.
func toJSON(n *yaml.Node) ([]byte, error) { return json.Marshal(plain(n)) }
