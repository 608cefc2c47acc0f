package emit

import (
	"slices"
	"strconv"
	"strings"
)

// items is a list whose items have names, so that comparing two lists is comparing two maps. go-cmp's own alignment of lists
// varies from run to run on purpose and cannot be used for output that must not.
type items struct {
	ByKey map[string]any
	// order and index are not compared: order is the keys as they stand, index the position of each.
	order []string
	index map[string]int
}

// align returns both values with lists turned into items, down to where they differ in shape.
func align(base, head any) (any, any) {
	switch b := base.(type) {
	case map[string]any:
		h, ok := head.(map[string]any)
		if !ok {
			return base, head
		}
		return alignObjects(b, h)
	case []any:
		h, ok := head.([]any)
		if !ok {
			return base, head
		}
		return alignLists(b, h)
	}
	return base, head
}

func alignObjects(base, head map[string]any) (any, any) {
	b, h := make(map[string]any, len(base)), make(map[string]any, len(head))
	for k, v := range base {
		b[k] = v
	}
	for k, v := range head {
		h[k] = v
		if old, ok := base[k]; ok {
			b[k], h[k] = align(old, v)
		}
	}
	return b, h
}

func alignLists(base, head []any) (any, any) {
	b, h := keyed(base, head)
	for k, v := range h.ByKey {
		if old, ok := b.ByKey[k]; ok {
			b.ByKey[k], h.ByKey[k] = align(old, v)
		}
	}
	return b, h
}

// identity is a way to tell the items of a list apart; of gives "" for an item that it cannot name.
type identity struct {
	of func(any) string
	// content is true for what may itself change: if one item on each side has no partner, they are taken for the same item.
	content bool
}

// identities lists them, best first.
func identities() []identity {
	return []identity{
		{of: byName}, {of: byNameAndMatch, content: true}, {of: byMatch, content: true}, {of: byAddress}, {of: byLocality}, {of: byKeyField}, {of: byScalar},
	}
}

// keyed names the items of two lists in the same way.
func keyed(base, head []any) (items, items) {
	for _, id := range identities() {
		b, ok := nameItems(base, id.of)
		if !ok {
			continue
		}
		h, ok := nameItems(head, id.of)
		if !ok {
			continue
		}
		if id.content {
			pairLast(&b, &h)
		}
		return b, h
	}
	return pairUp(base, head)
}

// pairLast gives the one item of base that has no partner the name of the one item of head that has none.
func pairLast(base, head *items) {
	only := func(in, other *items) (string, bool) {
		var found []string
		for _, k := range in.order {
			if _, ok := other.index[k]; !ok {
				found = append(found, k)
			}
		}
		return strings.Join(found, ""), len(found) == 1
	}
	old, ok := only(base, head)
	if !ok {
		return
	}
	now, ok := only(head, base)
	if !ok {
		return
	}
	i := base.index[old]
	base.ByKey[now], base.index[now], base.order[i] = base.ByKey[old], i, now
	delete(base.ByKey, old)
	delete(base.index, old)
}

// nameItems fails if an item has no name or two have the same.
func nameItems(list []any, identity func(any) string) (items, bool) {
	out := items{ByKey: make(map[string]any, len(list)), index: make(map[string]int, len(list))}
	for i, v := range list {
		key := identity(v)
		if _, taken := out.ByKey[key]; key == "" || taken {
			return items{}, false
		}
		out.put(key, i, v)
	}
	return out, true
}

func (s *items) put(key string, i int, v any) {
	s.ByKey[key] = v
	s.index[key] = i
	s.order = append(s.order, key)
}

// Prefixes of the names that pairUp makes up; label cuts them off again.
const (
	paired   = "\x00="
	position = "\x00 "
	former   = "\x00-"
)

// label is a name as readers see it: for one that was made up, the position, from 1.
func label(name string) string {
	if strings.HasPrefix(name, "\x00") && len(name) > len(paired) {
		return name[len(paired):]
	}
	return name
}

