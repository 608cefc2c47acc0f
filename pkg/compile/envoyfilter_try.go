package compile

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// How many proxies TryPatches compiles. The bounds are numbers, not times, so that the answer is the same on every machine.
const (
	// mostTried bounds how many are compiled for all patches together. A proxy takes the longer the more services there are, so that it is
	// triedServices by their number in a large mesh, but leastTried.
	mostTried, leastTried, triedServices = 512, 64, 1 << 16
	// fewestFirst to mostFirst of them are tried for a patch whatever it does to them, the fewer the more patches there are: it may be refused
	// by some alone.
	fewestFirst, mostFirst = 4, 16
)

// TryPatches compiles proxies to see what the patches of EnvoyFilters do to them, on all cores, and returns what JudgePatches asks for. Only proxies that
// a patch is for are compiled: all of them in a mesh of some dozens, a selection of equal distances in a large one, and more of those for
// patches that did nothing so far. A mesh without EnvoyFilters costs nothing. It fails when the context ends.
func (c *Compiler) TryPatches(ctx context.Context) ([][]PatchUse, error) {
	if len(c.patches()) == 0 {
		return nil, nil
	}
	cases := c.patchCases()
	var idle []*patchCase
	for _, p := range c.patches() {
		if p.worthTrying() {
			idle = append(idle, cases[p.from])
		}
	}
	t := &patchTrial{compiler: c, proxies: c.mesh.Proxies(), tried: map[int]bool{}}
	t.most = max(leastTried, min(mostTried, triedServices/max(1, len(c.mesh.Services()))))
	first := t.most / max(1, len(idle))
	for _, k := range idle {
		t.choose(spread(k.fitting, max(fewestFirst, min(mostFirst, first))))
	}
	for len(t.chosen) > 0 {
		if err := t.run(ctx, cases); err != nil {
			return nil, err
		}
		idle = slices.DeleteFunc(idle, func(k *patchCase) bool { return k.applied > 0 || len(k.problems) > 0 })
		for _, k := range idle {
			left := slices.DeleteFunc(slices.Clone(k.fitting), func(i int) bool { return t.tried[i] })
			t.choose(spread(left, mostFirst))
		}
	}
	return t.uses, nil
}

// worthTrying is false for patches of which it is known what they do without a proxy.
func (p *envoyPatch) worthTrying() bool {
	return p.invalid == "" && p.supported() && !p.lacksName() && p.match.GetContext() != networking.EnvoyFilter_WAYPOINT
}

// patchTrial tries patches on one batch of proxies after the other.
type patchTrial struct {
	compiler *Compiler
	proxies  []*model.Proxy
	// most bounds how many are compiled.
	most int
	// tried are the places of the proxies that were compiled or are chosen for the next batch.
	tried  map[int]bool
	chosen []int
	uses   [][]PatchUse
}

// choose adds proxies to the next batch, as many as may still be compiled.
func (t *patchTrial) choose(proxies []int) {
	for _, i := range proxies {
		if !t.tried[i] && len(t.tried) < t.most {
			t.tried[i] = true
			t.chosen = append(t.chosen, i)
		}
	}
}

// run compiles the proxies that were chosen and adds what the patches did to them.
func (t *patchTrial) run(ctx context.Context, cases map[resource.Source]*patchCase) error {
	batch := make([][]PatchUse, len(t.chosen))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, place := range t.chosen {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			batch[i] = t.compiler.Compile(t.proxies[place]).Patches
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, uses := range batch {
		for _, u := range uses {
			cases[u.Patch].add(u)
		}
	}
	t.uses, t.chosen = append(t.uses, batch...), nil
	return nil
}

// spread returns at most n of the list, at equal distances.
func spread(list []int, n int) []int {
	if len(list) <= n {
		return list
	}
	out := make([]int, 0, n)
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}
