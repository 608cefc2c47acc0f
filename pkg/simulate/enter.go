package simulate

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// Enter follows a call only until a filter chain has taken its connection and the TLS of it has ended; no filter judges it yet. It returns that
// chain, nil with Outcome.Error where the connection does not get so far.
func (s *Simulator) Enter(c Call) (*listenerv3.FilterChain, Outcome) {
	c = s.withDefaults(c)
	w := &walk{sim: s, call: &c, out: Outcome{Name: c.Name}}
	l := w.listener()
	if l == nil {
		return nil, w.out
	}
	chain := w.filterChain(l)
	if chain == nil || !w.terminateTLS(chain) {
		return nil, w.out
	}
	return chain, w.out
}

// StringMatcher makes a matcher of Envoy's ready: the result tells whether it matches a string.
func StringMatcher(m *matcherv3.StringMatcher) func(string) bool { return newStringMatcher(m).matches }
