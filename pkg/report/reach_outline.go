package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/reach"
)

// reachOutline is what both texts, for terminals and for pull requests, are made from: the answers at a destination, those together that are equal.
type reachOutline struct {
	m *reach.Matrix
	// rows by destination and caller, nil where one was left out.
	rows [][]*reach.Row
}

func newReachOutline(m *reach.Matrix) *reachOutline {
	o := &reachOutline{m: m, rows: make([][]*reach.Row, len(m.Destinations))}
	for i := range o.rows {
		o.rows[i] = make([]*reach.Row, len(m.Callers))
	}
	for i := range m.Rows {
		r := &m.Rows[i]
		o.rows[r.ToGroup][r.FromGroup] = r
	}
	return o
}

// summary is the line at the top.
func (o *reachOutline) summary() string {
	identities, ports, workloads := 0, 0, map[string]bool{}
	for _, g := range o.m.Callers {
		for _, c := range g.Callers {
			if c.Kind == reach.Workload {
				identities++
			}
		}
	}
	for _, g := range o.m.Destinations {
		for _, d := range g.Destinations {
			ports++
			workloads[d.Workload] = true
		}
	}
	what := fmt.Sprintf("%s of %s; trust domain %s", count(ports, "port"), count(len(workloads), "workload"), o.m.TrustDomain)
	switch identities {
	case 0:
		return what
	case 1:
		return "1 identity, " + what
	}
	return fmt.Sprintf("%d identities, %s", identities, what)
}

// reachCell is an answer at a glance.
func reachCell(r *reach.Row) string {
	if r == nil {
		return "."
	}
	word := map[reach.Verdict]string{reach.Allowed: "yes", reach.Conditional: "if", reach.Denied: "no"}[r.Verdict]
	if r.Verdict != reach.Denied && r.Transport != reach.MTLS {
		word += "~"
	}
	return word
}

const reachLegend = "yes allowed, if on conditions, no denied; ~ without mTLS, so that the caller is not known"

// longestLabel is how wide the first column of a table may get by listing names, in characters.
const longestLabel = 50

// label names a group of callers in a table: as many as there is room for, at least one.
func (o *reachOutline) label(g *reach.CallerGroup) string {
	var names []string
	for _, c := range g.Callers {
		names = append(names, o.caller(c))
	}
	for n := 2; n > 0; n-- {
		if label := shortened(names, n); utf8.RuneCountInString(label) <= longestLabel || n == 1 && len(names) == 1 {
			return label
		}
	}
	return andMore(names, 1)
}

// caller is the principal without what all principals begin with.
func (o *reachOutline) caller(c *reach.Caller) string {
	rest, ok := strings.CutPrefix(c.Principal, o.m.TrustDomain+"/ns/")
	if namespace, account, found := strings.Cut(rest, "/sa/"); ok && found {
		return namespace + "/" + account
	}
	return c.Name()
}

func shortened(names []string, n int) string {
	if len(names) <= n+1 {
		return strings.Join(names, ", ")
	}
	return andMore(names, n)
}

func andMore(names []string, n int) string {
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// portsOf lists a group's destinations, those of one workload together.
func portsOf(g *reach.DestinationGroup) []string {
	var out []string
	for i, d := range g.Destinations {
		if i > 0 && g.Destinations[i-1].Workload == d.Workload && len(d.ServerNames) == 0 {
			out[len(out)-1] += strings.TrimPrefix(d.Name(), d.Workload)
			continue
		}
		out = append(out, d.Name())
	}
	return out
}

// mostListed is how many workloads or identities a list names; of more it says how many there are in which namespace.
const mostListed = 20

// legendOf lists a group's destinations.
func legendOf(g *reach.DestinationGroup) []string {
	if ports := portsOf(g); len(ports) <= mostListed {
		return ports
	}
	var workloads []string
	for _, d := range g.Destinations {
		if !slices.Contains(workloads, d.Workload) {
			workloads = append(workloads, d.Workload)
		}
	}
	out := byNamespace(workloads, func(id string) string { return id[strings.LastIndexByte(id, '.')+1:] }, "workload")
	out[0] = count(len(g.Destinations), "port") + ": " + out[0]
	return out
}

// membersOf lists a group's callers.
func (o *reachOutline) membersOf(g *reach.CallerGroup) []string {
	var names []string
	for _, c := range g.Callers {
		names = append(names, o.caller(c))
	}
	if len(names) <= mostListed {
		return names
	}
	return byNamespace(names, func(name string) string { namespace, _, _ := strings.Cut(name, "/"); return namespace }, "service account")
}

// byNamespace counts names by namespace, in the order in which namespaces first occur.
func byNamespace(names []string, namespaceOf func(string) string, noun string) []string {
	counts := map[string]int{}
	var order []string
	for _, name := range names {
		namespace := namespaceOf(name)
		if counts[namespace]++; counts[namespace] == 1 {
			order = append(order, namespace)
		}
	}
	for i, namespace := range order {
		order[i] = fmt.Sprintf("%s (%s)", namespace, count(counts[namespace], noun))
	}
	return order
}

// modesOf says what the destinations ask of clients.
func modesOf(g *reach.DestinationGroup) string {
	var modes []string
	for _, d := range g.Destinations {
		if !slices.Contains(modes, d.MTLS) {
			modes = append(modes, d.MTLS)
		}
	}
	return strings.Join(modes, ", ")
}

// paragraph is an answer at a destination and those who get it.
type paragraph struct {
	*reach.Answer
	word string
	// callers are those of the input, others those whom it does not describe.
	callers, others []string
	noRoute         []reach.NoRoute
}

// paragraphs are the answers at a destination: those that let calls through first.
func (o *reachOutline) paragraphs(to int) []*paragraph {
	var out []*paragraph
	at := map[*reach.Answer]*paragraph{}
	for from, r := range o.rows[to] {
		if r == nil {
			continue
		}
		p := at[r.Answer]
		if p == nil {
			p = &paragraph{Answer: r.Answer, word: reachCell(r)}
			at[r.Answer] = p
			out = append(out, p)
		}
		for _, c := range o.m.Callers[from].Callers {
			if c.Kind == reach.Workload {
				p.callers = append(p.callers, o.caller(c))
			} else {
				p.others = append(p.others, o.caller(c))
			}
		}
		p.noRoute = append(p.noRoute, r.NoRoute...)
	}
	order := []reach.Verdict{reach.Allowed, reach.Conditional, reach.Denied}
	slices.SortStableFunc(out, func(a, b *paragraph) int { return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict) })
	return out
}

