package reach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/pkg/model"
)

// CallerKind tells callers that the input describes from those that it does not.
type CallerKind string

const (
	// Workload is an identity that sidecars or gateways of the input have.
	Workload CallerKind = "workload"
	// OtherIdentity is any other of the mesh's trust domain: whoever the input does not describe.
	OtherIdentity CallerKind = "otherIdentity"
	// OtherTrustDomain is an identity of a trust domain that is neither the mesh's nor one of its aliases.
	OtherTrustDomain CallerKind = "otherTrustDomain"
	// Outside has no identity: it speaks plaintext, or TLS of its own where a gateway offers that.
	Outside CallerKind = "outside"
)

// Caller is somebody who calls.
type Caller struct {
	Kind CallerKind `json:"kind"`
	// Principal is the identity as policies write it, TRUSTDOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT; "" where it is not one.
	Principal string `json:"principal,omitempty"`
	// Workloads run as it, NAME.NAMESPACE: proxies of the input, or for Outside the workloads that have no sidecar.
	Workloads []string `json:"workloads,omitempty"`

	proxies []*model.Proxy
	peer    certificate
}

func principalOf(mesh *model.Mesh, namespace, account string) string {
	return fmt.Sprintf("%s/ns/%s/sa/%s", mesh.Settings.TrustDomain(), namespace, cmp.Or(account, "default"))
}

// callersOf returns the identities of the mesh's proxies, ordered, and those whom the input does not describe.
func callersOf(mesh *model.Mesh) []*Caller {
	byPrincipal, known := map[string]*Caller{}, map[string]bool{}
	injected := map[string]bool{}
	for _, p := range mesh.Proxies() {
		principal := principalOf(mesh, p.Namespace, p.ServiceAccount)
		c := byPrincipal[principal]
		if c == nil {
			c = &Caller{Kind: Workload, Principal: principal, peer: certificate{has: true, identity: spiffe + principal}}
			byPrincipal[principal] = c
			known[c.peer.identity] = true
		}
		c.Workloads, c.proxies = append(c.Workloads, p.ID()), append(c.proxies, p)
		injected[p.ID()] = true
	}
	var all []*Caller
	for _, principal := range slices.Sorted(maps.Keys(byPrincipal)) {
		slices.Sort(byPrincipal[principal].Workloads)
		all = append(all, byPrincipal[principal])
	}
	own := spiffe + mesh.Settings.TrustDomain() + "/"
	domains := []string{own}
	for _, alias := range mesh.Settings.Mesh.GetTrustDomainAliases() {
		domains = append(domains, spiffe+alias+"/")
	}
	outside := &Caller{Kind: Outside}
	for _, w := range mesh.Workloads() {
		if id := w.Name + "." + w.Namespace; !w.Injected && !w.Gateway && !injected[id] && w.Kind != "WorkloadEntry" {
			outside.Workloads = append(outside.Workloads, id)
		}
	}
	slices.Sort(outside.Workloads)
	return append(all,
		&Caller{Kind: OtherIdentity, peer: certificate{has: true, within: own, others: known}},
		&Caller{Kind: OtherTrustDomain, peer: certificate{has: true, within: spiffe, outside: domains}},
		outside)
}

