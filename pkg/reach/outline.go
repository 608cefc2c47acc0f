package reach

import (
	"fmt"
	"slices"
	"strings"
)

// outline is what both texts, for terminals and for pull requests, are made from: the answers at a destination, those together that are equal.
type outline struct {
	m *Matrix
	// rows by destination and caller, nil where one was left out.
	rows [][]*Row
}

func newOutline(m *Matrix) *outline {
	o := &outline{m: m, rows: make([][]*Row, len(m.Destinations))}
	for i := range o.rows {
		o.rows[i] = make([]*Row, len(m.Callers))
	}
	for i := range m.Rows {
		r := &m.Rows[i]
		o.rows[r.to][r.from] = r
	}
	return o
}

// summary is the line at the top.
func (o *outline) summary() string {
	identities, ports, workloads := 0, 0, map[string]bool{}
	for _, g := range o.m.Callers {
		for _, c := range g.Callers {
			if c.Kind == Workload {
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
	noun := "identities"
	if identities == 1 {
		noun = "identity"
	}
	return fmt.Sprintf("%d %s call %s of %s; trust domain %s", identities, noun, count(ports, "port"), count(len(workloads), "workload"), o.m.TrustDomain)
}

// cell is an answer at a glance.
func (r *Row) cell() string {
	if r == nil {
		return "."
	}
	word := map[Verdict]string{Allowed: "yes", Conditional: "if", Denied: "no"}[r.Verdict]
	if r.Verdict != Denied && r.Transport != MTLS {
		word += "~"
	}
	return word
}

const legend = "yes allowed, if on conditions, no denied; ~ without mTLS, so that the caller is not known"

// label names a group of callers in a table.
func (o *outline) label(g *CallerGroup) string {
	var names []string
	for _, c := range g.Callers {
		names = append(names, o.caller(c))
	}
	return shortened(names, 2)
}

// caller is the principal without what all principals begin with.
func (o *outline) caller(c *Caller) string {
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
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// ports lists a group's destinations, those of one workload together.
func (g *DestinationGroup) ports() []string {
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

// modes says what the destinations ask of clients.
func (g *DestinationGroup) modes() string {
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
	*Answer
	word    string
	callers []string
	noRoute []NoRoute
}

// paragraphs are the answers at a destination: those that let calls through first.
func (o *outline) paragraphs(to int) []*paragraph {
	var out []*paragraph
	at := map[*Answer]*paragraph{}
	for from, r := range o.rows[to] {
		if r == nil {
			continue
		}
		p := at[r.Answer]
		if p == nil {
			p = &paragraph{Answer: r.Answer, word: r.cell()}
			at[r.Answer] = p
			out = append(out, p)
		}
		for _, c := range o.m.Callers[from].Callers {
			p.callers = append(p.callers, o.caller(c))
		}
		p.noRoute = append(p.noRoute, r.NoRoute...)
	}
	order := []Verdict{Allowed, Conditional, Denied}
	slices.SortStableFunc(out, func(a, b *paragraph) int { return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict) })
	return out
}

// line is one of an explanation: words, and where they come from.
type line struct{ words, at string }

// explanation says why the answer is what it is.
func (a *Answer) explanation() []line {
	var out []line
	for i := range a.Steps {
		out = append(out, a.Steps[i].explanation()...)
	}
	if len(a.Steps) == 0 {
		out = append(out, line{words: "no policy is about it"})
	}
	for _, c := range a.Clients {
		if c.Conflict != "" && a.Verdict == Denied {
			continue // the step says it
		}
		words := "the caller's sidecar sends " + c.Sends
		if c.Conflict != "" {
			words += ", which is refused: " + c.Conflict
		}
		place := ""
		if c.By != nil {
			words, place = words+" by "+c.By.words(), at(c.By.Location)
		}
		out = append(out, line{words, place})
	}
	return out
}

func (s *Step) explanation() []line {
	var out []line
	if s.Why != "" {
		out = append(out, line{words: s.Why})
	}
	verb := map[Action]string{ActionAllow: "allowed", ActionDeny: "denied", ActionCustom: "asks " + s.Provider, ActionTLS: "by"}[s.Action]
	if s.Action == ActionAllow && s.Refuses {
		verb = "of"
	}
	for i, r := range s.Rules {
		conditions := r.When.Lines()
		if len(conditions) == 0 {
			out = append(out, line{verb + " " + byOf(verb) + r.words(), at(r.Location)})
			continue
		}
		join := verb
		if i > 0 && s.Action == ActionAllow {
			join = "or " + verb
		}
		out = append(out, line{join + " if " + strings.Join(conditions, ", and "), ""}, line{"  by " + r.words(), at(r.Location)})
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
		out = append(out, line{words, at(t.Location)})
	}
	return out
}

func byOf(verb string) string {
	if verb == "by" || verb == "of" {
		return ""
	}
	return "by "
}

// words say which callers' sidecars know no way.
func (n *NoRoute) words() line {
	does := "passes on, in plaintext"
	if n.Outbound == "REGISTRY_ONLY" {
		does = "drops"
	}
	who, does := "the sidecar of "+shortened(n.Workloads, 3)+" knows", does
	if len(n.Workloads) > 1 {
		who = "the sidecars of " + shortened(n.Workloads, 3) + " know"
	}
	l := line{words: fmt.Sprintf("no route: %s no service before %s, and %s what it does not know (%s)", who, shortened(n.To, 2), does, n.Outbound)}
	if n.Sidecar != nil {
		l.words, l.at = l.words+" by "+n.Sidecar.words(), at(n.Sidecar.Location)
	}
	return l
}
