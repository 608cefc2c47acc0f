package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// gatewayServer is one server of a Gateway on one port of the proxy.
type gatewayServer struct {
	gateway resource.Of[*networking.Gateway]
	// index is the server's place in spec.servers.
	index int
	spec  *networking.Server
	// hosts are the server's, each as HOST or NAMESPACE/HOST: "./" is written out and "*/" left out.
	hosts    []string
	protocol model.Protocol
	// routeName is the route configuration that answers its requests, "" for servers that do not read HTTP.
	routeName string
}

// gatewayName is the Gateway's name as VirtualServices are bound to it.
func (s *gatewayServer) gatewayName() string { return s.gateway.Namespace + "/" + s.gateway.Name }

func (s *gatewayServer) source() resource.Source {
	return s.gateway.At(resource.Index("spec.servers", s.index))
}

// passesThrough tells whether TLS goes on to the destination as it came in.
func (s *gatewayServer) passesThrough() bool {
	mode := s.spec.GetTls().GetMode()
	return s.spec.GetTls() != nil &&
		(mode == networking.ServerTLSSettings_PASSTHROUGH || mode == networking.ServerTLSSettings_AUTO_PASSTHROUGH)
}

// looksAtTLS tells whether connections are TLS: a plaintext HTTP server has TLS settings only for their httpsRedirect.
func (s *gatewayServer) looksAtTLS() bool { return s.spec.GetTls() != nil && !s.protocol.IsHTTP() }

// endsHTTPS tells whether the server decrypts HTTPS.
func (s *gatewayServer) endsHTTPS() bool {
	return s.protocol == model.HTTPS && s.spec.GetTls() != nil && !s.passesThrough()
}

// readsHTTP tells whether requests are routed one by one.
func (s *gatewayServer) readsHTTP() bool { return s.protocol.IsHTTP() || s.endsHTTPS() }

