package compile

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// traffic is how a listener tells what it carries.
type traffic int

const (
	trafficTCP traffic = iota
	trafficHTTP
	// trafficAny looks at the first bytes of a connection.
	trafficAny
	trafficNone
)

// trafficOf says what is expected on a port with the protocol.
func trafficOf(protocol model.Protocol) traffic {
	switch {
	case protocol.IsHTTP():
		return trafficHTTP
	case protocol.IsTCP():
		return trafficTCP
	case protocol.IsUnsupported():
		return trafficAny
	default:
		return trafficNone
	}
}

// outboundListener is a listener as planned: what it binds to and what its chains carry, with nothing of Envoy yet.
type outboundListener struct {
	address string
	port    uint32
	// bindToPort is true for a listener that a client connects to itself, instead of being redirected.
	bindToPort bool
	carries    traffic
	// protocol is the declared one of the port that the listener was first made for, Unsupported once it carries either.
	protocol model.Protocol
	chains   []*outboundChain
	// taken are the chains' match keys.
	taken map[string]bool
	// locked is set once the egress listener that made it is done: those after it add nothing.
	locked bool
}

// outboundChain is a filter chain as planned.
type outboundChain struct {
	serverNames []string
	subnets     []string
	// plaintextHTTP matches connections that look like HTTP.
	plaintextHTTP bool

	// routeName is the route configuration of an HTTP chain, "" for TCP.
	routeName string
	protocol  model.Protocol

	tcp *tcpForward
	// virtualService is named in the chain's metadata, nil for none.
	virtualService *model.VirtualService
	sources        []resource.Source
}

// matchesAll tells whether every connection matches.
func (c *outboundChain) matchesAll() bool {
	return !c.plaintextHTTP && len(c.subnets) == 0 && (len(c.serverNames) == 0 || slices.Contains(c.serverNames, "*"))
}

// matchKey is equal for chains between which Envoy could not choose: each server name on each subnet may lead to one chain alone.
func (c *outboundChain) matchKey(name, subnet string) string {
	if c.plaintextHTTP {
		return "http|" + name + "|" + subnet
	}
	return "|" + name + "|" + subnet
}

// withoutTaken returns the chain without the server names, or else the subnets, that other chains match already; nil if none are left. What it
// matches counts as taken from then on.
func (c *outboundChain) withoutTaken(taken map[string]bool) *outboundChain {
	names, subnets := nameSet(c.serverNames), subnetSet(c.subnets)
	if len(names) == 0 {
		names = []string{""}
	}
	if len(subnets) == 0 {
		subnets = []string{""}
	}
	free := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(subnets, func(s string) bool { return taken[c.matchKey(name, s)] })
	})
	out := c
	switch {
	case len(free) == len(names):
	case len(free) > 0:
		names, out = free, c.narrowed(free, c.subnets)
	default:
		left := slices.DeleteFunc(slices.Clone(subnets), func(s string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return taken[c.matchKey(name, s)] })
		})
		if len(left) == 0 {
			return nil
		}
		subnets, out = left, c.narrowed(c.serverNames, left)
	}
	for _, name := range names {
		for _, s := range subnets {
			taken[c.matchKey(name, s)] = true
		}
	}
	return out
}

func (c *outboundChain) narrowed(names, subnets []string) *outboundChain {
	out := *c
	out.serverNames, out.subnets = names, subnets
	return &out
}

