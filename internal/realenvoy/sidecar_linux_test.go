package realenvoy

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// sidecarWorlds is how many random meshes are run, and callsEach how many calls are made to one sidecar of each, at most.
const (
	sidecarWorlds = 24
	callsEach     = 200
)

// TestSidecarsDoWhatTheSimulatorSays runs a sidecar of each of many random meshes behind Istio's redirection, makes calls to services, to
// addresses that nobody knows and to the sidecar's own ports, and compares where each ends with where the simulator says it does.
func TestSidecarsDoWhatTheSimulatorSays(t *testing.T) {
	total := 0
	for seed := range uint64(sidecarWorlds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			size := meshgen.Small
			// What policies refuse is the subject of tests of its own.
			size.Steady, size.Access = true, 0
			tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(seed, size).Text()}}
			mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
			if err != nil {
				t.Fatal(err)
			}
			total += compareSidecar(t, mesh, seed)
		})
	}
	t.Logf("%d calls", total)
	if !t.Failed() && total < 2000 {
		t.Errorf("%d calls were compared, want 2000", total)
	}
}

func compareSidecar(t *testing.T, mesh *model.Mesh, seed uint64) int {
	t.Helper()
	sidecars := slices.DeleteFunc(slices.Clone(mesh.Proxies()), func(p *model.Proxy) bool { return p.Type != model.Sidecar })
	p := sidecars[int(seed)%len(sidecars)]
	cfg := compile.Compile(mesh, p, compile.Options{})
	text, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pod := envoytest.NewNamespace(t, p.IP)
	envoytest.Start(t, text, envoytest.Options{
		Network:  pod,
		Upstream: func(cluster string) string { return envoytest.EchoIn(t, pod, cluster) },
	})
	sim := simulate.New(cfg, simulate.Options{Mesh: mesh})
	calls := sidecarCalls(t, cfg, seed)
	for _, c := range calls {
		if diff := difference(cfg, sim.Call(c), connect(t, pod, c)); diff != "" {
			t.Errorf("%s %s to %s:%d, %s %s%s %v: %s", p.ID(), c.Mode, c.Address, c.Port, c.Method, c.Host, c.Path, c.Headers, diff)
		}
	}
	return len(calls)
}

// sidecarCalls draws calls: to what the route tables are about, to each address that has a listener of its own, to others, and inbound.
func sidecarCalls(t *testing.T, cfg *compile.Configuration, seed uint64) []simulate.Call {
	t.Helper()
	var calls []simulate.Call
	add := func(c simulate.Call) {
		if c.Address == "0.0.0.0" || c.Address == "" {
			c.Address = "203.0.113.9"
		}
		if ip := net.ParseIP(c.Address); ip == nil || ip.To4() == nil || ip.IsLoopback() {
			return
		}
		if !strings.HasPrefix(c.Path, "/") && !strings.Contains(c.Path, "://") {
			// Envoy's HTTP inspector takes this for another protocol.
			return
		}
		calls = append(calls, c)
	}
	routed := callsFrom(t, cfg)
	for _, l := range cfg.Listeners {
		address := l.GetAddress().GetSocketAddress()
		for _, c := range routed[l.GetName()] {
			add(c)
		}
		for _, host := range []string{"nobody.test", "api.example.com"} {
			add(simulate.Call{Mode: simulate.Outbound, Address: address.GetAddress(), Port: address.GetPortValue(), Host: host, Path: "/", Method: "GET"})
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	calls = calls[:min(len(calls), callsEach-12)]
	for _, port := range []uint32{80, 8080, 9080, 8443, 5000, 7777} {
		add(simulate.Call{Mode: simulate.Outbound, Address: "198.51.100.7", Port: port, Host: "nobody.test", Path: "/", Method: "GET"})
		add(simulate.Call{Mode: simulate.Inbound, Address: cfg.Proxy.IP, Port: port, Host: "anybody", Path: "/api", Method: "GET"})
	}
	return calls
}

// connection is what came of a call: closed without an answer, or what was answered.
type connection struct {
	closed bool
	seen
}

// connect makes one call from within the pod's network on a connection of its own.
func connect(t *testing.T, pod *envoytest.Namespace, call simulate.Call) connection {
	t.Helper()
	conn, err := envoytest.Dial(pod, net.JoinHostPort(call.Address, strconv.FormatUint(uint64(call.Port), 10)))
	if err != nil {
		return connection{closed: true}
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", call.Method, call.Path, call.Host)
	for name, value := range call.Headers {
		fmt.Fprintf(&out, "%s: %s\r\n", name, value)
	}
	out.WriteString("\r\n")
	if _, err := io.WriteString(conn, out.String()); err != nil {
		return connection{closed: true}
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: call.Method})
	if err != nil {
		return connection{closed: true}
	}
	defer r.Body.Close()
	c := connection{seen: seen{status: r.StatusCode, location: r.Header.Get("Location")}}
	if r.StatusCode == http.StatusOK {
		// A direct response of 200 comes from no echo server.
		c.answer, _ = envoytest.ReadAnswer(r)
	}
	return c
}

// difference says how the simulator's outcome differs from what Envoy did, "" for not at all.
func difference(cfg *compile.Configuration, o simulate.Outcome, c connection) string {
	closes := o.Error == simulate.NoListener || o.Error == simulate.NoFilterChain || o.Error == simulate.TLSError ||
		o.Error == simulate.MTLSError || o.Error == simulate.Denied && o.Status == 0 || o.Error == simulate.ProtocolError && o.Status == 0
	known := func(cluster string) bool {
		for _, have := range cfg.Clusters {
			if have.GetName() == cluster {
				return true
			}
		}
		return false
	}
	missing := o.Error == "" && o.Redirect == nil && o.Direct == 0 && o.Cluster != "" && !known(o.Cluster)
	partly := slices.ContainsFunc(o.Clusters, func(w simulate.WeightedCluster) bool { return !known(w.Name) })
	switch {
	case closes || missing && o.Route == "" && o.VirtualHost == "":
		if !c.closed {
			return fmt.Sprintf("Envoy answers %d by %q, the simulator says %s in %s (%s)", c.status, c.answer.Server, o.Error, o.FilterChain, o.Cluster)
		}
		return ""
	case c.closed && partly && o.Upstream == nil:
		return ""
	case c.closed:
		return fmt.Sprintf("Envoy closes the connection, the simulator goes to %q %v (error %q, chain %s)", o.Cluster, o.Clusters, o.Error, o.FilterChain)
	case missing || partly && c.status == http.StatusServiceUnavailable:
		if c.status != http.StatusServiceUnavailable {
			return fmt.Sprintf("Envoy answers %d by %q though there is no cluster %q", c.status, c.answer.Server, o.Cluster)
		}
		return ""
	case o.Error == simulate.Denied:
		if c.status != int(o.Status) {
			return fmt.Sprintf("Envoy answers %d, the simulator %d (denied)", c.status, o.Status)
		}
		return ""
	case o.Upstream == nil && o.Error == "" && o.Redirect == nil && o.Direct == 0:
		// A TCP proxy: nothing of the request is looked at.
		if c.answer.Server != o.Cluster && !slices.ContainsFunc(o.Clusters, func(w simulate.WeightedCluster) bool { return w.Name == c.answer.Server }) {
			return fmt.Sprintf("the TCP connection reaches %q (status %d), in the simulator %q %v", c.answer.Server, c.status, o.Cluster, o.Clusters)
		}
		return ""
	}
	return disagreement(o, c.seen)
}
