package tlscheck

import (
	"fmt"
	"slices"
	"sync"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// server is what answers on a port: what is reported of it, and how each kind of connection fares.
type server struct {
	Server
	// sidecar is set where a proxy of the mesh takes in the connection.
	sidecar bool
	// plaintext tells whether it takes connections without TLS, mtls whether it ends the mesh's.
	plaintext, mtls bool
	// ways are the filter chains for the port, and entrances those of a gateway.
	ways      []way
	entrances []entrance
}

// way is a filter chain for the port, by what a TLS client can tell of it.
type way struct {
	transport string
	alpn      []string
	// ends is set where the chain ends TLS, http where it reads requests.
	ends, http bool
}

// servers finds what answers at endpoints. It keeps what it found.
type servers struct {
	mesh     *model.Mesh
	compiler *compile.Compiler
	byIP     func() map[string]*model.Proxy
	byOwner  func() map[string]*model.Workload
	inbound  sync.Map // proxy ID → func() *sidecar
}

// sidecar is what a proxy takes in.
type sidecar struct {
	mu  sync.Mutex
	cfg *compile.Configuration
	// asked is what PeerAuthentications ask of it, which EnvoyFilters may go beyond.
	asked model.MTLS
	ports map[uint32]server
}

func newServers(mesh *model.Mesh, compiler *compile.Compiler) *servers {
	return &servers{mesh: mesh, compiler: compiler,
		byIP: sync.OnceValue(func() map[string]*model.Proxy {
			found := map[string]*model.Proxy{}
			for _, p := range mesh.Proxies() {
				if p.IP != "" && found[p.IP] == nil {
					found[p.IP] = p
				}
			}
			return found
		}),
		byOwner: sync.OnceValue(func() map[string]*model.Workload {
			found := map[string]*model.Workload{}
			for _, w := range mesh.Workloads() {
				for _, address := range w.Addresses {
					if found[address] == nil {
						found[address] = w
					}
				}
			}
			return found
		}),
	}
}

// of is what answers at an endpoint.
func (s *servers) of(e *model.Endpoint) server {
	if p := s.byIP()[e.Address]; p != nil {
		return s.proxy(p, e.Port)
	}
	w := s.byOwner()[e.Address]
	if w != nil {
		if p := s.proxyOf(w); p != nil {
			return s.proxy(p, e.Port)
		}
	}
	if e.TLSMode == "istio" {
		return s.proxy(&model.Proxy{
			Name: e.WorkloadName + "@" + e.Address, Namespace: e.Namespace, Type: model.Sidecar, IP: e.Address, Labels: e.Labels,
			Network: e.Network, Locality: e.Locality,
		}, e.Port)
	}
	out := server{Server: Server{Mode: NoSidecar}}
	if w != nil && !w.Injected {
		out.Why = w.Why
	}
	return out
}

// proxyOf is the proxy that stands for all pods of a workload, nil where it has none.
func (s *servers) proxyOf(w *model.Workload) *model.Proxy {
	if len(w.Addresses) == 0 {
		return nil
	}
	return s.byIP()[w.Addresses[0]]
}

// assumed is what would answer for a service of which the input holds no workload.
func (s *servers) assumed(svc *model.Service, port *model.Port) server {
	const none = "the input holds no workload of the service"
	if svc.Kubernetes && len(svc.Selector) > 0 {
		for _, p := range s.mesh.Proxies() {
			if p.Type == model.Router && p.Namespace == svc.Namespace && model.Selects(svc.Selector, p.Labels) {
				return s.proxy(p, port.TargetPort)
			}
		}
		if yes, _ := s.mesh.Injects(svc.Namespace, svc.Selector); yes {
			target := port.TargetPort
			if target == 0 {
				target = port.Number
			}
			out := s.proxy(&model.Proxy{
				Name: "assumed@" + svc.Hostname, Namespace: svc.Namespace, Type: model.Sidecar, Labels: svc.Selector,
			}, target)
			out.Why = none + "; this is what a sidecar there takes"
			return out
		}
	}
	return server{Server: Server{Mode: NoSidecar, Why: none}}
}

func (s *servers) proxy(p *model.Proxy, port uint32) server {
	load, ok := s.inbound.Load(p.ID())
	if !ok {
		load, _ = s.inbound.LoadOrStore(p.ID(), sync.OnceValue(func() *sidecar {
			return &sidecar{cfg: s.compiler.Inbound(p), asked: s.mesh.MTLSFor(p.Namespace, p.Labels), ports: map[uint32]server{}}
		}))
	}
	return load.(func() *sidecar)().port(port)
}

// port is what the sidecar takes on a port of its workload.
func (s *sidecar) port(number uint32) server {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, ok := s.ports[number]
	if !ok && s.cfg.Proxy.Type == model.Router {
		out = s.gateway(number)
		s.ports[number] = out
	} else if !ok {
		out = s.read(number)
		s.ports[number] = out
	}
	return out
}

func (s *sidecar) read(number uint32) server {
	out := server{sidecar: true}
	listener := s.listener(number)
	chains := chainsFor(listener, number)
	patch := lastOf(s.cfg.Sources.Of(listener), "EnvoyFilter")
	for _, chain := range chains {
		w := s.way(chain)
		out.ways = append(out.ways, w)
		out.plaintext = out.plaintext || !w.ends && w.transport != tlsTransport
		out.mtls = out.mtls || w.ends
		if patch == nil {
			patch = lastOf(s.cfg.Sources.Of(chain), "EnvoyFilter")
		}
		if out.Policy == nil {
			out.Policy = lastOf(s.cfg.Sources.Of(chain), "PeerAuthentication")
		}
	}
	switch {
	case len(chains) == 0:
		// The proxy takes in nothing (interception NONE without a listener of its own): the workload itself answers.
		return server{Server: Server{Mode: NoSidecar, Why: fmt.Sprintf("the sidecar does not intercept port %d", number)}}
	case out.mtls && out.plaintext:
		out.Mode = security.PeerAuthentication_MutualTLS_PERMISSIVE.String()
	case out.mtls:
		out.Mode = security.PeerAuthentication_MutualTLS_STRICT.String()
	default:
		out.Mode = security.PeerAuthentication_MutualTLS_DISABLE.String()
	}
	if asked := s.asked.ForPort(number).String(); out.Mode != asked {
		out.Policy, out.Why = patch, "the PeerAuthentications ask for "+asked+", and an EnvoyFilter shapes the filter chains"
	}
	return out
}

const tlsTransport = "tls"

// listener is the one that takes in connections to the port, nil for none.
func (s *sidecar) listener(number uint32) *listenerv3.Listener {
	var listener *listenerv3.Listener
	for _, l := range s.cfg.Listeners {
		if at := l.GetAddress().GetSocketAddress(); at.GetPortValue() == number && l.GetName() != virtualInbound && s.hears(at.GetAddress()) {
			return l
		}
		if l.GetName() == virtualInbound {
			listener = l
		}
	}
	return listener
}

// chainsFor are the listener's for the port: Envoy looks at chains without a port only where none names it.
func chainsFor(listener *listenerv3.Listener, number uint32) []*listenerv3.FilterChain {
	var named, rest []*listenerv3.FilterChain
	for _, chain := range listener.GetFilterChains() {
		switch port := chain.GetFilterChainMatch().GetDestinationPort(); {
		case port == nil:
			rest = append(rest, chain)
		case port.GetValue() == number:
			named = append(named, chain)
		}
	}
	if len(named) > 0 {
		return named
	}
	return rest
}

const virtualInbound = "virtualInbound"

func (s *sidecar) way(chain *listenerv3.FilterChain) way {
	match := chain.GetFilterChainMatch()
	w := way{transport: match.GetTransportProtocol(), alpn: match.GetApplicationProtocols()}
	_, w.ends = s.unpack(chain.GetTransportSocket().GetTypedConfig()).(*tlsv3.DownstreamTlsContext)
	w.http = slices.ContainsFunc(chain.GetFilters(), func(f *listenerv3.Filter) bool {
		_, ok := s.unpack(f.GetTypedConfig()).(*hcmv3.HttpConnectionManager)
		return ok
	})
	return w
}

// unpack returns the message inside an Any, nil for none and for a type that is not known.
func (s *sidecar) unpack(packed *anypb.Any) proto.Message {
	if packed == nil {
		return nil
	}
	message, err := s.cfg.Sources.Unpack(packed)
	if err != nil {
		return nil
	}
	return message
}

// meets returns the way that a TLS connection takes which offers the protocols; ok is false where there is none.
func (s *server) meets(alpn []string) (w way, ok bool) {
	ways := slices.DeleteFunc(slices.Clone(s.ways), func(w way) bool { return w.transport != tlsTransport })
	if len(ways) == 0 {
		// Nobody looks for TLS on the port: the handshake is taken for the application's bytes.
		ways = slices.DeleteFunc(slices.Clone(s.ways), func(w way) bool { return len(w.alpn) > 0 })
		if len(ways) == 0 {
			return way{}, false
		}
		return ways[0], true
	}
	for _, protocol := range alpn {
		for _, w := range ways {
			if slices.Contains(w.alpn, protocol) {
				return w, true
			}
		}
	}
	for _, w := range ways {
		if len(w.alpn) == 0 {
			return w, true
		}
	}
	return way{}, false
}
