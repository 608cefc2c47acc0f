package realenvoy

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// guardedWorlds is how many random meshes full of policies are run, and guardedCalls how many calls are made to a sidecar and to a gateway of
// each.
const (
	guardedWorlds = 24
	guardedCalls  = 50
)

// TestPoliciesDecideAsTheSimulatorSays draws meshes of many policies and calls to a sidecar and a gateway of each: with and without certificates
// of several identities, with and without tokens of several kinds. Envoy and the simulator must let in, and refuse, the same ones.
func TestPoliciesDecideAsTheSimulatorSays(t *testing.T) {
	signer, ca := newSigner(t), newAuthority(t)
	ends := map[string]int{}
	for seed := range uint64(guardedWorlds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Guarded(seed, signer.keys(t)).Text()}}
			mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range []model.ProxyType{model.Sidecar, model.Router} {
				if cfg := mostGuarded(mesh, kind); cfg != nil {
					g := &guarded{t: t, cfg: cfg, ca: ca, ends: ends}
					g.compare(mesh, newDrawer(t, mesh, cfg, signer, seed))
				}
			}
		})
	}
	total, judged := 0, 0
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%4d calls end with: %s", ends[end], end)
		if total += ends[end]; !strings.HasPrefix(end, unjudged) {
			judged += ends[end]
		}
	}
	t.Logf("%4d calls, %d of them up to policies", total, judged)
	if !t.Failed() && judged < 1000 {
		t.Errorf("%d calls were compared, want 1000", judged)
	}
}

// mostGuarded is the configuration of the proxy of the kind that most policies are about, among those that can be called; nil for none.
func mostGuarded(mesh *model.Mesh, kind model.ProxyType) *compile.Configuration {
	most := -1
	var guarded *compile.Configuration
	for _, p := range mesh.Proxies() {
		policies := mesh.AuthorizationPoliciesFor(p)
		count := len(policies.Allow) + 2*len(policies.Deny) + len(policies.Audit) + 2*len(mesh.RequestAuthenticationsFor(p))
		if p.Type == kind && count > most {
			if cfg := compile.Compile(mesh, p, compile.Options{}); len(openPorts(cfg)) > 0 {
				most, guarded = count, cfg
			}
		}
	}
	return guarded
}

// guarded is a running proxy that is full of policies.
type guarded struct {
	t       *testing.T
	cfg     *compile.Configuration
	ca      *authority
	network *envoytest.Namespace
	ends    map[string]int
}

