package realenvoy

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// TestSimulatorAgreesWithEnvoy makes calls out of the compiled route tables of every world, sends each through the running Envoy and through
// the simulator, and compares where they end.
func TestSimulatorAgreesWithEnvoy(t *testing.T) {
	files, err := filepath.Glob("testdata/worlds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	worlds := [][]string{{"examples/bookinfo"}, {"examples/canary"}, {"examples/egress"}}
	for _, f := range files {
		if filepath.Base(f) != "base.yaml" {
			worlds = append(worlds, []string{"internal/realenvoy/testdata/worlds/base.yaml", "internal/realenvoy/" + filepath.ToSlash(f)})
		}
	}
	if len(worlds) < 10 {
		t.Fatalf("%d worlds", len(worlds))
	}
	for _, paths := range worlds {
		t.Run(strings.TrimSuffix(filepath.Base(paths[len(paths)-1]), ".yaml"), func(t *testing.T) {
			mesh := world(t, slices.Clone(paths)...)
			compared := 0
			for _, kind := range []model.ProxyType{model.Router, model.Sidecar} {
				// One proxy of a kind is enough: the others differ in little.
				if i := slices.IndexFunc(mesh.Proxies(), func(p *model.Proxy) bool { return p.Type == kind }); i >= 0 {
					compared += compareProxy(t, mesh, mesh.Proxies()[i])
				}
			}
			if compared < 100 {
				t.Errorf("%d calls were compared, want hundreds", compared)
			}
		})
	}
}

// compareProxy compares all calls to the plaintext HTTP listeners of a proxy, and returns how many there were.
func compareProxy(t *testing.T, mesh *model.Mesh, p *model.Proxy) int {
	t.Helper()
	cfg := compile.Compile(mesh, p, compile.Options{})
	calls := callsFrom(t, cfg)
	if len(calls) == 0 {
		return 0
	}
	listeners := slices.Sorted(maps.Keys(calls))
	envoy := envoytest.Start(t, bootstrap(t, mesh, p), envoytest.Options{
		Open: listeners, Only: listeners, Upstream: envoytest.EchoEach(t, nil),
	})
	sim := simulate.New(cfg, simulate.Options{Mesh: mesh})
	n, wrong := 0, 0
	for _, name := range listeners {
		client := &rawClient{t: t, address: envoy.Address(t, name)}
		for _, c := range calls[name] {
			n++
			if diff := disagreement(sim.Call(c), client.send(c)); diff != "" {
				if wrong++; wrong <= 20 {
					t.Errorf("%s: %s %s%s %v at %s: %s", p.ID(), c.Method, c.Host, c.Path, c.Headers, name, diff)
				}
			}
		}
		client.close()
	}
	t.Logf("%s: %d calls, %d end elsewhere", p.ID(), n, wrong)
	return n
}

// seen is what came of a call at Envoy. The answer is that of an echo server, where one was reached.
type seen struct {
	status   int
	location string
	answer   envoytest.Answer
}

// disagreement says how the simulator's outcome differs from what was seen, "" for not at all.
func disagreement(o simulate.Outcome, s seen) string {
	status, location := 200, ""
	switch {
	case o.Error == simulate.NoVirtualHost || o.Error == simulate.NoRoute:
		status = 404
	case o.Status != 0:
		status = int(o.Status)
	case o.Redirect != nil:
		status, location = int(o.Redirect.Status), o.Redirect.Location
	case o.Direct != 0:
		status = int(o.Direct)
	}
	if s.status != status || s.location != location {
		return fmt.Sprintf("Envoy answers %d %q by %q, the simulator %d %q (%s, route %q of %q)",
			s.status, s.location, s.answer.Server, status, location, o.Error, o.Route, o.VirtualHost)
	}
	if status != 200 || o.Direct != 0 {
		return ""
	}
	reached := s.answer.Server == o.Cluster
	for _, c := range o.Clusters {
		reached = reached || c.Name == s.answer.Server && c.Weight > 0
	}
	switch {
	case !reached:
		return fmt.Sprintf("Envoy goes to %q, the simulator to %q %v", s.answer.Server, o.Cluster, o.Clusters)
	case s.answer.Path != o.Upstream.Path || s.answer.Host != o.Upstream.Host:
		return fmt.Sprintf("the upstream of Envoy sees %s%s, that of the simulator %s%s", s.answer.Host, s.answer.Path, o.Upstream.Host, o.Upstream.Path)
	}
	return ""
}

// rawClient writes requests byte by byte, since Go's own client tidies up paths and headers.
type rawClient struct {
	t       *testing.T
	address string
	conn    net.Conn
	in      *bufio.Reader
}

func (c *rawClient) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *rawClient) send(call simulate.Call) seen {
	c.t.Helper()
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.address, 5*time.Second)
		if err != nil {
			c.t.Fatal(err)
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", call.Method, call.Path, call.Host)
	for name, value := range call.Headers {
		fmt.Fprintf(&out, "%s: %s\r\n", name, value)
	}
	out.WriteString("\r\n")
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(c.conn, out.String()); err != nil {
		c.t.Fatal(err)
	}
	r, err := http.ReadResponse(c.in, &http.Request{Method: call.Method})
	if err != nil {
		c.t.Fatalf("%s %s%s: %v", call.Method, call.Host, call.Path, err)
	}
	s := seen{status: r.StatusCode, location: r.Header.Get("Location")}
	if r.StatusCode == http.StatusOK {
		if s.answer, err = envoytest.ReadAnswer(r); err != nil {
			c.t.Fatal(err)
		}
	} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
		c.t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		c.t.Fatal(err)
	}
	if r.Close {
		c.close()
	}
	return s
}
