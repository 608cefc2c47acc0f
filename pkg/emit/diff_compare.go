package emit

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// comparison compares one resource. It is the reporter that go-cmp tells each value to.
type comparison struct {
	base, head part
	oldTree    any
	newTree    any
	path       cmp.Path
	fields     []FieldChange
	equal      int
}

// change returns what differs, fields in the order of their paths.
func (c *comparison) change() ResourceChange {
	c.oldTree, c.newTree = align(c.base.tree, c.head.tree)
	cmp.Equal(c.oldTree, c.newTree, cmp.Reporter(c), cmpopts.IgnoreUnexported(items{}))
	c.moves(c.oldTree, c.newTree, nil)
	slices.SortStableFunc(c.fields, func(a, b FieldChange) int {
		return strings.Compare(pathString(a.Path), pathString(b.Path))
	})
	return ResourceChange{
		Kind: c.base.kind, Name: c.base.name, Op: Changed, Fields: c.fields, Equal: c.equal, at: where{c.base.pointer, c.head.pointer},
	}
}

// PushStep is for go-cmp.
func (c *comparison) PushStep(s cmp.PathStep) { c.path = append(c.path, s) }

// PopStep is for go-cmp.
func (c *comparison) PopStep() { c.path = c.path[:len(c.path)-1] }

// Report is for go-cmp, which calls it with every leaf and with every value that only one side has.
func (c *comparison) Report(r cmp.Result) {
	if r.ByIgnore() {
		return
	}
	if r.Equal() {
		c.equal++
		return
	}
	old, now := c.path.Last().Values()
	c.field(c.keys(), value(old), value(now))
}

// keys is the path as map keys; a key of items comes after that of the list's field.
func (c *comparison) keys() []string {
	var keys []string
	for _, s := range c.path {
		if m, ok := s.(cmp.MapIndex); ok {
			keys = append(keys, m.Key().String())
		}
	}
	return keys
}

// value returns what a reflect.Value holds, nil for none.
func value(v reflect.Value) any {
	if !v.IsValid() {
		return missing{}
	}
	return v.Interface()
}

// missing stands for a value that a side lacks; JSON's null is another thing.
type missing struct{}

func (c *comparison) field(keys []string, old, now any) {
	_, added := old.(missing)
	_, removed := now.(missing)
	f := FieldChange{Op: Changed}
	oldPointer, oldSteps := locate(c.oldTree, c.base.pointer, keys)
	newPointer, newSteps := locate(c.newTree, c.head.pointer, keys)
	f.Path = newSteps
	switch {
	case added:
		f.Op = Added
	case removed:
		f.Op = Removed
		f.Path = oldSteps
	}
	if !added {
		f.Old = json.RawMessage(compact(plain(old)))
	}
	if !removed {
		f.New = json.RawMessage(compact(plain(now)))
	}
	f.at = where{oldPointer, newPointer}
	c.fields = append(c.fields, f)
}

// plain turns items back into the list that they were.
func plain(v any) any {
	switch v := v.(type) {
	case items:
		list := make([]any, len(v.order))
		for i, k := range v.order {
			list[i] = plain(v.ByKey[k])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	}
	return v
}

// locate follows keys through an aligned tree as far as it goes and returns the JSON pointer and the steps.
func locate(tree any, pointer string, keys []string) (string, []Step) {
	steps := []Step{}
	for _, key := range keys {
		switch t := tree.(type) {
		case items:
			if len(steps) == 0 {
				steps = append(steps, Step{})
			}
			last := &steps[len(steps)-1]
			i, ok := t.index[key]
			if !ok {
				last.Item = label(key)
				tree = nil
				continue
			}
			last.Item, last.Index = label(key), i
			pointer += "/" + strconv.Itoa(i)
			tree = t.ByKey[key]
		case map[string]any:
			steps = append(steps, Step{Field: key})
			if next, ok := t[key]; ok {
				pointer += "/" + escapePointer(key)
				tree = next
			} else {
				tree = nil
			}
		default:
			steps = append(steps, Step{Field: key})
		}
	}
	return pointer, steps
}

// moves reports the items of lists that left their place among those that both sides have.
func (c *comparison) moves(old, now any, keys []string) {
	switch o := old.(type) {
	case map[string]any:
		n, ok := now.(map[string]any)
		if !ok {
			return
		}
		for _, k := range sortedKeys(o) {
			if next, ok := n[k]; ok {
				c.moves(o[k], next, append(slices.Clone(keys), k))
			}
		}
	case items:
		n, ok := now.(items)
		if !ok {
			return
		}
		for _, k := range moved(o, n) {
			newPointer, steps := locate(c.newTree, c.head.pointer, append(slices.Clone(keys), k))
			oldPointer, _ := locate(c.oldTree, c.base.pointer, append(slices.Clone(keys), k))
			c.fields = append(c.fields, FieldChange{
				Path: steps, Op: Moved,
				Old: json.RawMessage(strconv.Itoa(o.index[k] + 1)), New: json.RawMessage(strconv.Itoa(n.index[k] + 1)),
				at: where{oldPointer, newPointer},
			})
		}
		for _, k := range sortedKeys(o.ByKey) {
			if next, ok := n.ByKey[k]; ok {
				c.moves(o.ByKey[k], next, append(slices.Clone(keys), k))
			}
		}
	}
}

// moved returns the fewest common items whose moving explains the new order: those outside a longest run that kept its order.
func moved(old, now items) []string {
	var common []string
	for _, k := range now.order {
		if _, ok := old.index[k]; ok {
			common = append(common, k)
		}
	}
	at := make([]int, len(common))
	sorted := true
	for i, k := range common {
		at[i] = old.index[k]
		sorted = sorted && (i == 0 || at[i-1] < at[i])
	}
	if sorted {
		return nil
	}
	kept := longestRun(at)
	var out []string
	for i, k := range common {
		if !kept[i] {
			out = append(out, k)
		}
	}
	return out
}

// longestRun marks a longest increasing subsequence of distinct numbers.
func longestRun(at []int) []bool {
	ends := []int{} // index of the smallest end of a run of each length
	before := make([]int, len(at))
	for i, v := range at {
		n, _ := slices.BinarySearchFunc(ends, v, func(e, v int) int { return at[e] - v })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	kept := make([]bool, len(at))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			kept[i] = true
		}
	}
	return kept
}