// compare makes the drawn calls.
func (g *guarded) compare(mesh *model.Mesh, d *drawer) {
	g.t.Helper()
	text, err := emit.Bootstrap(g.cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	p := g.cfg.Proxy
	if p.Type == model.Sidecar {
		g.network = envoytest.NewNamespace(g.t, p.IP)
	} else {
		g.network = envoytest.NewPlainNamespace(g.t, p.IP, "10.0.0.8")
	}
	g.network.AddAddresses(g.t, callers...)
	identity := fmt.Sprintf("%s/ns/%s/sa/%s", mesh.Settings.TrustDomain(), p.Namespace, cmp.Or(p.ServiceAccount, "default"))
	envoytest.Start(g.t, text, envoytest.Options{
		Network: g.network, Secrets: g.ca.secretsOf(g.t, text, identity),
		Upstream: func(cluster string) string { return g.serve(cluster) },
	})
	sim := simulate.New(g.cfg, simulate.Options{Mesh: mesh, Time: time.Now()})
	for range guardedCalls {
		c := d.draw()
		o := sim.Call(c)
		for range 20 {
			// Few calls that end before any policy sees them are enough.
			if decided(o) || d.chance(0.02) {
				break
			}
			c = d.draw()
			o = sim.Call(c)
		}
		g.ends[endOf(o)]++
		if diff := g.difference(o, g.send(c)); diff != "" {
			o = sim.Explain(c)
			g.t.Errorf("%s: %+v: %s\n%s", p.ID(), c, diff, stepsOf(o))
		}
	}
}

func stepsOf(o simulate.Outcome) string {
	var b strings.Builder
	for _, s := range o.Trace {
		fmt.Fprintf(&b, "\t%s: %s\n", s.Stage, s.Reason)
	}
	return b.String()
}

// unjudged begins the ends of calls that nobody's policy decides.
const unjudged = "no policy's business: "

// endOf sorts outcomes for the tally.
func endOf(o simulate.Outcome) string {
	switch {
	case o.Error == simulate.Denied && o.Status == 0:
		return "connection denied"
	case o.Error == simulate.Denied:
		return fmt.Sprintf("%s, %d", o.Error, o.Status)
	case o.Error == simulate.MTLSError:
		return string(o.Error)
	case o.Error == simulate.NoFilterChain && o.Listener == "virtualInbound":
		return "mTLS is required"
	case o.Error == simulate.NoRoute || o.Error == simulate.NoVirtualHost:
		return "let in, no route"
	case o.Error != "":
		return unjudged + string(o.Error)
	case o.RouteConfig == "":
		return "let in over TCP"
	}
	return "let in"
}

// decided tells a call that a policy lets in or refuses.
func decided(o simulate.Outcome) bool {
	return o.Error == "" || o.Error == simulate.Denied || o.Error == simulate.MTLSError || o.Error == simulate.NoFilterChain && o.Listener == "virtualInbound"
}

// hello is what clients of TCP services say; it is the beginning of no HTTP request.
const hello = "\x01hello\r\n\r\n"

// reply is what came of a call: closed, or what a server behind TCP said, or what was answered over HTTP.
type reply struct {
	tcp string
	connection
}

// send makes the call on a connection of its own.
func (g *guarded) send(call simulate.Call) reply {
	g.t.Helper()
	closed := reply{connection: connection{closed: true}}
	conn, err := envoytest.DialFrom(g.network, call.SourceIP, net.JoinHostPort(call.Address, strconv.FormatUint(uint64(call.Port), 10)))
	if err != nil {
		return closed
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		g.t.Fatal(err)
	}
	if call.TLS != simulate.Plaintext {
		conn = tls.Client(conn, g.clientTLS(call))
	}
	out := hello
	if call.Protocol == simulate.HTTP {
		out = requestText(call)
	}
	if _, err := io.WriteString(conn, out); err != nil {
		return closed
	}
	in := bufio.NewReader(conn)
	if call.Protocol == simulate.TCP {
		line, err := in.ReadString('\n')
		if isTimeout(err) {
			g.t.Errorf("%+v: neither an answer nor an end", call)
		}
		if err != nil {
			return closed
		}
		return reply{tcp: strings.TrimSuffix(line, "\n")}
	}
	r, err := http.ReadResponse(in, &http.Request{Method: call.Method})
	if isTimeout(err) {
		g.t.Errorf("%+v: neither an answer nor an end", call)
	}
	if err != nil {
		return closed
	}
	defer r.Body.Close()
	answer := reply{connection: connection{seen: seen{status: r.StatusCode, location: r.Header.Get("Location")}}}
	if r.StatusCode == http.StatusOK && call.Method != http.MethodHead {
		if answer.answer, err = envoytest.ReadAnswer(r); err != nil {
			g.t.Error(err)
		}
	}
	return answer
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// clientTLS is how a client of the mesh speaks TLS: what it offers tells the sidecar that it is one.
func (g *guarded) clientTLS(call simulate.Call) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: call.SNI}
	switch {
	case call.TLS == simulate.TLS && call.Protocol == simulate.HTTP:
		config.NextProtos = []string{"http/1.1"}
	case call.TLS == simulate.MTLS:
		config.NextProtos = []string{"istio"}
		if call.Protocol == simulate.HTTP {
			config.NextProtos = []string{"istio-http/1.1"}
		}
		certificate := g.ca.certificateOf(g.t, call.Source)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	return config
}

func requestText(call simulate.Call) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", call.Method, call.Path, call.Host)
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		fmt.Fprintf(&out, "%s: %s\r\n", name, call.Headers[name])
	}
	if call.Method == http.MethodPost {
		out.WriteString("Content-Length: 0\r\n")
	}
	out.WriteString("\r\n")
	return out.String()
}

