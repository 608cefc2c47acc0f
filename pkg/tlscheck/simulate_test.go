package tlscheck_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// TestSimulatorAgrees makes every call that a cluster of a client stands for: the client's configuration as it was compiled says with what TLS each
// of the cluster's endpoints is called, and the simulator says, from the configuration of the sidecar there, whether the connection is let in. A
// verdict is CONFLICT if and only if it is not. Outbound calls by the service's name must end at clusters that have verdicts.
func TestSimulatorAgrees(t *testing.T) {
	worlds, err := filepath.Glob("../../testdata/worlds/*/input")
	if err != nil {
		t.Fatal(err)
	}
	var total tally
	for _, world := range worlds {
		folder := filepath.Dir(world)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			opts := model.Options{ProxiesFile: filepath.Join(folder, "proxies.json")}
			if name := filepath.Join(folder, "mesh.yaml"); exists(name) {
				opts.MeshConfigFile = name
			}
			mesh, err := model.Load(t.Context(), opts, world)
			if err != nil {
				t.Fatal(err)
			}
			total.add(agree(t, mesh))
		})
	}
	size := meshgen.Small
	size.Policies, size.DestinationRules, size.Access = 6, 12, 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(seed, size).Text()}}
			mesh, err := model.Load(t.Context(), model.Options{FS: tree}, "mesh.yaml")
			if err != nil {
				t.Fatal(err)
			}
			total.add(agree(t, mesh))
		})
	}
	t.Logf("%+v", total)
	if total.Refused < 500 || total.LetIn < 2000 || total.Outbound < 2000 {
		t.Errorf("%+v: too few calls to show anything", total)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// tally counts calls: made to servers and let in or refused, and walked through the client's own proxy.
type tally struct{ LetIn, Refused, Gateways, Outbound int }

func (t *tally) add(o tally) {
	t.LetIn += o.LetIn
	t.Refused += o.Refused
	t.Gateways += o.Gateways
	t.Outbound += o.Outbound
}

// world holds what is compiled of a mesh.
type world struct {
	mesh    *model.Mesh
	checker *tlscheck.Checker
	configs map[string]*compile.Configuration
	sims    map[string]*simulate.Simulator
	byIP    map[string]*model.Proxy
}

func agree(t *testing.T, mesh *model.Mesh) tally {
	w := &world{mesh: mesh, checker: tlscheck.New(mesh), configs: map[string]*compile.Configuration{}, sims: map[string]*simulate.Simulator{}, byIP: map[string]*model.Proxy{}}
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	for _, p := range mesh.Proxies() {
		w.configs[p.ID()] = compiler.Compile(p)
		w.sims[p.ID()] = simulate.New(w.configs[p.ID()], simulate.Options{Mesh: mesh})
		w.byIP[p.IP] = p
	}
	var sum tally
	for _, client := range mesh.Proxies() {
		cfg := w.configs[client.ID()]
		assignments := map[string]*endpointv3.ClusterLoadAssignment{}
		for _, a := range cfg.Endpoints {
			assignments[a.GetClusterName()] = a
		}
		for _, cluster := range cfg.Clusters {
			service, port, subset := w.named(client, cluster.GetName())
			if service == nil {
				continue
			}
			if cluster.GetLoadAssignment() != nil {
				assignments[cluster.GetName()] = cluster.GetLoadAssignment()
			}
			sum.add(w.calls(t, client, cluster, assignments[cluster.GetName()], service, port, subset))
			if subset == "" && client.Type == model.Sidecar {
				sum.Outbound += w.outbound(t, client, service, port)
			}
		}
	}
	return sum
}

// named finds the port of a service that a cluster is for, nil for clusters that are for none.
func (w *world) named(client *model.Proxy, cluster string) (*model.Service, *model.Port, string) {
	parts := strings.Split(cluster, "|")
	if len(parts) != 4 || parts[0] != "outbound" {
		return nil, nil, ""
	}
	service := w.mesh.ScopeOf(client).Service(parts[3])
	number, err := strconv.ParseUint(parts[1], 10, 32)
	if service == nil || err != nil {
		return nil, nil, ""
	}
	return service, service.Port(uint32(number)), parts[2]
}

// outbound walks a call by the service's name through the client's proxy.
func (w *world) outbound(t *testing.T, client *model.Proxy, service *model.Service, port *model.Port) int {
	outcome := w.sims[client.ID()].Call(simulate.Call{
		Mode: simulate.Outbound, Host: service.Hostname, Port: port.Number, Protocol: protocol(port), Address: first(service.Addresses),
	})
	ends := []string{outcome.Cluster}
	for _, c := range outcome.Clusters {
		ends = append(ends, c.Name)
	}
	walked := 0
	for _, end := range ends {
		service, port, subset := w.named(client, end)
		if service == nil {
			continue
		}
		walked++
		if w.configs[client.ID()] != nil && !hasCluster(w.configs[client.ID()], end) {
			continue // the route names a subset that is not there
		}
		if len(w.verdicts(client, service, port, subset)) == 0 {
			t.Errorf("%s: a call ends at %s, which has no verdict", client.ID(), end)
		}
	}
	return walked
}

func hasCluster(cfg *compile.Configuration, name string) bool {
	return slices.ContainsFunc(cfg.Clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == name })
}

