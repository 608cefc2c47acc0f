package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// ClientTLS is what sidecars of a caller send, where that is not the mesh's mTLS by itself.
type ClientTLS struct {
	// Mode and Sends are in the words of package tlscheck: DISABLE and plaintext, say.
	Mode  string `json:"mode"`
	Sends string `json:"sends"`
	// Conflict says why the server does not take it, "" where it does.
	Conflict string `json:"conflict,omitempty"`
	// Why says why that is sent where the mode does not tell, and By is the policy that decided.
	Why string `json:"why,omitempty"`
	By  *Rule  `json:"by,omitempty"`
}

// clients asks package tlscheck what callers send, once for all that see the same.
type clients struct {
	checker *tlscheck.Checker
	// alike maps each proxy to the first that sees the same.
	alike map[*model.Proxy]*model.Proxy
}

func newClients(mesh *model.Mesh, compiler *compile.Compiler, callers []*Caller) *clients {
	c := &clients{checker: tlscheck.New(mesh), alike: map[*model.Proxy]*model.Proxy{}}
	first := map[string]*model.Proxy{}
	for _, caller := range callers {
		for _, p := range caller.proxies {
			key := compiler.UpstreamKey(p)
			if first[key] == nil {
				first[key] = p
			}
			c.alike[p] = first[key]
		}
	}
	return c
}

// sent is how a caller's connections to a destination come about.
type sent struct {
	// mesh is set where some come over the mesh's mTLS, other where some come otherwise; neither where no sidecar of the caller knows a way there,
	// nor where the server takes none of what they send.
	mesh, other bool
	// transport is that of the others.
	transport Transport
	// unlike are those clients that do otherwise than by themselves.
	unlike []ClientTLS
}

// refused tells that the server takes nothing of what the caller's sidecars send.
func (s *sent) refused() bool { return !s.mesh && !s.other && len(s.unlike) > 0 }

// key is the same for callers who send the same.
func (s *sent) key() string {
	var b strings.Builder
	fmt.Fprint(&b, s.mesh, s.other, s.transport)
	for _, u := range s.unlike {
		fmt.Fprint(&b, "|", u.Mode, u.Sends, u.Conflict, u.Why)
		if u.By != nil {
			fmt.Fprint(&b, *u.By)
		}
	}
	return b.String()
}

// sends tells how the proxies' connections to a destination come about; cache holds what was found for it.
func (c *clients) sends(proxies []*model.Proxy, d *Destination, cache map[*model.Proxy]*sent) *sent {
	if d.Gateway || len(d.targets) == 0 || len(proxies) == 0 {
		return &sent{}
	}
	var whole *sent
	var seen []*model.Proxy
	for _, p := range proxies {
		first := c.alike[p]
		if slices.Contains(seen, first) {
			continue
		}
		seen = append(seen, first)
		one := cache[first]
		if one == nil {
			one = c.sentBy(first, d)
			cache[first] = one
		}
		if whole == nil {
			whole = one
		} else {
			whole = whole.with(one)
		}
	}
	return whole
}

// with is what both send together.
func (s *sent) with(o *sent) *sent {
	both := &sent{mesh: s.mesh || o.mesh, other: s.other || o.other, transport: s.transport, unlike: slices.Clone(s.unlike)}
	if !s.other {
		both.transport = o.transport
	}
	for _, u := range o.unlike {
		both.add(u)
	}
	return both
}

func (s *sent) add(u ClientTLS) {
	if !slices.ContainsFunc(s.unlike, u.equal) {
		s.unlike = append(s.unlike, u)
	}
}

func (c ClientTLS) equal(o ClientTLS) bool {
	same := c.By == o.By || c.By != nil && o.By != nil && *c.By == *o.By
	c.By, o.By = nil, nil
	return same && c == o
}

func (c *clients) sentBy(p *model.Proxy, d *Destination) *sent {
	s := &sent{}
	for _, t := range d.targets {
		for _, v := range c.checker.Check(p, t.Service, t.Port) {
			if !slices.Contains(v.Workloads, d.Workload) {
				continue
			}
			conflict := v.Status == tlscheck.Conflict
			switch {
			case conflict:
			case v.Client.Sends == tlscheck.MeshMTLS:
				s.mesh = true
			default:
				s.other, s.transport = true, Plaintext
				if v.Client.Sends != tlscheck.Plaintext {
					s.transport = TLS
				}
			}
			if !conflict && (v.Client.Sends == tlscheck.MeshMTLS || v.Client.Sends == tlscheck.Plaintext && d.mutual == nil) {
				continue // what the mesh does by itself
			}
			u := ClientTLS{Mode: v.Client.Mode, Sends: v.Client.Sends, Why: v.Client.Why}
			if conflict {
				u.Conflict = v.Reason
			}
			if p := v.Client.Policy; p != nil {
				u.By = &Rule{Resource: p.Resource, Path: p.Path, Location: p.Location}
			}
			s.add(u)
		}
	}
	return s
}

// locations of the policies that have clients do so.
func (s *sent) rules() []Rule {
	var rules []Rule
	for _, u := range s.unlike {
		if u.By != nil && !slices.ContainsFunc(rules, func(r Rule) bool { return r.Location == u.By.Location }) {
			rules = append(rules, *u.By)
		}
	}
	slices.SortStableFunc(rules, func(a, b Rule) int { return diag.Location.Compare(a.Location, b.Location) })
	return rules
}