// answer tells what becomes of the caller's calls to a port.
func (r *destinationReader) answer(c *Caller, d *Destination, s *sent) Answer {
	if s.refused() {
		return Answer{Verdict: Denied, Transport: Plaintext, Clients: s.unlike, Steps: []Step{{
			Action: ActionTLS, Refuses: true, Why: s.unlike[0].Conflict, Rules: append(s.rules(), d.MTLSFrom...),
		}}}
	}
	w := d.mutual
	switch {
	case s.other && !s.mesh && s.transport == TLS:
		w = d.sealed
	case w == nil || c.Kind == Outside || s.other && !s.mesh:
		w = d.plain
	}
	if w == nil {
		return Answer{Verdict: Denied, Transport: Plaintext, Steps: []Step{{
			Action: ActionTLS, Refuses: true, Why: "the port takes the mesh's mTLS alone", Rules: d.MTLSFrom,
		}}}
	}
	e := evaluation{sources: r.cfg.Sources, matchers: r.matchers, transport: w.transport, port: d.Port}
	var shown *Step
	switch {
	case w.transport != MTLS:
	case w.foreign:
		// Whose certificates those are, the mesh does not know.
		e.peer = certificate{has: !w.optional, maybe: w.optional}
		if w.optional {
			e.transport = TLS
		}
		shown = e.showCertificate(w)
	default:
		e.peer = c.peer
		shown = e.showCertificate(w)
	}
	if shown != nil && shown.Refuses {
		return Answer{Verdict: Denied, Transport: MTLS, Steps: []Step{*shown}}
	}
	a := e.judge(w.filters)
	a.Clients = s.unlike
	if shown != nil && a.Verdict != Denied {
		a.Verdict, a.Steps = Conditional, append([]Step{*shown}, a.Steps...)
	}
	return a
}

// showCertificate is the step at which the server looks at the caller's certificate; nil where it is content.
func (e *evaluation) showCertificate(w *way) *Step {
	var names []*Condition
	for _, m := range w.peers {
		names = append(names, e.authenticated(m))
	}
	accepted := anyOf(names)
	switch {
	case len(w.peers) == 0 && w.optional:
		return nil
	case len(w.peers) == 0:
		accepted = always()
	case w.optional:
		accepted = anyOf([]*Condition{not(e.authenticated(nil)), accepted})
	}
	step := &Step{Action: ActionTLS, Refuses: accepted.isNever(), Rules: w.from}
	switch {
	case step.Refuses:
		step.Why, step.Rules = "the server takes no certificate of such a name", nil
		return step
	case w.foreign && !w.optional:
		step.Why = "a client certificate is required that the gateway's own authority signed"
	case accepted.isAlways():
		return nil
	}
	if len(step.Rules) == 0 {
		step.Rules = []Rule{{}}
	}
	step.Rules = slices.Clone(step.Rules[:1])
	if accepted.truth == 0 {
		step.Rules[0].When = accepted
	}
	return step
}

// class tells callers apart as far as a destination can: callers of one class get one answer.
func (r *destinationReader) class(c *Caller, d *Destination, s *sent) string {
	if c.Kind != Workload {
		return string(c.Kind)
	}
	if d.mutual == nil || d.mutual.transport != MTLS || d.mutual.foreign {
		return s.key()
	}
	key := make([]byte, 0, len(d.mutual.peers)+len(d.mutual.names))
	bit := func(b bool) {
		if b {
			key = append(key, '1')
		} else {
			key = append(key, '0')
		}
	}
	for _, m := range slices.Concat(d.mutual.peers, d.mutual.names) {
		bit(r.matchers.ready(m)(c.peer.identity))
	}
	return string(key) + s.key()
}

// identityMatchers are those of the filters' rules that are about the caller's identity.
func identityMatchers(filters []filter) []*matcherv3.StringMatcher {
	var names []*matcherv3.StringMatcher
	var collect func(p *rbacv3.Principal)
	collect = func(p *rbacv3.Principal) {
		for _, each := range p.GetAndIds().GetIds() {
			collect(each)
		}
		for _, each := range p.GetOrIds().GetIds() {
			collect(each)
		}
		if p.GetNotId() != nil {
			collect(p.GetNotId())
		}
		if m := p.GetAuthenticated().GetPrincipalName(); m != nil {
			names = append(names, m)
		}
	}
	for _, f := range filters {
		for _, rules := range []*rbacv3.RBAC{f.rules, f.shadow} {
			for _, id := range slices.Sorted(maps.Keys(rules.GetPolicies())) {
				for _, p := range rules.GetPolicies()[id].GetPrincipals() {
					collect(p)
				}
			}
		}
	}
	return names
}