func first(addresses []string) string {
	if len(addresses) == 0 || strings.Contains(addresses[0], "/") {
		return "192.0.2.1"
	}
	return addresses[0]
}

func protocol(port *model.Port) string {
	switch {
	case port.Protocol.IsHTTP2():
		return simulate.HTTP2
	case port.Protocol == model.HTTP:
		return simulate.HTTP
	}
	return simulate.TCP
}

// verdicts are those for a cluster: a subset's own, or else those of the whole service.
func (w *world) verdicts(client *model.Proxy, service *model.Service, port *model.Port, subset string) []tlscheck.Verdict {
	all := w.checker.Check(client, service, port)
	own := slices.DeleteFunc(slices.Clone(all), func(v tlscheck.Verdict) bool { return v.Subset != subset })
	if len(own) > 0 {
		return own
	}
	return slices.DeleteFunc(slices.Clone(all), func(v tlscheck.Verdict) bool { return v.Subset != "" })
}

// calls makes the calls that a cluster stands for, and holds the verdicts against them.
func (w *world) calls(t *testing.T, client *model.Proxy, cluster *clusterv3.Cluster, assigned *endpointv3.ClusterLoadAssignment, service *model.Service, port *model.Port, subset string) tally {
	var sum tally
	verdicts := w.verdicts(client, service, port, subset)
	simulated := map[string]map[bool]bool{}
	note := func(workload string, letIn bool) {
		if simulated[workload] == nil {
			simulated[workload] = map[bool]bool{}
		}
		simulated[workload][letIn] = true
		if letIn {
			sum.LetIn++
		} else {
			sum.Refused++
		}
	}
	marked := w.marked(cluster, assigned, service, port)
	for _, e := range w.mesh.Endpoints(service, port) {
		server := w.byIP[e.Address]
		mtls, reached := marked[fmt.Sprintf("%s:%d", e.Address, e.Port)]
		if !reached || server == nil || service.MeshExternal {
			continue
		}
		if server.Type == model.Router {
			sum.Gateways += w.atGateway(t, client, server, cluster, mtls, e, port, verdicts)
			continue
		}
		note(e.WorkloadName+"."+e.Namespace, w.letsIn(client, server, cluster, mtls, e, port))
	}
	judged := map[string]map[bool]bool{}
	for _, v := range verdicts {
		if strings.Contains(v.Server.Why, "EnvoyFilter") {
			t.Errorf("%s calls %s: %s, though there is none: the chains differ from what the PeerAuthentications ask for", client.ID(), cluster.GetName(), v.Server.Why)
		}
		for _, workload := range v.Workloads {
			if judged[workload] == nil {
				judged[workload] = map[bool]bool{}
			}
			judged[workload][v.Status != tlscheck.Conflict] = true
		}
	}
	for _, workload := range slices.Sorted(maps.Keys(simulated)) {
		if !maps.Equal(simulated[workload], judged[workload]) {
			t.Errorf("%s calls %s: %s is let in: %v, judged: %v", client.ID(), cluster.GetName(), workload, simulated[workload], judged[workload])
		}
	}
	return sum
}

