// Package reach tells who may call whom in a mesh: for every caller's identity and every port of a workload, whether calls get through, over
// mTLS or not, and on which conditions.
//
// It reads the configuration that package compile makes for each proxy and has package simulate choose the filter chain, as for a call; so which
// policies apply, in which order and how, is decided there and only there. Of a call it knows the caller's identity, the port and whether there
// is mTLS, and holds the filters' rules against that. What they ask beyond (methods, paths, headers, claims, addresses) is unknown, and is left
// over as a condition.
//
// What the callers' sidecars send is package tlscheck's to say.
//
// Files: caller.go who calls and client.go what its sidecar sends; port.go what is called; filter.go what a filter chain judges by;
// evaluation.go and matcher.go what rules leave open, as conditions (condition.go); answer.go what that amounts to; route.go whether callers
// know a way; words.go says it in words.
package reach

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// Options narrow what is told.
type Options struct {
	// From and To keep callers and destinations that one of the names fits; empty keeps all. See Selection for the names.
	From, To []string
	// Verdicts keeps answers with one of the verdicts; empty keeps all.
	Verdicts []Verdict
	// Undeclared adds, for each workload, the ports that no service and no Sidecar declares.
	Undeclared bool
}

// Matrix tells who may call whom.
type Matrix struct {
	// TrustDomain is the mesh's.
	TrustDomain string `json:"trustDomain"`
	// Callers and Destinations are in groups: the members of one fare alike with all of the others.
	Callers      []CallerGroup      `json:"callers"`
	Destinations []DestinationGroup `json:"destinations"`
	// Rows hold an answer for each group of callers and each of destinations, by destination; those left out by Options.Verdicts are not there.
	Rows []Row `json:"rows"`
}

// CallerGroup is a group of callers who fare alike.
type CallerGroup struct {
	Callers []*Caller `json:"callers"`
}

// DestinationGroup is a group of destinations that all treat callers alike.
type DestinationGroup struct {
	Destinations []*Destination `json:"destinations"`
}

// Row is what becomes of calls from one group of callers to one of destinations.
type Row struct {
	// From and To are the names of the members of the groups.
	From []string `json:"from"`
	To   []string `json:"to"`
	*Answer
	// NoRoute lists callers whose sidecars know no way to some destinations of the group. That keeps nobody out.
	NoRoute []NoRoute `json:"noRoute,omitempty"`
	// FromGroup and ToGroup count the groups in Matrix.Callers and Matrix.Destinations.
	FromGroup int `json:"-"`
	ToGroup   int `json:"-"`
}

// Of returns who may call whom in the mesh. The error is the context's, or says that a name of the options fits nothing.
func Of(ctx context.Context, mesh *model.Mesh, opts Options) (*Matrix, error) {
	callers, err := pickCallers(callersOf(mesh), opts.From)
	if err != nil {
		return nil, err
	}
	proxies, ports, err := pickProxies(mesh, opts.To)
	if err != nil {
		return nil, err
	}
	t := &table{callers: callers}
	parts, err := answers(ctx, mesh, proxies, callers, ports, opts.Undeclared)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		t.add(part)
	}
	if len(t.destinations) == 0 && len(opts.To) > 0 {
		return nil, &UnknownName{Flag: "to", Name: strings.Join(opts.To, ", "), Why: "declares no such port (--undeclared adds those that sidecars take in all the same)"}
	}
	return t.matrix(mesh, opts), nil
}

// proxyAnswers are those for the ports of one proxy: answers[i][j] is that to caller j at destinations[i].
type proxyAnswers struct {
	destinations []*Destination
	answers      [][]*Answer
}

// answers asks each proxy's configuration. Configurations are big and are dropped as soon as they have answered. The error is the context's.
func answers(ctx context.Context, mesh *model.Mesh, proxies []*model.Proxy, callers []*Caller, wanted func(*Destination) bool, undeclared bool) ([]proxyAnswers, error) {
	out := make([]proxyAnswers, len(proxies))
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	clients := newClients(mesh, compiler, callers)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range proxies {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, destinations := destinationsOf(mesh, compiler.Inbound(p), undeclared)
			destinations = slices.DeleteFunc(destinations, func(d *Destination) bool { return !wanted(d) })
			out[i] = r.answers(clients, callers, destinations)
			return nil
		})
	}
	return out, group.Wait()
}

func (r *destinationReader) answers(clients *clients, callers []*Caller, destinations []*Destination) proxyAnswers {
	p := proxyAnswers{destinations: destinations, answers: make([][]*Answer, len(destinations))}
	for i, d := range destinations {
		classes, cache := map[string]*Answer{}, map[*model.Proxy]*sent{}
		for _, c := range callers {
			s := clients.sends(c.proxies, d, cache)
			class := r.class(c, d, s)
			if classes[class] == nil {
				a := r.answer(c, d, s)
				classes[class] = &a
			}
			p.answers[i] = append(p.answers[i], classes[class])
		}
		d.mutual, d.plain, d.sealed = nil, nil, nil
	}
	return p
}

// table collects the answers of all proxies. Equal answers are one.
type table struct {
	callers      []*Caller
	destinations []*Destination
	answers      [][]*Answer
	ids          map[*Answer]int
	byText       map[string]*Answer
}

func (t *table) add(p proxyAnswers) {
	if t.ids == nil {
		t.ids, t.byText = map[*Answer]int{}, map[string]*Answer{}
	}
	own := map[*Answer]*Answer{}
	for i, d := range p.destinations {
		row := make([]*Answer, len(p.answers[i]))
		for j, a := range p.answers[i] {
			if own[a] == nil {
				own[a] = t.intern(a)
			}
			row[j] = own[a]
		}
		t.destinations, t.answers = append(t.destinations, d), append(t.answers, row)
	}
}

func (t *table) intern(a *Answer) *Answer {
	text, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("writing an answer: %v", err)) // it holds strings and numbers alone
	}
	if same := t.byText[string(text)]; same != nil {
		return same
	}
	t.byText[string(text)], t.ids[a] = a, len(t.ids)
	return a
}
