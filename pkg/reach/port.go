package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// Destination is a port of a workload as its proxy reads it. A port whose protocol is not declared is read as what a connection turns out to
// be, and so is two destinations.
type Destination struct {
	// Workload is NAME.NAMESPACE, as `meshc proxies` lists it.
	Workload string `json:"workload"`
	// Principal is the workload's own identity.
	Principal string `json:"principal"`
	// Gateway tells that the proxy is one.
	Gateway bool `json:"gateway,omitempty"`
	// Port is what the workload listens on, 0 for any port that nothing declares.
	Port uint32 `json:"port"`
	// Address is what its listener is bound to, "" for any address.
	Address string `json:"address,omitempty"`
	// Protocol is http or tcp: whether policies see requests, or connections alone.
	Protocol string `json:"protocol"`
	// ServerNames are those of the TLS handshake by which a gateway's port is several destinations.
	ServerNames []string `json:"serverNames,omitempty"`
	// Services are those that lead to the port, HOSTNAME:PORT.
	Services []string `json:"services,omitempty"`
	// MTLS is what the port asks of its clients: STRICT, PERMISSIVE or DISABLE of mesh mTLS; of a gateway's, SIMPLE, MUTUAL or OPTIONAL_MUTUAL TLS
	// as well. MTLSFrom are the PeerAuthentications that say so.
	MTLS     string `json:"mtls"`
	MTLSFrom []Rule `json:"mtlsFrom,omitempty"`

	namespace string
	// mutual, plain and sealed are the ways in which callers come: over the mesh's mTLS, in plaintext, and over TLS of another kind; nil for one that is
	// refused.
	mutual, plain, sealed *way
	targets               []model.ServiceTarget
}

// way is how calls come in: by a filter chain and what it judges them by.
type way struct {
	transport Transport
	// peers match the names of which a client's certificate must hold one; none: any.
	peers []*matcherv3.StringMatcher
	// from is where the chain was written.
	from []Rule
	// foreign is set where the certificates of clients are not the mesh's, optional where clients need none.
	foreign, optional bool
	filters           []filter
	// names are what the filters compare callers' identities with.
	names []*matcherv3.StringMatcher
}

const blackHoleChain = "virtualInbound-blackhole"

// destinationReader finds the ports of a proxy.
type destinationReader struct {
	cfg     *compile.Configuration
	sim     *simulate.Simulator
	chains  chainReader
	targets []model.ServiceTarget
	mtls    model.MTLS
	base    Destination
	ways    map[*listenerv3.FilterChain]*wayRead
	// matchers are those of the configuration.
	matchers matchers
}

type wayRead struct {
	way
	http bool
}