// who names those who get the answer, at most n of the input, and how they come.
func (p *paragraph) who(n int) string {
	var names []string
	if len(p.callers) > 0 {
		names = append(names, shortened(p.callers, n))
	}
	who := strings.Join(append(names, p.others...), "; ")
	if p.Verdict != reach.Denied {
		who += ", over " + map[reach.Transport]string{reach.MTLS: "mTLS", reach.TLS: "TLS", reach.Plaintext: "plaintext"}[p.Transport]
	}
	return who
}

// reachLine is one of an explanation: words, and where they come from.
type reachLine struct {
	words string
	at    diag.Location
	// conditions must all hold for it.
	conditions []string
}

// explainAnswer says why the answer is what it is.
func explainAnswer(a *reach.Answer) []reachLine {
	var out []reachLine
	for i := range a.Steps {
		out = append(out, explainStep(&a.Steps[i])...)
	}
	if len(a.Steps) == 0 {
		out = append(out, reachLine{words: "no policy is about it"})
	}
	for _, c := range a.Clients {
		if c.Conflict != "" && a.Verdict == reach.Denied {
			continue // the step says it
		}
		words := "the caller's sidecar sends " + c.Sends
		if c.Conflict != "" {
			words += ", which is refused: " + c.Conflict
		}
		var place diag.Location
		if c.By != nil {
			words, place = words+" by "+c.By.String(), c.By.Location
		}
		out = append(out, reachLine{words: words, at: place})
	}
	return out
}

func explainStep(s *reach.Step) []reachLine {
	var out []reachLine
	if s.Why != "" {
		out = append(out, reachLine{words: s.Why})
	}
	verb := map[reach.Action]string{
		reach.ActionAllow: "allowed by", reach.ActionDeny: "denied by", reach.ActionCustom: "asks " + cmp.Or(s.Provider, s.Cluster) + " by", reach.ActionTLS: "by",
	}[s.Action]
	for i, r := range s.Rules {
		l := reachLine{words: verb + " " + r.String(), at: r.Location, conditions: r.When.Lines()}
		if s.Action == reach.ActionAllow && s.Refuses {
			l.words = "no rule of " + r.String() + " allows it"
		}
		if i > 0 && s.Action == reach.ActionAllow && !s.Refuses {
			l.words = "or " + l.words
		}
		out = append(out, l)
	}
	for _, t := range s.Tokens {
		words := "a token, if there is one, must be valid: issuer " + t.Issuer
		if s.Required {
			words = "a valid token is required: issuer " + t.Issuer
		}
		if len(t.Audiences) > 0 {
			words += ", for " + strings.Join(t.Audiences, " or ")
		}
		if len(t.From) > 0 {
			words += ", in " + strings.Join(t.From, " or ")
		}
		out = append(out, reachLine{words: words, at: t.Location})
	}
	return out
}

// explainNoRoute says which callers' sidecars know no way.
func explainNoRoute(n *reach.NoRoute) reachLine {
	does := "passes on, in plaintext"
	if n.Outbound == "REGISTRY_ONLY" {
		does = "drops"
	}
	who, does := "the sidecar of "+shortened(n.Workloads, 3)+" knows", does
	if len(n.Workloads) > 1 {
		who = "the sidecars of " + shortened(n.Workloads, 3) + " know"
	}
	l := reachLine{words: fmt.Sprintf("no route: %s no service before %s, and %s what it does not know (%s)", who, shortened(n.To, 2), does, n.Outbound)}
	if n.Sidecar != nil {
		l.words, l.at = l.words+" by "+n.Sidecar.String(), n.Sidecar.Location
	}
	return l
}
