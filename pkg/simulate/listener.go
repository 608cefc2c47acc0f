package simulate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/proto"
)

const (
	virtualOutbound = "virtualOutbound"
	virtualInbound  = "virtualInbound"
)

// address is where a listener listens.
type address struct {
	ip   netip.Addr
	port uint32
}

// connection is what Envoy knows of a connection when it chooses a filter chain.
type connection struct {
	destination netip.Addr
	port        uint32
	source      netip.Addr
	// What the listener filters found out: transport is raw_buffer unless a TLS inspector saw a handshake.
	transport  string
	serverName string
	protocols  []string
	// decrypted tells that the filter chain ended the client's TLS, negotiated the application protocol that was agreed on there.
	decrypted  bool
	negotiated string
	// certificate tells that the client was asked for a certificate and has one.
	certificate bool
}

func (s *Simulator) addListener(l *listenerv3.Listener) {
	if _, taken := s.byName[l.GetName()]; !taken {
		s.byName[l.GetName()] = l
	}
	addresses := []*corev3.Address{l.GetAddress()}
	for _, more := range l.GetAdditionalAddresses() {
		addresses = append(addresses, more.GetAddress())
	}
	for _, a := range addresses {
		socket := a.GetSocketAddress()
		ip, err := netip.ParseAddr(socket.GetAddress())
		if err != nil || socket.GetProtocol() == corev3.SocketAddress_UDP {
			continue
		}
		key := address{ip.Unmap(), socket.GetPortValue()}
		if _, taken := s.byAddress[key]; !taken {
			s.byAddress[key] = l
		}
	}
}

// listener finds the listener that handles the connection.
func (w *walk) listener() *listenerv3.Listener {
	c := &w.connection
	c.port = w.call.Port
	c.transport = "raw_buffer"
	if ip, err := netip.ParseAddr(w.call.Address); err == nil {
		c.destination = ip.Unmap()
	}
	if ip, err := netip.ParseAddr(w.call.SourceIP); err == nil {
		c.source = ip.Unmap()
	}
	l, why := w.sim.listenerFor(w.call.Mode, address{c.destination, c.port})
	if l == nil {
		w.step(StageListener, nil, "%s", why)
		w.fail(NoListener)
		return nil
	}
	w.listenedOn, w.out.Listener = l, l.GetName()
	w.step(StageListener, by(l), "%s %s", l.GetName(), why)
	return l
}

// listenerFor finds a listener as Envoy does for a connection whose original destination is known: the listener of exactly that address, that
// of every address on the port, then the one that it was redirected to.
func (s *Simulator) listenerFor(mode Mode, to address) (l *listenerv3.Listener, why string) {
	if mode == Inbound {
		if l := s.byName[virtualInbound]; l != nil {
			return l, "takes all that is redirected inbound"
		}
	}
	if l := s.byAddress[to]; l != nil {
		return l, "listens on exactly that address and port"
	}
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if l := s.byAddress[address{any, to.port}]; l != nil {
			return l, "listens on that port of every address"
		}
	}
	if l := s.byName[virtualOutbound]; l != nil && mode != Inbound {
		return l, "takes what no other listener is for"
	}
	return nil, s.whyNoListener(to)
}

func (s *Simulator) whyNoListener(to address) string {
	var ports []int
	for a := range s.byAddress {
		if p := int(a.port); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return "the proxy has no listeners"
	}
	slices.Sort(ports)
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(p)
	}
	return "nothing listens on port " + strconv.Itoa(int(to.port)) + "; the ports are " + strings.Join(words, ", ")
}

// inspect runs the listener filters, which look at the first bytes and so learn what filter chains are matched by.
func (w *walk) inspect(l *listenerv3.Listener) {
	for _, f := range l.GetListenerFilters() {
		if w.disables(f.GetFilterDisabled()) {
			w.step(StageFilter, by(f), "%s does not look at connections to port %d", f.GetName(), w.connection.port)
			continue
		}
		switch w.sim.unpack(f.GetTypedConfig()).(type) {
		case *tlsinspectorv3.TlsInspector:
			w.inspectTLS(f)
		case *httpinspectorv3.HttpInspector:
			w.inspectHTTP(f)
		}
	}
}

// disables evaluates filter_disabled; connections are over IP, so that only their port can tell.
func (w *walk) disables(p *listenerv3.ListenerFilterChainMatchPredicate) bool {
	switch r := p.GetRule().(type) {
	case *listenerv3.ListenerFilterChainMatchPredicate_OrMatch:
		return slices.ContainsFunc(r.OrMatch.GetRules(), w.disables)
	case *listenerv3.ListenerFilterChainMatchPredicate_AndMatch:
		return !slices.ContainsFunc(r.AndMatch.GetRules(), func(p *listenerv3.ListenerFilterChainMatchPredicate) bool { return !w.disables(p) })
	case *listenerv3.ListenerFilterChainMatchPredicate_NotMatch:
		return !w.disables(r.NotMatch)
	case *listenerv3.ListenerFilterChainMatchPredicate_AnyMatch:
		return r.AnyMatch
	case *listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange:
		port := int32(w.connection.port)
		return port >= r.DestinationPortRange.GetStart() && port < r.DestinationPortRange.GetEnd()
	}
	return false
}

func (w *walk) inspectTLS(f proto.Message) {
	if w.call.TLS == Plaintext {
		return
	}
	c := &w.connection
	c.transport = "tls"
	c.serverName = strings.ToLower(w.call.SNI)
	c.protocols = splitList(w.call.ALPN)
	w.step(StageFilter, by(f), "the TLS inspector sees a handshake for server name %q and protocols %q", c.serverName, c.protocols)
}

// splitList splits what is written with commas in between.
func splitList(list string) []string {
	if list == "" {
		return nil
	}
	parts := strings.Split(list, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}

// inspectHTTP tells HTTP from other plaintext; it does not look into what is known to be TLS, and makes nothing of TLS that no inspector saw, nor
// of a request line that HTTP/1 does not allow.
func (w *walk) inspectHTTP(f proto.Message) {
	c := &w.connection
	if c.transport != "raw_buffer" || w.call.TLS != Plaintext {
		return
	}
	switch w.call.Protocol {
	case HTTP:
		if !readableTarget(w.call.Method, w.call.Path) {
			w.step(StageFilter, by(f), "the HTTP inspector takes %q for another protocol", w.call.Method+" "+w.call.Path)
			return
		}
		c.protocols = []string{"http/1.1"}
	case HTTP2:
		c.protocols = []string{"h2c"}
	default:
		return
	}
	w.step(StageFilter, by(f), "the HTTP inspector sees %s", c.protocols[0])
}
