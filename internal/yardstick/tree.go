package yardstick

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// snake matches field names as protobuf files write them, and not the keys of maps that only look similar.
var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)+$`)

// folded is a tree with field names in camelCase, without nulls, and with those lists in a fixed order that are sets: istiod takes the
// header and query matchers of a match from a Go map. key is the field in which the tree stands.
func folded(tree any, key string) any {
	switch v := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if value == nil {
				continue
			}
			if snake.MatchString(name) {
				name = camel(name)
			}
			out[name] = folded(value, name)
		}
		if key == "match" {
			sortSet(out["headers"])
			sortSet(out["queryParameters"])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = folded(value, key)
		}
		return out
	}
	return tree
}

func camel(name string) string {
	var out strings.Builder
	for i, word := range strings.Split(name, "_") {
		if i > 0 {
			word = string(unicode.ToUpper(rune(word[0]))) + word[1:]
		}
		out.WriteString(word)
	}
	return out.String()
}

func sortSet(list any) {
	if items, ok := list.([]any); ok {
		slices.SortFunc(items, func(a, b any) int { return strings.Compare(compact(a), compact(b)) })
	}
}

// compact is a value as JSON, keys in order. What came from JSON can be written as JSON.
func compact(v any) string {
	out, _ := json.Marshal(v)
	return string(out)
}

func field(tree any, name string) any {
	object, _ := tree.(map[string]any)
	return object[name]
}

func text(tree any, name string) string {
	s, _ := field(tree, name).(string)
	return s
}

// connectionManagers are all that stand in a tree, however deep.
func connectionManagers(tree any) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) { eachManager(tree, yield) }
}

func eachManager(tree any, yield func(map[string]any) bool) bool {
	switch v := tree.(type) {
	case map[string]any:
		if strings.HasSuffix(text(v, "@type"), "HttpConnectionManager") && !yield(v) {
			return false
		}
		for _, value := range v {
			if !eachManager(value, yield) {
				return false
			}
		}
	case []any:
		for _, value := range v {
			if !eachManager(value, yield) {
				return false
			}
		}
	}
	return true
}

// differences are the paths at which two trees differ, list indices left out so that like differences have one path.
func differences(want, got any, path string) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{path}
		}
		return differentFields(w, g, path)
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{path}
		}
		var out []string
		if len(w) != len(g) {
			out = append(out, fmt.Sprintf("%s[] has %d, not %d", path, len(g), len(w)))
		}
		for i := range min(len(w), len(g)) {
			out = append(out, differences(w[i], g[i], path+"[]")...)
		}
		return out
	}
	if want != got {
		return []string{path}
	}
	return nil
}

func differentFields(want, got map[string]any, path string) []string {
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w, wanted := want[k]
		g, there := got[k]
		switch {
		case !there:
			out = append(out, path+"."+k+" missing")
		case !wanted:
			out = append(out, path+"."+k+" extra")
		default:
			out = append(out, differences(w, g, path+"."+k)...)
		}
	}
	return out
}
