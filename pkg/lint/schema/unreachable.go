package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
)

// rules are the routes of one protocol as far as it matters which of them a request takes: each a list of matches, none for a route that
// takes everything.
type rules[M proto.Message] struct {
	path    string // spec.http
	matches [][]M
	names   []string
	// passes tells routes that may hand a request on to the next, since another resource decides: delegates.
	passes []bool
	covers func(earlier, later M) bool
}

// unreachable looks for routes, and matches of routes, that earlier ones leave nothing for: the first match wins
// (https://istio.io/latest/docs/concepts/traffic-management/#routing-rule-precedence).
func (c *check) unreachable(vs *networking.VirtualService) {
	http := rules[*networking.HTTPMatchRequest]{path: "spec.http", covers: coversHTTP}
	for _, r := range vs.GetHttp() {
		http.add(r.GetMatch(), r.GetName(), r.GetDelegate() != nil)
	}
	report(c, http)
	tls := rules[*networking.TLSMatchAttributes]{path: "spec.tls", covers: coversTLS}
	for _, r := range vs.GetTls() {
		tls.add(r.GetMatch(), "", false)
	}
	report(c, tls)
	tcp := rules[*networking.L4MatchAttributes]{path: "spec.tcp", covers: coversTCP}
	for _, r := range vs.GetTcp() {
		tcp.add(r.GetMatch(), "", false)
	}
	report(c, tcp)
}

func (r *rules[M]) add(matches []M, name string, passes bool) {
	r.matches, r.names, r.passes = append(r.matches, matches), append(r.names, name), append(r.passes, passes)
}

// earlier is what leaves nothing for a match: match number m (-1 for a route without) of route number r.
type earlier struct {
	r, m int
	same bool
}

func report[M proto.Message](c *check, all rules[M]) {
	for i, matches := range all.matches {
		path := resource.Index(all.path, i)
		if by, ok := all.catchAll(i); ok {
			c.reportRelated(diag.Warning, UnreachableRoute, path, []string{"IST0130"}, resource.Index(all.path, by),
				"%s is never used: %s before it takes every request; put it first", all.name(i), all.name(by))
			continue
		}
		var hidden []earlier
		var where []string
		for j, m := range matches {
			if by, ok := all.before(i, j, m); ok {
				hidden = append(hidden, by)
				where = append(where, resource.Index(path+".match", j))
			}
		}
		switch {
		case len(hidden) == 0:
		case len(hidden) == 1 && len(matches) == 1:
			aliases := []string{"IST0131"}
			if hidden[0].same {
				aliases = []string{"IST0130", "IST0131"}
			}
			c.reportRelated(diag.Warning, UnreachableRoute, path, aliases, all.place(hidden[0]),
				"%s is never used: %s already takes what it matches; put the narrower one first", all.name(i), all.name(hidden[0].r))
		default:
			for k, by := range hidden {
				c.reportRelated(diag.Warning, IneffectiveMatch, where[k], []string{"IST0131"}, all.place(by),
					"this match is never used: %s already takes what it matches", all.name(by.r))
			}
			if len(hidden) == len(matches) && !slices.ContainsFunc(hidden, func(e earlier) bool { return !e.same }) {
				c.reportRelated(diag.Warning, UnreachableRoute, path, []string{"IST0130"}, all.place(hidden[0]),
					"%s is never used: earlier routes already take all that it matches", all.name(i))
			}
		}
	}
}

// catchAll returns the first route before number i that takes everything.
func (r *rules[M]) catchAll(i int) (int, bool) {
	for k := range i {
		if len(r.matches[k]) == 0 && !r.passes[k] {
			return k, true
		}
	}
	return 0, false
}

// before returns what stands before match j of route i and covers it.
func (r *rules[M]) before(i, j int, m M) (earlier, bool) {
	for k := range i + 1 {
		if r.passes[k] && k < i {
			continue
		}
		for l, e := range r.matches[k] {
			if k == i && l >= j {
				break
			}
			if r.covers(e, m) {
				return earlier{k, l, proto.Equal(e, m)}, true
			}
		}
	}
	return earlier{}, false
}

func (r *rules[M]) name(i int) string {
	if r.names[i] != "" {
		return fmt.Sprintf("the route %q", r.names[i])
	}
	return resource.Index(strings.TrimPrefix(r.path, "spec."), i)
}

func (r *rules[M]) place(e earlier) string {
	return resource.Index(resource.Index(r.path, e.r)+".match", e.m)
}

