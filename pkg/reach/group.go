package reach

import (
	"encoding/binary"
	"slices"

	"github.com/meshc/meshc/pkg/model"
)

// matrix groups what is alike.
func (t *table) matrix(mesh *model.Mesh, opts Options) *Matrix {
	keep := func(a *Answer) bool { return len(opts.Verdicts) == 0 || slices.Contains(opts.Verdicts, a.Verdict) }
	callers := grouped(len(t.callers), func(j int) string {
		if t.callers[j].Kind != Workload {
			return string(t.callers[j].Kind) // those whom the input does not describe stand by themselves
		}
		return t.signature(len(t.destinations), func(i int) *Answer { return t.answers[i][j] })
	})
	destinations := grouped(len(t.destinations), func(i int) string {
		return t.signature(len(t.callers), func(j int) *Answer { return t.answers[i][j] })
	})
	m := &Matrix{TrustDomain: mesh.Settings.TrustDomain(), Callers: []CallerGroup{}, Destinations: []DestinationGroup{}, Rows: []Row{}}
	for _, members := range callers {
		g := CallerGroup{}
		for _, j := range members {
			g.Callers = append(g.Callers, t.callers[j])
		}
		m.Callers = append(m.Callers, g)
	}
	ways := routes{mesh}
	for to, members := range destinations {
		g := DestinationGroup{}
		for _, i := range members {
			g.Destinations = append(g.Destinations, t.destinations[i])
		}
		m.Destinations = append(m.Destinations, g)
		for from, callers := range callers {
			if a := t.answers[members[0]][callers[0]]; keep(a) {
				m.Rows = append(m.Rows, Row{
					From: m.Callers[from].names(), To: g.names(), Answer: a, NoRoute: ways.missing(m.Callers[from].Callers, g.Destinations),
					FromGroup: from, ToGroup: to,
				})
			}
		}
	}
	m.dropEmpty()
	return m
}

// signature is the same for those who have the same answers.
func (t *table) signature(n int, answer func(int) *Answer) string {
	key := make([]byte, 0, 4*n)
	for i := range n {
		key = binary.AppendUvarint(key, uint64(t.ids[answer(i)]))
	}
	return string(key)
}

// grouped returns the numbers below n in groups of one key, each group by its first member.
func grouped(n int, key func(int) string) [][]int {
	at := map[string]int{}
	var groups [][]int
	for i := range n {
		k := key(i)
		g, ok := at[k]
		if !ok {
			g = len(groups)
			at[k], groups = g, append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// dropEmpty takes out callers and destinations about which there is no row left.
func (m *Matrix) dropEmpty() {
	callers, destinations := make([]int, len(m.Callers)), make([]int, len(m.Destinations))
	for _, r := range m.Rows {
		callers[r.FromGroup]++
		destinations[r.ToGroup]++
	}
	var keptCallers []CallerGroup
	for i, g := range m.Callers {
		if n := callers[i]; n > 0 {
			keptCallers = append(keptCallers, g)
		}
		callers[i] = len(keptCallers) - 1
	}
	var keptDestinations []DestinationGroup
	for i, g := range m.Destinations {
		if n := destinations[i]; n > 0 {
			keptDestinations = append(keptDestinations, g)
		}
		destinations[i] = len(keptDestinations) - 1
	}
	m.Callers, m.Destinations = orEmpty(keptCallers), orEmpty(keptDestinations)
	for i := range m.Rows {
		m.Rows[i].FromGroup, m.Rows[i].ToGroup = callers[m.Rows[i].FromGroup], destinations[m.Rows[i].ToGroup]
	}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (g *CallerGroup) names() []string {
	names := make([]string, len(g.Callers))
	for i, c := range g.Callers {
		names[i] = c.Name()
	}
	return names
}

func (g *DestinationGroup) names() []string {
	names := make([]string, len(g.Destinations))
	for i, d := range g.Destinations {
		names[i] = d.Name()
	}
	return names
}

// Name is the principal, or words for those who have none.
func (c *Caller) Name() string {
	switch c.Kind {
	case OtherIdentity:
		return "another identity of the mesh"
	case OtherTrustDomain:
		return "another trust domain"
	case Outside:
		return "outside the mesh (no identity)"
	}
	return c.Principal
}