// atGateway calls a gateway. What it takes may depend on certificates, of which the simulator knows nothing: a connection that is refused must be a
// conflict or unknown, and one that is OK let in.
func (w *world) atGateway(t *testing.T, client, server *model.Proxy, cluster *clusterv3.Cluster, mtls bool, e *model.Endpoint, port *model.Port, verdicts []tlscheck.Verdict) int {
	letIn := w.letsIn(client, server, cluster, mtls, e, port)
	for _, v := range verdicts {
		if v.Server.Mode == tlscheck.Gateway && slices.Contains(v.Workloads, e.WorkloadName+"."+e.Namespace) && v.Status == tlscheck.OK && !letIn {
			t.Errorf("%s calls gateway %s by %s: refused, judged OK", client.ID(), server.ID(), cluster.GetName())
		}
		if v.Server.Mode == tlscheck.Gateway && v.Client.Sends == tlscheck.Plaintext && v.Status == tlscheck.Conflict && letIn {
			t.Errorf("%s calls gateway %s by %s: let in, judged a conflict", client.ID(), server.ID(), cluster.GetName())
		}
	}
	return 1
}

// marked tells of each endpoint that the cluster leads to whether it is marked for mTLS.
func (w *world) marked(cluster *clusterv3.Cluster, assigned *endpointv3.ClusterLoadAssignment, service *model.Service, port *model.Port) map[string]bool {
	out := map[string]bool{}
	if cluster.GetType() == clusterv3.Cluster_ORIGINAL_DST {
		for _, e := range w.mesh.Endpoints(service, port) {
			out[fmt.Sprintf("%s:%d", e.Address, e.Port)] = false
		}
		return out
	}
	for _, locality := range assigned.GetEndpoints() {
		for _, lb := range locality.GetLbEndpoints() {
			address := lb.GetEndpoint().GetAddress().GetSocketAddress()
			_, mtls := lb.GetMetadata().GetFilterMetadata()["envoy.transport_socket_match"].GetFields()["tlsMode"]
			out[fmt.Sprintf("%s:%d", address.GetAddress(), address.GetPortValue())] = mtls
		}
	}
	return out
}

// letsIn calls an endpoint as the cluster would and tells whether its sidecar lets the connection in as far as TLS goes. The mesh's mTLS is let in
// where it is ended: applications have no part in it.
func (w *world) letsIn(client, server *model.Proxy, cluster *clusterv3.Cluster, mtls bool, e *model.Endpoint, port *model.Port) bool {
	socket := cluster.GetTransportSocket()
	if matches := cluster.GetTransportSocketMatches(); len(matches) > 0 {
		socket = matches[len(matches)-1].GetTransportSocket()
		if mtls {
			socket = matches[0].GetTransportSocket()
		}
	}
	call := simulate.Call{Mode: simulate.Inbound, Address: e.Address, Port: e.Port, Protocol: protocol(port), TLS: simulate.Plaintext}
	context := w.context(client, socket)
	switch certificates := context.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs(); {
	case context == nil && port.Protocol.IsTLS():
		call.TLS, call.ALPN = simulate.TLS, "h2"
	case context == nil:
	case len(certificates) == 0:
		call.TLS, call.ALPN = simulate.TLS, strings.Join(context.GetCommonTlsContext().GetAlpnProtocols(), ",")
	case certificates[0].GetName() != "default":
		call.TLS, call.ALPN = simulate.MTLS, "h2,http/1.1"
	default:
		call.TLS, call.Source = simulate.MTLS, client.ID()
	}
	if server.Type == model.Router {
		call.Mode, call.SNI = simulate.Gateway, context.GetSni()
	}
	outcome := w.sims[server.ID()].Explain(call)
	unopened := slices.ContainsFunc(outcome.Trace, func(s simulate.Step) bool {
		return s.Stage == simulate.StageTLS && strings.Contains(s.Reason, "unopened")
	})
	switch outcome.Error {
	case simulate.NoListener, simulate.NoFilterChain, simulate.MultipleFilterChains, simulate.TLSError, simulate.MTLSError:
		return false
	case simulate.ProtocolError:
		if unopened {
			return false
		}
	}
	return call.Source == "" || !unopened
}

func (w *world) context(client *model.Proxy, socket *corev3.TransportSocket) *tlsv3.UpstreamTlsContext {
	if socket == nil {
		return nil
	}
	message, err := w.configs[client.ID()].Sources.Unpack(socket.GetTypedConfig())
	if err != nil {
		return nil
	}
	switch m := message.(type) {
	case *tlsv3.UpstreamTlsContext:
		return m
	case *proxyprotocolv3.ProxyProtocolUpstreamTransport:
		return w.context(client, m.GetTransportSocket())
	}
	return nil
}