func (c *check) reportRelated(severity diag.Severity, rule, path string, aliases []string, other, format string, args ...any) {
	c.findings = append(c.findings, diag.Finding{
		Rule: rule, Aliases: aliases, Severity: severity, Message: fmt.Sprintf(format, args...), Resource: c.Ref(), Path: path, Location: c.Locate(path),
		Related: []diag.Related{{Resource: c.Ref(), Location: c.Locate(other), Message: "this comes first"}},
	})
}

func coversHTTP(e, m *networking.HTTPMatchRequest) bool {
	return coversString(e.GetUri(), m.GetUri(), e.GetIgnoreUriCase(), m.GetIgnoreUriCase()) &&
		coversString(e.GetScheme(), m.GetScheme(), false, false) &&
		coversString(e.GetMethod(), m.GetMethod(), false, false) &&
		coversString(e.GetAuthority(), m.GetAuthority(), false, false) &&
		coversStrings(e.GetHeaders(), m.GetHeaders()) &&
		coversStrings(e.GetQueryParams(), m.GetQueryParams()) &&
		sameStrings(e.GetWithoutHeaders(), m.GetWithoutHeaders()) &&
		coversCaller(e, m)
}

// caller is what matches of all protocols have in common: which connections they are about.
type caller interface {
	GetPort() uint32
	GetSourceLabels() map[string]string
	GetGateways() []string
	GetSourceNamespace() string
}

func coversCaller(e, m caller) bool {
	if e.GetPort() != 0 && e.GetPort() != m.GetPort() || e.GetSourceNamespace() != "" && e.GetSourceNamespace() != m.GetSourceNamespace() {
		return false
	}
	for k, v := range e.GetSourceLabels() {
		if got, ok := m.GetSourceLabels()[k]; !ok || got != v {
			return false
		}
	}
	return len(e.GetGateways()) == 0 || len(m.GetGateways()) > 0 && subset(m.GetGateways(), e.GetGateways())
}

func subset(some, of []string) bool {
	return all(some, func(s string) bool { return slices.Contains(of, s) })
}

// coversString tells whether every text that the later match takes is taken by the earlier one. A nil match takes everything, one without
// a type everything that is there.
func coversString(e, m *networking.StringMatch, eFold, mFold bool) bool {
	if e == nil {
		return true
	}
	if m == nil || mFold && !eFold {
		return false
	}
	fold := func(s string) string {
		if eFold {
			return strings.ToLower(s)
		}
		return s
	}
	switch t := e.GetMatchType().(type) {
	case nil:
		return true
	case *networking.StringMatch_Exact:
		mt, ok := m.GetMatchType().(*networking.StringMatch_Exact)
		return ok && fold(mt.Exact) == fold(t.Exact)
	case *networking.StringMatch_Prefix:
		switch mt := m.GetMatchType().(type) {
		case *networking.StringMatch_Exact:
			return strings.HasPrefix(fold(mt.Exact), fold(t.Prefix))
		case *networking.StringMatch_Prefix:
			return strings.HasPrefix(fold(mt.Prefix), fold(t.Prefix))
		}
	case *networking.StringMatch_Regex:
		mt, ok := m.GetMatchType().(*networking.StringMatch_Regex)
		return ok && (mt.Regex == t.Regex || t.Regex == ".*") || t.Regex == ".*"
	}
	return false
}

func coversStrings(e, m map[string]*networking.StringMatch) bool {
	for name, match := range e {
		other, ok := m[name]
		if !ok || !coversString(present(match), present(other), false, false) {
			return false
		}
	}
	return true
}

// present reads an empty match as what it means in a map: the name is there.
func present(m *networking.StringMatch) *networking.StringMatch {
	if m == nil {
		return &networking.StringMatch{}
	}
	return m
}

func sameStrings(e, m map[string]*networking.StringMatch) bool {
	return len(e) == 0 || maps.EqualFunc(e, m, func(a, b *networking.StringMatch) bool { return proto.Equal(a, b) })
}

func coversTLS(e, m *networking.TLSMatchAttributes) bool {
	return coversCaller(e, m) && coversSubnets(e.GetDestinationSubnets(), m.GetDestinationSubnets()) &&
		all(m.GetSniHosts(), func(sni string) bool {
			return slices.ContainsFunc(e.GetSniHosts(), func(pattern string) bool { return covers(pattern, sni) })
		})
}

func coversTCP(e, m *networking.L4MatchAttributes) bool {
	return coversCaller(e, m) && coversSubnets(e.GetDestinationSubnets(), m.GetDestinationSubnets()) &&
		(e.GetSourceSubnet() == "" || e.GetSourceSubnet() == m.GetSourceSubnet())
}

func coversSubnets(e, m []string) bool { return len(e) == 0 || len(m) > 0 && subset(m, e) }