// serverNames are the names in the TLS handshake that mean this server, sorted.
func (s *gatewayServer) serverNames() []string {
	var names []string
	for _, h := range s.hosts {
		if _, host, ok := strings.Cut(h, "/"); ok {
			h = host
		}
		names = append(names, h)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// gatewayPort is a port that the proxy opens, with the servers that share it. HTTPS and TLS servers of one port stand in two of these and
// in one listener, each with filter chains of its own.
type gatewayPort struct {
	key       gatewayPortKey
	protocol  model.Protocol
	routeName string
	servers   []*gatewayServer
}

// gatewayPortKey is what servers have in common that share a gatewayPort; protocol is as the Gateway writes it.
type gatewayPortKey struct {
	number   uint32
	protocol string
	bind     string
}

// mergedGateways are all servers that a proxy opens.
type mergedGateways struct {
	// ports are ordered by when the first server of each was met.
	ports []*gatewayPort
	// routed are the servers behind each route configuration, routeNames the order of these.
	routed     map[string][]*gatewayServer
	routeNames []string
	// sniHosts are the server names that VirtualServices route on, by the port that the proxy opens.
	sniHosts map[uint32]tlsNames
	// leftOut says which servers and matches have no effect, and why.
	leftOut []diag.Finding
}

// gatewayMerge is the state of merging.
type gatewayMerge struct {
	mergedGateways
	byKey map[gatewayPortKey]*gatewayPort
	// taken are the port numbers in use; plaintext the first server's key of those without TLS; secure the binds of the others.
	taken     map[uint32]bool
	plaintext map[uint32]gatewayPortKey
	secure    map[uint32]map[string]bool
	// names are the hosts of TLS servers, by port: a name in the handshake can mean one server alone.
	names map[uint32]tlsNames
}

// mergeGateways finds out which servers of which Gateways the proxy opens, and on which ports. Servers of several Gateways share a port where
// all are plaintext HTTP, or where all are TLS and each has server names of its own; of those that conflict the first stays. Envoy
// would refuse a listener that held both.
func (b *builder) mergeGateways() *mergedGateways {
	m := &gatewayMerge{
		mergedGateways: mergedGateways{routed: map[string][]*gatewayServer{}, sniHosts: map[uint32]tlsNames{}},
		byKey:          map[gatewayPortKey]*gatewayPort{},
		taken:          map[uint32]bool{},
		plaintext:      map[uint32]gatewayPortKey{},
		secure:         map[uint32]map[string]bool{},
		names:          map[uint32]tlsNames{},
	}
	targets := slices.Clone(b.mesh.ServiceTargets(b.proxy))
	slices.SortStableFunc(targets, func(x, y model.ServiceTarget) int { return cmp.Compare(x.Service.Hostname, y.Service.Hostname) })
	for _, gw := range b.mesh.GatewaysFor(b.proxy) {
		for i, spec := range gw.Spec.GetServers() {
			for _, number := range listenPorts(gw, spec.GetPort(), targets) {
				server := &gatewayServer{
					gateway: gw, index: i, spec: spec,
					hosts:    serverHosts(spec.GetHosts(), gw.Namespace),
					protocol: model.ParseProtocol(spec.GetPort().GetProtocol()),
				}
				server.routeName = gatewayRouteName(server, number)
				m.add(server, gatewayPortKey{number: number, protocol: spec.GetPort().GetProtocol(), bind: spec.GetBind()})
			}
		}
	}
	return &m.mergedGateways
}

// noPortTranslation labels a Service whose ports Gateways do not mean, as Knative does with those before its gateways.
const noPortTranslation = "experimental.istio.io/disable-gateway-port-translation"

// listenPorts returns the ports that the proxy opens for a server. A Gateway names the port of the service before the pods, and these listen
// on its target port; the number itself is used where no service has it. A Gateway that is bound to services opens no port but theirs.
func listenPorts(gw resource.Of[*networking.Gateway], port *networking.Port, targets []model.ServiceTarget) []uint32 {
	if port == nil {
		return nil
	}
	if hosts, namespace, ok := model.BoundServices(gw); ok {
		var ports []uint32
		for _, t := range targets {
			if t.Port.Number == port.GetNumber() && t.Service.Namespace == namespace && slices.Contains(hosts, t.Service.Hostname) {
				ports = append(ports, t.TargetPort)
			}
		}
		slices.Sort(ports)
		return slices.Compact(ports)
	}
	for _, t := range targets {
		if _, optedOut := t.Service.Labels[noPortTranslation]; !optedOut && t.Port.Number == port.GetNumber() {
			return []uint32{t.TargetPort}
		}
	}
	return []uint32{port.GetNumber()}
}

func (m *gatewayMerge) add(s *gatewayServer, key gatewayPortKey) {
	if s.spec.GetTls() != nil {
		if m.names[key.number] == nil {
			m.names[key.number] = tlsNames{}
		}
		if name := m.names[key.number].claim(s.hosts, key.bind); name != "" {
			m.leaveOut(s, fmt.Sprintf("host %q is another server's on port %d already, and the name in a TLS handshake means one server", name, key.number))
			return
		}
	}
	current, isPlaintext := m.plaintext[key.number]
	switch {
	case !m.taken[key.number]:
		m.open(s, key)
	case isPlaintext:
		m.joinPlaintext(s, key, current)
	default:
		m.joinSecure(s, key)
	}
}

// open is for the first server of a port.
func (m *gatewayMerge) open(s *gatewayServer, key gatewayPortKey) {
	m.taken[key.number] = true
	if s.looksAtTLS() {
		m.secure[key.number] = map[string]bool{key.bind: true}
	} else {
		m.plaintext[key.number] = key
	}
	if s.readsHTTP() {
		m.route(s)
	}
	m.port(key, s.routeName).servers = []*gatewayServer{s}
}

// joinPlaintext adds a server to a port whose first server is plaintext: HTTP joins HTTP, and an address of its own is a listener of its own.
func (m *gatewayMerge) joinPlaintext(s *gatewayServer, key, current gatewayPortKey) {
	if current.bind != key.bind {
		p := m.port(key, s.routeName)
		p.routeName = s.routeName
		p.servers = append(p.servers, s)
		m.route(s)
		return
	}
	first := model.ParseProtocol(current.protocol)
	if !first.IsHTTP() || !s.protocol.IsHTTP() {
		m.leaveOut(s, fmt.Sprintf("port %d is %s without TLS already, which %s cannot share", key.number, current.protocol, key.protocol))
		return
	}
	p := m.byKey[current]
	p.servers = append(p.servers, s)
	m.route(s)
}

// joinSecure adds a server to a port whose first server is TLS: the name in the handshake tells them apart.
func (m *gatewayMerge) joinSecure(s *gatewayServer, key gatewayPortKey) {
	if s.readsHTTP() {
		if len(m.routed[s.routeName]) > 0 {
			m.leaveOut(s, fmt.Sprintf("another server of port %d has the port name %q already", key.number, s.spec.GetPort().GetName()))
			return
		}
		m.route(s)
	}
	if m.secure[key.number] == nil {
		m.secure[key.number] = map[string]bool{}
	}
	isNew := !m.secure[key.number][key.bind]
	m.secure[key.number][key.bind] = true
	if s.spec.GetTls() == nil && !isNew {
		m.leaveOut(s, fmt.Sprintf("port %d is TLS already, which a server without tls settings cannot share", key.number))
		return
	}
	p := m.port(key, s.routeName)
	p.servers = append(p.servers, s)
}

// leaveOut reports a server that has no effect. istiod only logs it.
func (m *mergedGateways) leaveOut(s *gatewayServer, why string) { m.conflict(s.source(), why) }

// conflict reports what has no effect since something else was there first.
func (m *mergedGateways) conflict(of resource.Source, why string) {
	m.leftOut = append(m.leftOut, diag.Finding{
		Rule: gatewayConflictRule, Severity: diag.Warning, Resource: of.Resource.Ref(), Path: of.Path, Location: of.Location(),
		Message: of.Path + " of " + of.Resource.ID() + " has no effect: " + why,
	})
}

// gatewayConflictRule names the finding about a Gateway's server, or a VirtualService's match of server names, that comes too late.
const gatewayConflictRule = "compile/gateway-conflict"

// port returns the gatewayPort of the key, a new one where there is none.
func (m *gatewayMerge) port(key gatewayPortKey, routeName string) *gatewayPort {
	p, ok := m.byKey[key]
	if !ok {
		p = &gatewayPort{key: key, protocol: model.ParseProtocol(key.protocol), routeName: routeName}
		m.byKey[key] = p
		m.ports = append(m.ports, p)
	}
	return p
}

func (m *gatewayMerge) route(s *gatewayServer) {
	if s.routeName == "" {
		return
	}
	if _, ok := m.routed[s.routeName]; !ok {
		m.routeNames = append(m.routeNames, s.routeName)
	}
	m.routed[s.routeName] = append(m.routed[s.routeName], s)
}

// tlsNames are the server names in use on a port, each with the address that it is used on.
type tlsNames map[string]string

// claim takes the names for the address and returns "", or else the first name that is taken already; then it takes none.
func (n tlsNames) claim(names []string, bind string) string {
	for _, name := range names {
		if taken, ok := n[name]; ok && taken == bind {
			return name
		}
	}
	for _, name := range names {
		n[name] = bind
	}
	return ""
}

// gatewayRouteName names the route configuration of a server: http.PORT, shared by all plaintext servers of the port that the proxy
// opens, or https.PORT.NAME.GATEWAY.NAMESPACE with the port as the Gateway declares it.
func gatewayRouteName(s *gatewayServer, number uint32) string {
	bind := s.spec.GetBind()
	if bind != "" {
		bind = "." + bind
	}
	switch {
	case s.protocol.IsHTTP():
		return "http." + strconv.FormatUint(uint64(number), 10) + bind
	case s.endsHTTPS():
		port := s.spec.GetPort()
		return "https." + strconv.FormatUint(uint64(port.GetNumber()), 10) + "." + port.GetName() + "." + s.gateway.Name + "." + s.gateway.Namespace + bind
	default:
		return ""
	}
}

// serverHosts writes out the namespaces of a server's hosts; */* is all that the server is for
// (https://istio.io/latest/docs/reference/config/networking/gateway/#Server-hosts).
func serverHosts(hosts []string, namespace string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		ns, host, ok := strings.Cut(h, "/")
		switch {
		case !ok:
			out[i] = h
		case ns == ".":
			out[i] = namespace + "/" + host
		case h == "*/*":
			return []string{"*"}
		case ns == "*":
			out[i] = host
		default:
			out[i] = h
		}
	}
	return out
}

// serverPorts are the ports of the servers behind each port that the proxy opens: 80 behind 8080, where a Service leads from one to the other.
func (m *mergedGateways) serverPorts() map[uint32]map[uint32]bool {
	ports := map[uint32]map[uint32]bool{}
	for _, port := range m.ports {
		if ports[port.key.number] == nil {
			ports[port.key.number] = map[uint32]bool{}
		}
		for _, s := range port.servers {
			ports[port.key.number][s.spec.GetPort().GetNumber()] = true
		}
	}
	return ports
}
