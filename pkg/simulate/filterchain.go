package simulate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
)

// filterChain chooses the filter chain of the listener that the connection goes through.
//
// Envoy narrows the chains down by one criterion after the other, each time to those that name the connection's own value most closely, or,
// where none does, to those that name none. It never goes back: once a chain asks for port 9080, chains without a port are out of the race even
// if that one turns out to want another server name
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto#config-listener-v3-filterchainmatch).
func (w *walk) filterChain(l *listenerv3.Listener) *listenerv3.FilterChain {
	w.inspect(l)
	left := l.GetFilterChains()
	for _, n := range narrowings {
		next := n.narrow(&w.connection, left)
		if len(next) == 0 {
			return w.defaultChain(l, n.criterion, left)
		}
		left = next
	}
	if len(left) > 1 {
		w.step(StageFilterChain, by(left[0], left[1]), "%s match alike, which Envoy refuses", describeChains(left))
		w.fail(MultipleFilterChains)
		return nil
	}
	w.out.FilterChain = left[0].GetName()
	if w.explaining {
		w.step(StageFilterChain, by(left[0]), "%s %s", chainName(left[0]), describeMatch(left[0].GetFilterChainMatch()))
	}
	return left[0]
}

// defaultChain is what remains when no chain matches.
func (w *walk) defaultChain(l *listenerv3.Listener, criterion string, left []*listenerv3.FilterChain) *listenerv3.FilterChain {
	why := "the listener has no filter chain but the default one"
	if w.explaining && len(left) > 0 {
		why = fmt.Sprintf("%s does not fit %s, the last in question", criterion, describeChains(left))
	}
	chain := l.GetDefaultFilterChain()
	if chain == nil {
		w.step(StageFilterChain, by(l), "none matches: %s", why)
		w.fail(NoFilterChain)
		return nil
	}
	w.out.FilterChain = chain.GetName()
	w.step(StageFilterChain, by(chain), "%s is the default: %s", chainName(chain), why)
	return chain
}

// narrowing keeps the chains that a connection may go through by one criterion.
type narrowing struct {
	criterion string
	narrow    func(*connection, []*listenerv3.FilterChain) []*listenerv3.FilterChain
}

// narrowings in Envoy's order.
var narrowings = [...]narrowing{
	{"the destination port", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int {
			if p := m.GetDestinationPort(); p == nil || p.GetValue() == 0 {
				return 0
			} else if p.GetValue() == c.port {
				return 1
			}
			return -1
		})
	}},
	{"the destination address", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int { return longestPrefix(c.destination, m.GetPrefixRanges()) })
	}},
	{"the server name", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int { return closestName(c.serverName, m.GetServerNames()) })
	}},
	{"the transport protocol", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int {
			if m.GetTransportProtocol() == "" {
				return 0
			} else if m.GetTransportProtocol() == c.transport {
				return 1
			}
			return -1
		})
	}},
	{"the application protocol", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int {
			return firstProtocol(c.protocols, m.GetApplicationProtocols())
		})
	}},
	{"the peer's address", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int {
			return longestPrefix(c.source, m.GetDirectSourcePrefixRanges())
		})
	}},
	{"the kind of source", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int { return sourceType(c, m.GetSourceType()) })
	}},
	{"the source address", func(c *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int { return longestPrefix(c.source, m.GetSourcePrefixRanges()) })
	}},
	{"the source port", func(_ *connection, chains []*listenerv3.FilterChain) []*listenerv3.FilterChain {
		// The port that a client happens to have is none that a chain could be for.
		return preferred(chains, func(m *listenerv3.FilterChainMatch) int {
			if len(m.GetSourcePorts()) > 0 {
				return -1
			}
			return 0
		})
	}},
}