// destinationsOf returns the ports of the proxy, those that nothing declares where they are asked for.
func destinationsOf(mesh *model.Mesh, cfg *compile.Configuration, undeclared bool) (*destinationReader, []*Destination) {
	p := cfg.Proxy
	r := &destinationReader{
		cfg: cfg, sim: simulate.New(cfg, simulate.Options{}), chains: chainReader{cfg.Sources},
		targets: mesh.ServiceTargets(p), mtls: mesh.MTLSFor(p.Namespace, p.Labels),
		base: Destination{Workload: p.ID(), Principal: principalOf(mesh, p.Namespace, p.ServiceAccount), Gateway: p.Type == model.Router, namespace: p.Namespace},
		ways: map[*listenerv3.FilterChain]*wayRead{}, matchers: matchers{},
	}
	var out []*Destination
	for _, l := range cfg.Listeners {
		before := len(out)
		switch {
		case p.Type == model.Router:
			out = append(out, r.gatewayPorts(l)...)
		case l.GetName() == "virtualInbound":
			out = append(out, r.inboundPorts(l, undeclared)...)
		case l.GetTrafficDirection() == corev3.TrafficDirection_INBOUND:
			socket := l.GetAddress().GetSocketAddress()
			out = append(out, r.sidecarPort(simulate.Call{Mode: simulate.Gateway, Address: socket.GetAddress(), Port: socket.GetPortValue()}, socket.GetPortValue())...)
			for _, d := range out[before:] {
				d.Address = boundTo(socket)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y *Destination) int {
		// Ports that nothing declares come last.
		return cmp.Or(cmp.Compare(x.Port-1, y.Port-1), cmp.Compare(x.Protocol, y.Protocol))
	})
	return r, out
}

func boundTo(socket *corev3.SocketAddress) string {
	if ip, err := netip.ParseAddr(socket.GetAddress()); err != nil || ip.IsUnspecified() {
		return ""
	}
	return socket.GetAddress()
}

// inboundPorts are those that the chains of virtualInbound name.
func (r *destinationReader) inboundPorts(l *listenerv3.Listener, undeclared bool) []*Destination {
	var ports []uint32
	for _, chain := range l.GetFilterChains() {
		if port := chain.GetFilterChainMatch().GetDestinationPort().GetValue(); port != 0 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	var out []*Destination
	free := uint32(1)
	for _, port := range ports {
		if port == free {
			free++
		}
		if !r.isBlackHole(l, port) {
			out = append(out, r.sidecarPort(simulate.Call{Mode: simulate.Inbound, Port: port}, port)...)
		}
	}
	if undeclared {
		out = append(out, r.sidecarPort(simulate.Call{Mode: simulate.Inbound, Port: free}, 0)...)
	}
	return out
}

func (r *destinationReader) isBlackHole(l *listenerv3.Listener, port uint32) bool {
	return slices.ContainsFunc(l.GetFilterChains(), func(c *listenerv3.FilterChain) bool {
		return c.GetName() == blackHoleChain && c.GetFilterChainMatch().GetDestinationPort().GetValue() == port
	})
}

// sidecarPort finds out how a port is read, by calls over mTLS and without, of HTTP and of something else.
func (r *destinationReader) sidecarPort(call simulate.Call, port uint32) []*Destination {
	byProtocol := map[string]*Destination{}
	for _, protocol := range []string{simulate.HTTP, simulate.TCP} {
		for _, tls := range []string{simulate.MTLS, simulate.Plaintext} {
			call.Protocol, call.TLS = protocol, tls
			chain, _ := r.sim.Enter(call)
			if chain == nil {
				continue
			}
			read := r.way(chain)
			if tls == simulate.MTLS && read.transport != MTLS {
				continue // TLS that the proxy passes on unopened proves nothing
			}
			d := byProtocol[read.protocol()]
			if d == nil {
				d = r.destination(port, read.protocol())
				byProtocol[read.protocol()] = d
			}
			if tls == simulate.MTLS {
				d.mutual = &read.way
			} else {
				d.plain = &read.way
			}
		}
	}
	sealed := r.sealedWay(call)
	var out []*Destination
	for _, protocol := range []string{simulate.HTTP, simulate.TCP} {
		if d := byProtocol[protocol]; d != nil {
			d.MTLS, d.sealed = meshMode(d), sealed
			out = append(out, d)
		}
	}
	return out
}

// sealedWay is how TLS comes in that is not the mesh's: where it passes through to the application, which alone sees what is in it.
func (r *destinationReader) sealedWay(call simulate.Call) *way {
	call.Protocol, call.TLS = simulate.HTTP, simulate.TLS
	chain, _ := r.sim.Enter(call)
	if chain == nil {
		return nil
	}
	if read := r.way(chain); !read.http && read.transport == Plaintext {
		return &way{transport: TLS, filters: read.filters, names: read.names}
	}
	return nil
}

func meshMode(d *Destination) string {
	switch {
	case d.plain == nil:
		return "STRICT"
	case d.mutual == nil:
		return "DISABLE"
	}
	return "PERMISSIVE"
}

func (r *destinationReader) destination(port uint32, protocol string) *Destination {
	d := r.base
	d.Port, d.Protocol = port, protocol
	for _, t := range r.targets {
		if t.TargetPort == port {
			d.targets = append(d.targets, t)
			d.Services = append(d.Services, fmt.Sprintf("%s:%d", t.Service.Hostname, t.Port.Number))
		}
	}
	if !d.Gateway {
		from := r.mtls.From
		if own, ok := r.mtls.PortFrom[port]; ok {
			from = append(from[:len(from):len(from)], own)
		}
		if len(from) > 0 {
			// The last has the last word.
			d.MTLSFrom = []Rule{ruleOf(from[len(from)-1])}
		}
	}
	return &d
}

func (w *wayRead) protocol() string {
	if w.http {
		return simulate.HTTP
	}
	return simulate.TCP
}

// way reads a chain, once.
func (r *destinationReader) way(chain *listenerv3.FilterChain) *wayRead {
	if read := r.ways[chain]; read != nil {
		return read
	}
	read := &wayRead{way: way{transport: Plaintext}}
	read.filters, read.http = r.chains.filters(chain)
	read.names = identityMatchers(read.filters)
	if context, ok := r.chains.unpack(chain.GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext); ok {
		common := context.GetCommonTlsContext()
		validates := common.GetValidationContextType() != nil
		read.transport, read.foreign, read.peers = MTLS, !isMeshRoots(common), peerNames(common)
		read.from = r.chains.from(chain)
		if !context.GetRequireClientCertificate().GetValue() {
			read.optional = validates
			if !validates {
				read.transport = TLS
			}
		}
	}
	r.ways[chain] = read
	return read
}

// isMeshRoots tells whether clients are vouched for by the mesh's own roots.
func isMeshRoots(context *tlsv3.CommonTlsContext) bool {
	roots := context.GetCombinedValidationContext().GetValidationContextSdsSecretConfig()
	if roots == nil {
		roots = context.GetValidationContextSdsSecretConfig()
	}
	return roots.GetName() == "ROOTCA"
}

// peerNames match the names that clients' certificates may hold. Only the URIs among them are read.
func peerNames(context *tlsv3.CommonTlsContext) []*matcherv3.StringMatcher {
	validation := context.GetValidationContext()
	if validation == nil {
		validation = context.GetCombinedValidationContext().GetDefaultValidationContext()
	}
	//lint:ignore SA1019 istiod writes this field.
	names := slices.Clone(validation.GetMatchSubjectAltNames())
	for _, m := range validation.GetMatchTypedSubjectAltNames() {
		if m.GetSanType() == tlsv3.SubjectAltNameMatcher_URI {
			names = append(names, m.GetMatcher())
		} else {
			names = append(names, &matcherv3.StringMatcher{})
		}
	}
	return names
}

// gatewayPorts are a listener's filter chains: one for plaintext, one for each set of server names.
func (r *destinationReader) gatewayPorts(l *listenerv3.Listener) []*Destination {
	socket := l.GetAddress().GetSocketAddress()
	if l.GetTrafficDirection() == corev3.TrafficDirection_INBOUND || socket.GetProtocol() == corev3.SocketAddress_UDP {
		return nil // what serves statistics and probes
	}
	var out []*Destination
	for _, chain := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
		if chain == nil {
			continue
		}
		read := r.way(chain)
		d := r.destination(socket.GetPortValue(), read.protocol())
		d.Address = boundTo(socket)
		d.ServerNames = chain.GetFilterChainMatch().GetServerNames()
		d.setGatewayWays(read, chain.GetFilterChainMatch().GetTransportProtocol() == "tls" || len(d.ServerNames) > 0)
		out = append(out, d)
	}
	return out
}

// setGatewayWays says who comes how: what a gateway asks of clients is the same for those of the mesh and for others.
func (d *Destination) setGatewayWays(read *wayRead, handshake bool) {
	d.mutual, d.plain, d.sealed = &read.way, &read.way, &read.way
	switch {
	case read.transport == Plaintext && handshake:
		d.MTLS = "PASSTHROUGH"
		read.transport = TLS
	case read.transport == Plaintext:
		d.MTLS = "DISABLE"
	case read.transport == TLS:
		d.MTLS = "SIMPLE"
	case read.optional:
		d.MTLS = "OPTIONAL_MUTUAL"
	case read.foreign:
		d.MTLS = "MUTUAL"
	default:
		d.MTLS, d.plain = "ISTIO_MUTUAL", nil
	}
}

// Name is WORKLOAD:PORT/PROTOCOL, with the address that it is bound to and the server names of a gateway's port; the port is * for any that nothing declares.
func (d *Destination) Name() string {
	port := "*"
	if d.Port != 0 {
		port = fmt.Sprint(d.Port)
	}
	name := d.Workload + ":" + port + "/" + d.Protocol
	if d.Address != "" {
		name += " at " + d.Address
	}
	if len(d.ServerNames) > 0 {
		name += " (" + strings.Join(d.ServerNames, ", ") + ")"
	}
	return name
}