// pairUp names items by their content: equal ones are the same item; what is left over on both sides is paired in order.
func pairUp(base, head []any) (items, items) {
	newItems := func(n int) items { return items{ByKey: make(map[string]any, n), index: make(map[string]int, n)} }
	b, h := newItems(len(base)), newItems(len(head))
	free := map[string][]int{} // content → positions in head not yet paired
	for i, v := range head {
		text := compact(v)
		free[text] = append(free[text], i)
	}
	partner := make([]int, len(head)) // position in base, from 1
	names := make([]string, len(base))
	var left []int
	for i, v := range base {
		text := compact(v)
		if at := free[text]; len(at) > 0 {
			free[text] = at[1:]
			partner[at[0]] = i + 1
			names[i] = paired + strconv.Itoa(at[0]+1)
		} else {
			left = append(left, i)
		}
	}
	for i, v := range head {
		name := paired + strconv.Itoa(i+1)
		if partner[i] == 0 {
			name = position + strconv.Itoa(i+1)
			if len(left) > 0 {
				names[left[0]] = name
				left = left[1:]
			}
		}
		h.put(name, i, v)
	}
	for _, i := range left {
		names[i] = former + strconv.Itoa(i+1)
	}
	for i, v := range base {
		b.put(names[i], i, v)
	}
	return b, h
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func byName(v any) string { return text(object(v)["name"]) }

func byNameAndMatch(v any) string {
	if name, match := byName(v), byMatch(v); name != "" && match != "" {
		return name + " (" + match + ")"
	} else if name != "" {
		return name
	}
	return ""
}

// byMatch names a route or filter chain by what it matches.
func byMatch(v any) string {
	for _, field := range []string{"match", "filter_chain_match"} {
		if m, ok := object(v)[field].(map[string]any); ok {
			return describe(m)
		}
	}
	return ""
}

// describe puts a match into a few words, the path first: "prefix /api, headers [end-user exact jason]".
func describe(m map[string]any) string {
	var parts []string
	for _, k := range pathFirst(sortedKeys(m)) {
		if k == "case_sensitive" && m[k] == true {
			continue // Envoy's default, which istiod spells out
		}
		parts = append(parts, k+" "+words(m[k]))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

func pathFirst(keys []string) []string {
	isPath := func(k string) bool {
		return k == "path" || k == "prefix" || k == "safe_regex" || k == "path_separated_prefix" || k == "path_match_policy"
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		switch {
		case isPath(a) == isPath(b):
			return 0
		case isPath(a):
			return -1
		}
		return 1
	})
	return keys
}

// words is a value without JSON's punctuation. It need not be reversible: names that turn out the same are not used as such.
func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			list[i] = words(e)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case map[string]any:
		var parts []string
		if name := text(v["name"]); name != "" {
			parts = append(parts, name)
		}
		for _, k := range sortedKeys(v) {
			switch k {
			case "name":
			case "string_match", "google_re2":
				parts = append(parts, words(v[k]))
			default:
				parts = append(parts, k+" "+words(v[k]))
			}
		}
		return strings.Join(parts, " ")
	}
	return compact(v)
}

// byAddress names an endpoint by host and port.
func byAddress(v any) string {
	address := object(object(object(v)["endpoint"])["address"])
	if len(address) == 0 {
		address = object(object(v)["address"])
	}
	if socket := object(address["socket_address"]); len(socket) > 0 {
		return text(socket["address"]) + ":" + strings.Trim(compact(socket["port_value"]), `"`)
	}
	if len(address) > 0 {
		return compact(address)
	}
	return ""
}

// byLocality names a group of endpoints.
func byLocality(v any) string {
	m := object(v)
	if m["lb_endpoints"] == nil {
		return ""
	}
	var words []string
	for _, field := range []string{"region", "zone", "sub_zone"} {
		if s := text(object(m["locality"])[field]); s != "" {
			words = append(words, s)
		}
	}
	name := strings.Join(words, "/")
	if name == "" {
		name = "no locality"
	}
	if m["priority"] != nil {
		name += ", priority " + compact(m["priority"])
	}
	return name
}

// byKeyField names a header to add, a hash policy, a secret reference by the header or key that it is about.
func byKeyField(v any) string {
	m := object(v)
	if header := object(m["header"]); text(header["key"]) != "" {
		return text(header["key"])
	}
	for _, field := range []string{"key", "header_name", "tag", "filename", "priority"} {
		if s := text(m[field]); s != "" {
			return s
		}
	}
	return ""
}

func byScalar(v any) string {
	switch v := v.(type) {
	case map[string]any, []any, nil:
		return ""
	case string:
		if v == "" {
			return `""`
		}
		return v
	}
	return compact(v)
}
