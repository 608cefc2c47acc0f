package realenvoy

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/simulate"
)

// asking is a running sidecar whose CUSTOM policies ask an authorizer.
type asking struct {
	t *testing.T
	*guarded
	authorizer *authorizer
	client     *http.Client
}

func startAsking(t *testing.T, id string, reachable bool, more ...string) *asking {
	t.Helper()
	mesh := world(t, append([]string{"internal/realenvoy/testdata/extauthz.yaml"}, more...)...)
	p := proxy(t, mesh, id)
	a := &asking{t: t, guarded: &guarded{t: t, ca: newAuthority(t), cfg: compile.Compile(mesh, p, compile.Options{})}}
	a.network = envoytest.NewNamespace(t, p.IP)
	a.network.AddAddresses(t, callers...)
	var address string
	a.authorizer, address = startAuthorizer(t, a.network)
	if !reachable {
		address = "127.0.0.1:9"
	}
	envoytest.Start(t, bootstrap(t, mesh, p), envoytest.Options{Network: a.network, Upstream: func(cluster string) string {
		if strings.HasSuffix(cluster, "gatekeeper.auth.svc.cluster.local") {
			return address
		}
		return a.serve(cluster)
	}})
	a.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, Dial: func(_, address string) (net.Conn, error) { return envoytest.DialFrom(a.network, callers[0], address) },
	}}
	return a
}

// call asks for a path as a user, "" for nobody, and returns what comes back and, of a request that is let in, what the application saw.
func (a *asking) call(method, path, user string) (*http.Response, envoytest.Answer) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+net.JoinHostPort(a.cfg.Proxy.IP, "8080")+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if user != "" {
		r.Header.Set("X-User", user)
	}
	response, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer envoytest.Answer
	if response.StatusCode == http.StatusOK {
		if answer, err = envoytest.ReadAnswer(response); err != nil {
			a.t.Fatal(err)
		}
	}
	response.Body.Close()
	return response, answer
}

// TestAuthorizerDecidesOverHTTP: the provider is asked about what a CUSTOM policy hands over and about nothing else; its headers go where
// MeshConfig says; DENY policies still hold.
func TestAuthorizerDecidesOverHTTP(t *testing.T) {
	a := startAsking(t, "front.shop", true)
	if r, _ := a.call("GET", "/public", ""); r.StatusCode != http.StatusOK || a.authorizer.asked.Load() != 0 {
		t.Errorf("/public: status %d, %d questions; want 200 and none", r.StatusCode, a.authorizer.asked.Load())
	}
	r, answer := a.call("GET", "/private/1", "jane")
	if r.StatusCode != http.StatusOK || answer.Headers.Get("X-Decided-By") != "gatekeeper" || answer.Headers.Get("X-Secret") != "" || r.Header.Get("X-Welcome") != "jane" {
		t.Errorf("jane: status %d, the application sees %v, she sees %v", r.StatusCode, answer.Headers, r.Header)
	}
	if path, mesh := a.authorizer.path.Load(), a.authorizer.mesh.Load(); path != "/check/private/1" || mesh != "mesh" {
		t.Errorf("asked about %v by %v, want /check/private/1 by mesh", path, mesh)
	}
	r, _ = a.call("GET", "/private/1", "joe")
	if r.StatusCode != http.StatusUnauthorized || r.Header.Get("X-Why") != "not jane" || r.Header.Get("X-Secret") != "" {
		t.Errorf("joe: status %d, he sees %v; want the authorizer's 401 and X-Why alone", r.StatusCode, r.Header)
	}
	if r, _ := a.call("DELETE", "/private/1", "jane"); r.StatusCode != http.StatusForbidden {
		t.Errorf("jane may not delete: status %d, want 403", r.StatusCode)
	}
	if n := a.authorizer.asked.Load(); n != 3 {
		t.Errorf("%d questions, want 3", n)
	}
}

// TestAuthorizerDecidesOverGRPC does the same over gRPC, for requests and for TCP connections.
func TestAuthorizerDecidesOverGRPC(t *testing.T) {
	a := startAsking(t, "back.shop", true)
	if r, _ := a.call("GET", "/public", ""); r.StatusCode != http.StatusOK || a.authorizer.asked.Load() != 0 {
		t.Errorf("/public: status %d, %d questions; want 200 and none", r.StatusCode, a.authorizer.asked.Load())
	}
	if r, answer := a.call("GET", "/private/1", "jane"); r.StatusCode != http.StatusOK || answer.Headers.Get("X-Decided-By") != "gatekeeper" {
		t.Errorf("jane: status %d, the application sees %v", r.StatusCode, answer.Headers)
	}
	if r, _ := a.call("GET", "/private/1", "joe"); r.StatusCode != http.StatusTeapot {
		t.Errorf("joe: status %d, want the authorizer's 418", r.StatusCode)
	}
	connect := simulate.Call{Mode: simulate.Inbound, Address: a.cfg.Proxy.IP, Port: 9090, Protocol: simulate.TCP, TLS: simulate.Plaintext, SourceIP: callers[0]}
	if r := a.send(connect); !r.closed {
		t.Errorf("a connection that the authorizer refuses reaches %q", r.tcp)
	}
	a.authorizer.gate.Store(true)
	if r := a.send(connect); r.tcp != "inbound|9090||" {
		t.Errorf("a connection that the authorizer allows: %+v", r)
	}
}

// TestAuthorizerIsDown: what cannot be asked about is refused, with the status that MeshConfig gives.
func TestAuthorizerIsDown(t *testing.T) {
	a := startAsking(t, "front.shop", false)
	if r, _ := a.call("GET", "/private/1", "jane"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want statusOnError, 503", r.StatusCode)
	}
	if r, _ := a.call("GET", "/public", ""); r.StatusCode != http.StatusOK {
		t.Errorf("/public: status %d, want 200", r.StatusCode)
	}
}

// TestAuthorizerIsUnseen: a Sidecar that hides the provider's service leaves the filter with a cluster that is not there, as istiod does. Envoy takes
// that for an authorizer that is down.
func TestAuthorizerIsUnseen(t *testing.T) {
	for id, status := range map[string]int{"front.shop": http.StatusServiceUnavailable, "back.shop": http.StatusForbidden} {
		a := startAsking(t, id, true, "internal/realenvoy/testdata/extauthz-unseen.yaml")
		if r, _ := a.call("GET", "/private/1", "jane"); r.StatusCode != status || a.authorizer.asked.Load() != 0 {
			t.Errorf("%s: status %d, %d questions; want %d and none", id, r.StatusCode, a.authorizer.asked.Load(), status)
		}
		if r, _ := a.call("GET", "/public", ""); r.StatusCode != http.StatusOK {
			t.Errorf("%s: /public: status %d, want 200", id, r.StatusCode)
		}
	}
}