// difference says how the simulator's outcome differs from what Envoy did, "" for not at all.
func (g *guarded) difference(o simulate.Outcome, r reply) string {
	said := fmt.Sprintf("%s, status %d, cluster %q", cmp.Or(string(o.Error), "let in"), o.Status, o.Cluster)
	did := fmt.Sprintf("status %d by %q", r.status, r.answer.Server)
	if r.closed {
		did = "closes"
	} else if r.tcp != "" {
		did = "lets in to " + r.tcp
	}
	differ := fmt.Sprintf("Envoy: %s; the simulator: %s", did, said)
	switch o.Error {
	case simulate.NoListener, simulate.NoFilterChain, simulate.TLSError, simulate.MTLSError:
		if !r.closed {
			return differ
		}
		return ""
	case simulate.ProtocolError:
		if o.Status == 0 && (r.closed || strings.HasPrefix(r.tcp, "HTTP/1.1 400")) || o.Status != 0 && r.status == int(o.Status) {
			return ""
		}
		return differ
	case simulate.Denied:
		if o.Status == 0 && !r.closed || int(o.Status) != r.status {
			return differ
		}
		return ""
	}
	overTCP := o.RouteConfig == "" && o.Error == ""
	switch {
	case overTCP && len(o.Clusters) > 0:
		// Which of several services a connection goes to is chance.
		return ""
	case overTCP && !g.has(o.Cluster):
		if !r.closed {
			return differ
		}
		return ""
	case r.closed:
		return differ
	case r.tcp != "":
		if r.tcp != o.Cluster {
			return differ
		}
		return ""
	case overTCP:
		// Over HTTP through a TCP proxy.
		if r.answer.Server != o.Cluster && r.answer.Server != "" {
			return differ
		}
		return ""
	case r.answer.Server == "" && r.status == http.StatusOK:
		// There is nothing to see of what the upstream got in the answer to a HEAD request.
		if o.Error != "" || o.Direct != 0 || o.Redirect != nil {
			return differ
		}
		return ""
	}
	if r.status == http.StatusServiceUnavailable && slices.ContainsFunc(o.Clusters, func(w simulate.WeightedCluster) bool { return !g.has(w.Name) }) {
		return ""
	}
	return disagreement(o, r.seen)
}

// has tells whether the proxy has a cluster of the name: a route may lead to none.
func (g *guarded) has(cluster string) bool {
	return slices.ContainsFunc(g.cfg.Clusters, func(c *clusterv3.Cluster) bool { return c.GetName() == cluster })
}

// serve starts a server in the network, with TLS and without, that answers HTTP as an echo server does and anything else with its name.
func (g *guarded) serve(name string) string {
	g.t.Helper()
	echo := envoytest.EchoIn(g.t, g.network, name)
	certificate := g.ca.certificateOf(g.t, "upstream")
	l, err := envoytest.Listen(g.network, "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serveOne(g.network, peekedConn{conn, bufio.NewReader(conn)}, &certificate, echo, name)
			}()
		}
	}()
	return l.Addr().String()
}

// peekedConn is a connection whose first bytes have been looked at.
type peekedConn struct {
	net.Conn
	in *bufio.Reader
}

func (c peekedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func serveOne(network envoytest.Network, conn peekedConn, certificate *tls.Certificate, echo, name string) {
	const handshake = 0x16
	first, err := conn.in.Peek(1)
	if err == nil && first[0] == handshake {
		inner := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*certificate}})
		conn = peekedConn{inner, bufio.NewReader(inner)}
		first, err = conn.in.Peek(1)
	}
	if err != nil {
		return
	}
	if first[0] == hello[0] {
		// A client that has gone away needs no answer.
		_, _ = fmt.Fprintf(conn, "%s\n", name)
		return
	}
	forward(network, conn, echo)
}