func nameSet(names []string) []string {
	var set []string
	for _, n := range names {
		if n != "*" {
			set = append(set, n)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func subnetSet(subnets []string) []string {
	var set []string
	for _, s := range subnets {
		if prefix, ok := parseSubnet(s); ok && !prefix.Addr().IsUnspecified() {
			set = append(set, prefix.Masked().String())
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// parseSubnet reads a CIDR or a single address.
func parseSubnet(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		return prefix, err == nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// outboundListeners plans the outbound listeners of the sidecar, ordered by name.
func (b *builder) outboundListeners() []*outboundListener {
	p := &outboundPlan{b: b, listeners: map[listenerKey]*outboundListener{}}
	for _, egress := range b.scope.EgressListeners {
		p.addEgress(egress)
	}
	return slices.SortedFunc(maps.Values(p.listeners), func(x, y *outboundListener) int { return strings.Compare(x.name(), y.name()) })
}

func (l *outboundListener) name() string { return listenerName(l.address, l.port) }

// listenerName is ADDRESS_PORT, or the path of a Unix socket.
func listenerName(address string, port uint32) string {
	if port == 0 {
		return address
	}
	return address + "_" + strconv.FormatUint(uint64(port), 10)
}

type listenerKey struct {
	address string
	port    uint32
}

// outboundPlan collects listeners by what they bind to.
type outboundPlan struct {
	b         *builder
	listeners map[listenerKey]*outboundListener
}

// outboundPort is a port of a service for which a listener is wanted.
type outboundPort struct {
	service *model.Service
	// port is the service's, or the egress listener's own.
	port *model.Port
	// address to bind to, "" where it follows from protocol and service.
	address    string
	bindToPort bool
	// vip is the service's address at which the port is offered, which may be a subnet; "" for none.
	vip    string
	egress *model.EgressListener
	// forwardProxy is set for an egress listener that clients use as an HTTP proxy: nothing but HTTP comes in.
	forwardProxy bool
}

// addEgress plans the listeners of one egress listener of the Sidecar: on its own port, or, for the catch-all that comes last, on each port of
// each service that those before it have left (https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener).
func (p *outboundPlan) addEgress(egress *model.EgressListener) {
	address := egress.Spec.GetBind()
	o := outboundPort{egress: egress, address: address}
	o.bindToPort = p.b.interception() == interceptNone || egress.Spec.GetCaptureMode() == networking.CaptureMode_NONE ||
		strings.HasPrefix(address, unixPrefix)
	if address == "" && o.bindToPort {
		o.address = p.b.loopback()
	}
	if spec := egress.Spec.GetPort(); spec != nil {
		o.port = &model.Port{
			Number: spec.GetNumber(), Name: spec.GetName(), Protocol: model.ParseProtocol(spec.GetProtocol()), Source: egress.Source,
		}
		o.forwardProxy = strings.EqualFold(spec.GetProtocol(), "HTTP_PROXY")
	} else {
		for _, l := range p.listeners {
			l.locked = true
		}
	}
	for _, o.service = range servicesByOrigin(egress.Services) {
		for _, o.vip = range p.b.listenAddresses(o.service) {
			p.addService(o)
		}
	}
}

// addService plans the port that is asked for, or else each of the service's.
func (p *outboundPlan) addService(o outboundPort) {
	if o.port != nil {
		if !p.b.reservedPort(o.address, o.port.Number, o.port.Protocol) {
			p.add(o)
		}
		return
	}
	for _, o.port = range o.service.Ports {
		if !p.b.reservedPort(o.address, o.port.Number, o.port.Protocol) {
			p.addServicePort(o)
		}
	}
}

// listenAddresses are the addresses at which a service is offered: each of a ServiceEntry, the first of a Kubernetes Service, and the
// wildcard where there is none.
func (b *builder) listenAddresses(service *model.Service) []string {
	addresses := b.addressesOf(service)
	if len(addresses) == 0 {
		return []string{b.wildcard()}
	}
	if service.Kubernetes {
		return addresses[:1]
	}
	var out []string
	for _, a := range addresses {
		prefix, ok := parseSubnet(a)
		if !ok {
			continue
		}
		if prefix.IsSingleIP() {
			a = prefix.Addr().String()
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return []string{b.wildcard()}
	}
	return out
}

// addServicePort plans a port of a service for the catch-all egress listener. A headless service that does not speak HTTP has a listener for
// each of its endpoints, since only the address tells such services apart.
func (p *outboundPlan) addServicePort(o outboundPort) {
	perEndpoint := o.address == "" && o.service.Resolution == model.Passthrough && o.vip == p.b.wildcard() &&
		(o.port.Protocol.IsTCP() || o.port.Protocol.IsUnsupported())
	if !perEndpoint {
		p.add(o)
		return
	}
	endpoints := p.b.mesh.Endpoints(o.service, o.port)
	if !o.service.Kubernetes && len(endpoints) == 0 && len(o.service.Selector) == 0 {
		p.add(o)
		return
	}
	for _, e := range endpoints {
		if _, err := netip.ParseAddr(e.Address); err != nil || e.Address == p.b.proxy.IP || !e.Ready {
			continue
		}
		o.address = e.Address
		p.add(o)
	}
}

// add plans a listener for a port of a service, or adds to one that is there.
func (p *outboundPlan) add(o outboundPort) {
	carries := trafficOf(o.port.Protocol)
	if o.service.Resolution == model.Alias || carries == trafficNone {
		return
	}
	var subnets []string
	if o.address == "" {
		o.address = p.b.wildcard()
		if carries != trafficHTTP {
			if strings.Contains(o.vip, "/") {
				subnets = []string{o.vip}
			} else {
				o.address = o.vip
			}
		}
	}
	key := listenerKey{o.address, o.port.Number}
	current := p.listeners[key]
	if current == nil {
		p.listeners[key] = p.newListener(o, subnets)
		return
	}
	if !current.locked {
		p.join(current, o, subnets)
	}
}

func (p *outboundPlan) newListener(o outboundPort, subnets []string) *outboundListener {
	l := &outboundListener{
		address: o.address, port: o.port.Number, bindToPort: o.bindToPort,
		carries: trafficOf(o.port.Protocol), protocol: o.port.Protocol, taken: map[string]bool{},
	}
	l.addChains(p.chains(o, subnets))
	if l.carries == trafficHTTP && l.address == p.b.wildcard() && !o.forwardProxy {
		// Whatever does not look like HTTP passes through such a listener.
		l.carries, l.protocol = trafficAny, model.Unsupported
	}
	return l
}

// join settles that two services want one address and port. HTTP services share a listener and are told apart by routes. Where HTTP meets
// TCP the first bytes decide; and of chains that match the same, the first stays.
func (p *outboundPlan) join(l *outboundListener, o outboundPort, subnets []string) {
	incoming := trafficOf(o.port.Protocol)
	switch {
	case incoming == trafficHTTP && l.carries != trafficTCP, incoming == trafficAny && l.carries == trafficAny:
		return
	case incoming != l.carries && speaksFirst(o.port.Protocol, l.protocol):
		return
	case incoming == trafficAny && l.carries == trafficHTTP:
		p.listeners[listenerKey{l.address, l.port}] = p.newListener(o, subnets)
		return
	case incoming == trafficTCP && l.carries == trafficTCP && speaksFirst(o.port.Protocol, l.protocol):
		return
	}
	l.addChains(p.chains(o, subnets))
	if incoming != l.carries && l.carries != trafficAny {
		l.carries, l.protocol = trafficAny, model.Unsupported
	}
}

// addChains adds those chains that match what no chain before them does.
func (l *outboundListener) addChains(chains []*outboundChain) {
	for _, c := range chains {
		if c = c.withoutTaken(l.taken); c != nil {
			l.chains = append(l.chains, c)
		}
	}
}

// speaksFirst tells whether one of two different protocols is one in which the server speaks first: looking at a client's first bytes would
// wait for ever.
func speaksFirst(incoming, existing model.Protocol) bool {
	serverFirst := func(p model.Protocol) bool { return p == model.Mongo || p == model.MySQL }
	return incoming != existing && (serverFirst(incoming) || serverFirst(existing))
}

// chains plans the chains of a port of a service.
func (p *outboundPlan) chains(o outboundPort, subnets []string) []*outboundChain {
	switch trafficOf(o.port.Protocol) {
	case trafficHTTP:
		return []*outboundChain{p.httpChain(o)}
	case trafficTCP:
		return p.tcpChains(o, subnets)
	default:
		return append(p.tcpChains(o, subnets), p.httpChain(o))
	}
}

// httpChain plans the chain that reads HTTP. On the wildcard address, or where the protocol is looked for, it takes only what looks like
// HTTP.
func (p *outboundPlan) httpChain(o outboundPort) *outboundChain {
	c := &outboundChain{
		routeName: strconv.FormatUint(uint64(o.port.Number), 10), protocol: o.port.Protocol,
		sources: []resource.Source{o.port.Source},
	}
	sniffed := o.port.Protocol.IsUnsupported()
	c.plaintextHTTP = sniffed || o.address == p.b.wildcard() && !o.forwardProxy
	switch {
	case o.port.Number == 0:
		c.routeName = o.address
	case sniffed && o.address != p.b.wildcard():
		c.routeName = o.service.Hostname + ":" + c.routeName
	}
	if o.egress.Spec != nil {
		c.sources = append(c.sources, o.egress.Source)
	}
	return c
}
