package emit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// pairCache compares each pair of resources once, however many proxies have it: after a change of one VirtualService, hundreds of
// sidecars differ in the same way.
type pairCache struct {
	known map[string][]ResourceChange // by the pair's content; without the YAML behind them, which is each proxy's own
}

// diffDocument compares two bootstraps resource by resource.
func (c *pairCache) diffDocument(base, head *Document) ([]ResourceChange, error) {
	old, err := rawParts(base)
	if err != nil {
		return nil, err
	}
	now, err := rawParts(head)
	if err != nil {
		return nil, err
	}
	d := documentDiff{}
	for _, key := range sortedKeys(old) {
		o := old[key]
		n, ok := now[key]
		if !ok {
			d.add(ResourceChange{Kind: o.kind, Name: o.name, Op: Removed}, o.pointer, "")
			continue
		}
		if bytes.Equal(o.text, n.text) {
			continue
		}
		changes, err := c.pair(o, n)
		if err != nil {
			return nil, fmt.Errorf("%s %s of %s: %w", o.kind, o.name, base.ID, err)
		}
		for _, change := range changes {
			d.add(change, o.pointer, n.pointer)
		}
	}
	for _, key := range sortedKeys(now) {
		if _, ok := old[key]; !ok {
			d.add(ResourceChange{Kind: now[key].kind, Name: now[key].name, Op: Added}, "", now[key].pointer)
		}
	}
	if len(d.changes) == 0 {
		return nil, nil
	}
	return d.resolve(base, head)
}

// pair compares two resources whose bytes differ.
func (c *pairCache) pair(o, n rawPart) ([]ResourceChange, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %d %d\n", o.kind, o.name, len(o.text), len(n.text))
	sum.Write(o.text)
	sum.Write(n.text)
	key := string(sum.Sum(nil))
	if changes, ok := c.known[key]; ok {
		return changes, nil
	}
	old, err := decodeParts(o)
	if err != nil {
		return nil, err
	}
	now, err := decodeParts(n)
	if err != nil {
		return nil, err
	}
	var changes []ResourceChange
	for _, key := range sortedKeys(old) {
		o := old[key]
		n, ok := now[key]
		switch {
		case !ok:
			changes = append(changes, ResourceChange{Kind: o.kind, Name: o.name, Op: Removed, at: where{old: o.pointer}})
		case !same(o.tree, n.tree):
			comparison := &comparison{base: o, head: n}
			if r := comparison.change(); len(r.Fields) > 0 {
				changes = append(changes, r)
			}
		}
	}
	for _, key := range sortedKeys(now) {
		if _, ok := old[key]; !ok {
			changes = append(changes, ResourceChange{Kind: now[key].kind, Name: now[key].name, Op: Added, at: where{now: now[key].pointer}})
		}
	}
	c.known[key] = changes
	return changes, nil
}

// documentDiff collects the changes of one proxy, with the pointers at which their resources stand.
type documentDiff struct {
	changes []ResourceChange
	roots   []where
}

func (d *documentDiff) add(change ResourceChange, old, now string) {
	d.changes = append(d.changes, change)
	d.roots = append(d.roots, where{old, now})
}

// resolve adds the YAML behind both sides, and reports a table that several listeners hold once.
func (d *documentDiff) resolve(base, head *Document) ([]ResourceChange, error) {
	from, err := base.sources()
	if err != nil {
		return nil, err
	}
	to, err := head.sources()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := make([]ResourceChange, 0, len(d.changes))
	for i, c := range d.changes {
		root := d.roots[i]
		c.From, c.To = []Origin{}, []Origin{}
		if c.Op != Added {
			c.From = orEmpty(from.nearest(root.old + c.at.old))
		}
		if c.Op != Removed {
			c.To = orEmpty(to.nearest(root.now + c.at.now))
		}
		// The cached fields are shared with other proxies.
		c.Fields = orEmpty(slices.Clone(c.Fields))
		for j := range c.Fields {
			f := &c.Fields[j]
			f.From, f.To = []Origin{}, []Origin{}
			if f.Op != Added {
				f.From = orEmpty(from.nearest(root.old + f.at.old))
			}
			if f.Op != Removed {
				f.To = orEmpty(to.nearest(root.now + f.at.now))
			}
		}
		key := string(mustJSON(c))
		if !seen[key] {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out, nil
}

// orEmpty makes JSON show an empty list and not null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