// preferred keeps the chains of the highest rank; chains of a negative rank are out.
func preferred(chains []*listenerv3.FilterChain, rank func(*listenerv3.FilterChainMatch) int) []*listenerv3.FilterChain {
	best := -1
	var kept []*listenerv3.FilterChain
	for _, chain := range chains {
		switch r := rank(chain.GetFilterChainMatch()); {
		case r > best:
			best, kept = r, append(kept[:0:0], chain)
		case r == best && r >= 0:
			kept = append(kept, chain)
		}
	}
	return kept
}

// longestPrefix ranks by the length of the longest range that holds the address. No range at all is one of length 0, as is 0.0.0.0/0.
func longestPrefix(ip netip.Addr, ranges []*corev3.CidrRange) int {
	if len(ranges) == 0 {
		return 0
	}
	best := -1
	for _, r := range ranges {
		if network, ok := prefixOf(r); ok && network.Contains(ip) {
			best = max(best, network.Bits())
		}
	}
	return best
}

func prefixOf(r *corev3.CidrRange) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(r.GetAddressPrefix())
	if err != nil {
		return netip.Prefix{}, false
	}
	network, err := ip.Prefix(min(int(r.GetPrefixLen().GetValue()), ip.BitLen()))
	return network, err == nil
}

// closestName ranks by server name: the name itself, then the longest *. above it, then no name.
func closestName(name string, wanted []string) int {
	if len(wanted) == 0 {
		return 0
	}
	best := -1
	for _, n := range wanted {
		if n == "" {
			best = max(best, 0)
		} else if n == name {
			return len(name) + 2
		} else if suffix, ok := strings.CutPrefix(n, "*"); ok && strings.HasPrefix(suffix, ".") && len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			best = max(best, len(suffix)+1)
		}
	}
	return best
}

// firstProtocol ranks by the first of the client's protocols that the chain names: the client's order decides.
func firstProtocol(offered, wanted []string) int {
	if len(wanted) == 0 {
		return 0
	}
	for i, p := range offered {
		if slices.Contains(wanted, p) {
			return len(offered) - i
		}
	}
	return -1
}

func sourceType(c *connection, wanted listenerv3.FilterChainMatch_ConnectionSourceType) int {
	local := c.source.IsValid() && (c.source.IsLoopback() || c.source == c.destination)
	switch wanted {
	case listenerv3.FilterChainMatch_SAME_IP_OR_LOOPBACK:
		if local {
			return 1
		}
		return -1
	case listenerv3.FilterChainMatch_EXTERNAL:
		if local {
			return -1
		}
		return 1
	}
	return 0
}

func chainName(c *listenerv3.FilterChain) string {
	if c.GetName() == "" {
		return "the unnamed filter chain"
	}
	return "filter chain " + c.GetName()
}

func describeChains(chains []*listenerv3.FilterChain) string {
	if len(chains) == 1 {
		return chainName(chains[0]) + " (" + describeMatch(chains[0].GetFilterChainMatch()) + ")"
	}
	return fmt.Sprintf("%s and %d more", chainName(chains[0]), len(chains)-1)
}

// describeMatch says in words what a chain is for.
func describeMatch(m *listenerv3.FilterChainMatch) string {
	var words []string
	if p := m.GetDestinationPort(); p != nil {
		words = append(words, fmt.Sprintf("port %d", p.GetValue()))
	}
	for _, r := range m.GetPrefixRanges() {
		words = append(words, fmt.Sprintf("%s/%d", r.GetAddressPrefix(), r.GetPrefixLen().GetValue()))
	}
	if names := m.GetServerNames(); len(names) > 0 {
		words = append(words, "server names "+strings.Join(names, " "))
	}
	if t := m.GetTransportProtocol(); t != "" {
		words = append(words, t)
	}
	if protocols := m.GetApplicationProtocols(); len(protocols) > 0 {
		words = append(words, "protocols "+strings.Join(protocols, " "))
	}
	if len(words) == 0 {
		return "takes any connection"
	}
	return "is for " + strings.Join(words, ", ")
}
