package tlscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	snicluster "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_cluster/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshc/meshc/pkg/compile"
)

// entrance is a filter chain of a gateway's port: the servers of Gateways, or one of them by its hosts.
type entrance struct {
	// hosts are the server names that it is for; none: any, and connections without TLS.
	hosts []string
	// ends is set where TLS ends here, mesh where it is the mesh's own.
	ends, mesh bool
	// onward is set where TLS is passed on to the workload that the server name names, whose sidecar ends it.
	onward, http bool
}

// gateway is what a gateway takes on a port.
func (s *sidecar) gateway(number uint32) server {
	out := server{Server: Server{Mode: Gateway}}
	for _, l := range s.cfg.Listeners {
		if at := l.GetAddress().GetSocketAddress(); at.GetPortValue() != number || !s.hears(at.GetAddress()) {
			continue
		}
		for _, chain := range l.GetFilterChains() {
			out.entrances = append(out.entrances, s.entrance(chain))
			if out.Policy == nil {
				out.Policy = lastOf(s.cfg.Sources.Of(chain), "Gateway")
			}
		}
	}
	if len(out.entrances) == 0 {
		out.Why = fmt.Sprintf("no Gateway opens port %d to others", number)
	}
	return out
}

// hears tells whether connections to the proxy's own address reach a listener that is bound to an address.
func (s *sidecar) hears(bound string) bool {
	ip, err := netip.ParseAddr(bound)
	return err == nil && (ip.IsUnspecified() || bound == s.cfg.Proxy.IP)
}

func (s *sidecar) entrance(chain *listenerv3.FilterChain) entrance {
	e := entrance{hosts: chain.GetFilterChainMatch().GetServerNames(), http: s.way(chain).http}
	if context, ok := s.unpack(chain.GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext); ok {
		e.ends = true
		_, e.mesh = compile.IsMeshCertificate(context.GetCommonTlsContext())
	}
	e.onward = slices.ContainsFunc(chain.GetFilters(), func(f *listenerv3.Filter) bool {
		_, ok := s.unpack(f.GetTypedConfig()).(*snicluster.SniCluster)
		return ok
	})
	return e
}

// plain tells whether connections without TLS come in here.
func (e *entrance) plain() bool { return !e.ends && len(e.hosts) == 0 }

// enters returns where a TLS connection with the server name comes in: by the name itself, by the longest wildcard above it, or where none is
// asked for; nil for nowhere.
func (s *server) enters(name string) *entrance {
	var best *entrance
	rank := -1
	for i := range s.entrances {
		e := &s.entrances[i]
		if len(e.hosts) == 0 && rank < 0 {
			best, rank = e, 0
		}
		for _, host := range e.hosts {
			suffix, wildcard := strings.CutPrefix(host, "*")
			switch {
			case host == name:
				return e
			case wildcard && strings.HasSuffix(name, suffix) && len(suffix) > rank:
				best, rank = e, len(suffix)
			}
		}
	}
	return best
}

// atGateway tells whether a gateway takes what a client sends. Certificates of its own and the server names that applications ask for are not known
// here.
func atGateway(c speaker, s server) (Status, string, string) {
	if len(s.entrances) == 0 {
		return Unknown, "the server is a gateway, and " + s.Why, ""
	}
	plain := slices.IndexFunc(s.entrances, func(e entrance) bool { return e.plain() })
	switch c.Sends {
	case Plaintext:
		if plain >= 0 {
			return OK, "", ""
		}
		if !c.http {
			return Unknown, "the gateway's port takes TLS alone; whether the application speaks it is not known", ""
		}
		return Conflict, "the client sends plaintext; the gateway's port takes TLS alone",
			fmt.Sprintf("call the gateway over TLS, or open a port for plaintext in %s", s.Policy.name())
	case MeshMTLS:
		return meshMTLSAtGateway(c, s)
	}
	if plain >= 0 && len(s.entrances) == 1 && s.entrances[plain].http {
		return Conflict, "the client sends TLS; the gateway's port reads plaintext HTTP", "set tls in the server of " + s.Policy.name()
	}
	return Unknown, "the server is a gateway, which takes TLS by server names and certificates that are not known here", ""
}

func meshMTLSAtGateway(c speaker, s server) (Status, string, string) {
	e := s.enters(c.sni)
	switch {
	case e == nil:
		return Conflict, fmt.Sprintf("the client asks for the server name %s; no server of the gateway's port is for it", c.sni),
			fmt.Sprintf("set tls.sni in %s to a host of a server in %s", c.Policy.name(), s.Policy.name())
	case e.onward || e.mesh:
		return OK, "", ""
	case e.ends:
		return Conflict, "the client sends the mesh's mTLS; the gateway ends TLS with a certificate that is not the mesh's",
			fmt.Sprintf("set the mode ISTIO_MUTUAL in the server of %s, or SIMPLE in %s", s.Policy.name(), c.Policy.name())
	case e.plain():
		return Conflict, "the client sends the mesh's mTLS; the gateway's port takes plaintext alone",
			fmt.Sprintf("set the mode ISTIO_MUTUAL in the server of %s, or DISABLE in %s", s.Policy.name(), c.Policy.name())
	}
	return Unknown, "TLS passes through the gateway by its server name", ""
}
