package emit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Operation says what happened to something between base and head.
type Operation string

const (
	Added   Operation = "added"
	Removed Operation = "removed"
	Changed Operation = "changed"
	// Moved is for an item of a list that kept its content and left its place among the others.
	Moved Operation = "moved"
)

// Difference is what differs between two sets of bootstraps. All lists are sorted, so equal inputs give equal bytes as JSON.
type Difference struct {
	// Added and Removed are the proxies that only head or only base has.
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	// Changed are the proxies that both have and for which something differs; Groups say what.
	Changed []string `json:"changed"`
	// Reformatted are the proxies whose bootstraps say the same in other bytes: a file edited by hand.
	Reformatted []string `json:"reformatted"`
	// Unchanged counts the proxies that are the same on both sides, byte for byte.
	Unchanged int `json:"unchanged"`
	// Groups hold each change once, with all proxies that it is made in: most proxies first.
	Groups []Group `json:"groups"`
}

// Equal reports whether nothing differs.
func (d *Difference) Equal() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Reformatted) == 0
}

// Group is a set of changes that the same proxies share.
type Group struct {
	Proxies   []string         `json:"proxies"`
	Resources []ResourceChange `json:"resources"`
}

// ResourceChange is what happened to one resource of a bootstrap.
type ResourceChange struct {
	// Kind is listener, route, cluster, endpoints or secret; for the rest of the bootstrap its member: node, admin, layered_runtime.
	// Route configurations and endpoints count as resources of their own, as they are over xDS.
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	Op   Operation `json:"op"`
	// From and To are the YAML behind an added, removed or changed resource in base and in head.
	From []Origin `json:"from"`
	To   []Origin `json:"to"`
	// Fields are the changes within a changed resource.
	Fields []FieldChange `json:"fields"`
	// Equal counts the values in a changed resource that are the same on both sides.
	Equal int `json:"equal"`

	at where
}

// FieldChange is one value that differs.
type FieldChange struct {
	Path []Step    `json:"path"`
	Op   Operation `json:"op"`
	// Old and New are the values; absent for Added and Removed respectively. For Moved they are positions, counted from 1.
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
	// From and To are the YAML behind the value or the nearest part around it, in base and in head.
	From []Origin `json:"from"`
	To   []Origin `json:"to"`

	at where
}

// where tells the JSON pointers of both sides below the resource that was compared.
type where struct{ old, now string }

// Step is one step of a path into a resource: a field, and for a list or map which of its items.
type Step struct {
	Field string `json:"field"`
	// Item is the item's name or, where items have none, what tells it from the others: its match, its address, its value. Index
	// tells its position in head (in base for a removed one), from 0.
	Item  string `json:"item,omitempty"`
	Index int    `json:"index,omitempty"`
}

// pathString gives the path in one line: virtual_hosts["reviews:9080"].routes["default"].timeout.
func pathString(path []Step) string {
	var b strings.Builder
	for i, s := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.Field)
		if s.Item != "" {
			fmt.Fprintf(&b, "[%q]", s.Item)
		}
	}
	return b.String()
}

// Diff compares two sets of bootstraps. Where names or other identities mark the items of a list, their order does not make them
// different; an item that only changed its place is reported as moved. It fails on a document that is no JSON object.
func Diff(base, head []Document) (*Difference, error) {
	d := &Difference{Added: []string{}, Removed: []string{}, Changed: []string{}, Reformatted: []string{}, Groups: []Group{}}
	before := byID(base)
	after := byID(head)
	shared := map[string]*sharedChange{}
	pairs := &pairCache{known: map[string][]ResourceChange{}}
	for _, id := range sortedKeys(before) {
		if after[id] == nil {
			d.Removed = append(d.Removed, id)
		}
	}
	for _, id := range sortedKeys(after) {
		old := before[id]
		switch {
		case old == nil:
			d.Added = append(d.Added, id)
			continue
		case bytes.Equal(old.Bootstrap, after[id].Bootstrap):
			d.Unchanged++
			continue
		}
		changes, err := pairs.diffDocument(old, after[id])
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			d.Reformatted = append(d.Reformatted, id)
			continue
		}
		d.Changed = append(d.Changed, id)
		for _, c := range changes {
			// The same change in many proxies has the same JSON.
			key := string(mustJSON(c))
			if shared[key] == nil {
				shared[key] = &sharedChange{change: c}
			}
			shared[key].proxies = append(shared[key].proxies, id)
		}
	}
	d.Groups = grouped(shared)
	return d, nil
}

func byID(docs []Document) map[string]*Document {
	m := make(map[string]*Document, len(docs))
	for i := range docs {
		m[docs[i].ID] = &docs[i]
	}
	return m
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type sharedChange struct {
	change  ResourceChange
	proxies []string
}

// grouped puts the changes together that the same proxies share.
func grouped(shared map[string]*sharedChange) []Group {
	byProxies := map[string]*Group{}
	for _, key := range sortedKeys(shared) {
		s := shared[key]
		who := strings.Join(s.proxies, "\n")
		if byProxies[who] == nil {
			byProxies[who] = &Group{Proxies: s.proxies}
		}
		byProxies[who].Resources = append(byProxies[who].Resources, s.change)
	}
	groups := make([]Group, 0, len(byProxies))
	for _, who := range sortedKeys(byProxies) {
		g := byProxies[who]
		slices.SortStableFunc(g.Resources, func(a, b ResourceChange) int {
			return cmp.Or(kindRank(a.Kind)-kindRank(b.Kind), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
		})
		groups = append(groups, *g)
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return len(b.Proxies) - len(a.Proxies) })
	return groups
}

// kindRank orders kinds as a request meets them.
func kindRank(kind string) int {
	if i := slices.Index([]string{kindListener, kindRoute, kindCluster, kindEndpoints, kindSecret}, kind); i >= 0 {
		return i
	}
	return 99
}
