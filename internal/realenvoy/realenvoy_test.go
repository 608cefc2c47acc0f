// Package realenvoy holds what meshc compiles against the real Envoy: every bootstrap of the examples and of the owner's documents is accepted,
// and requests through a running gateway go where the YAML says.
package realenvoy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// world loads a mesh from paths relative to the repository's root.
func world(t *testing.T, paths ...string) *model.Mesh {
	t.Helper()
	for i, p := range paths {
		paths[i] = filepath.Join("..", "..", p)
	}
	mesh, err := model.Load(t.Context(), model.Options{Exclude: []string{"**/goldens"}}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// bootstrap compiles a proxy for stock Envoy and holds it against Envoy's own rules on the way.
func bootstrap(t *testing.T, mesh *model.Mesh, p *model.Proxy) []byte {
	t.Helper()
	cfg := compile.Compile(mesh, p, compile.Options{})
	if err := emit.Validate(cfg); err != nil {
		t.Error(err)
	}
	text, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func proxy(t *testing.T, mesh *model.Mesh, id string) *model.Proxy {
	t.Helper()
	for _, p := range mesh.Proxies() {
		if p.ID() == id {
			return p
		}
	}
	t.Fatalf("no proxy %s", id)
	return nil
}

// TestEnvoyAcceptsEveryBootstrap gives Envoy every proxy of every example and of each of the owner's documents, each document a mesh of
// its own.
func TestEnvoyAcceptsEveryBootstrap(t *testing.T) {
	var worlds []string
	for _, pattern := range []string{"examples/*/README.md", "testdata/seeds/*.yaml"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		for _, f := range found {
			f = strings.TrimPrefix(strings.TrimSuffix(filepath.ToSlash(f), "/README.md"), "../../")
			worlds = append(worlds, f)
		}
	}
	for _, path := range worlds {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			mesh := world(t, path)
			if len(mesh.Proxies()) == 0 {
				t.Error("no proxy comes of it")
			}
			for _, p := range mesh.Proxies() {
				if err := envoytest.Validate(t, bootstrap(t, mesh, p)); err != nil {
					t.Errorf("%s: %v", p.ID(), err)
				}
			}
		})
	}
}

// TestSidecarWaitsForNobody: a sidecar becomes ready with nothing beside it, neither a control plane nor a secret server.
func TestSidecarWaitsForNobody(t *testing.T) {
	mesh := world(t, "examples/bookinfo")
	text := bootstrap(t, mesh, proxy(t, mesh, "productpage-v1.bookinfo"))
	// Start returns when the admin interface says LIVE, and fails the test otherwise.
	envoy := envoytest.Start(t, text, envoytest.Options{})
	for _, listener := range []string{"virtualInbound", "virtualOutbound"} {
		if envoy.Address(t, listener) == "" {
			t.Errorf("%s does not listen", listener)
		}
	}
}

// gateway is a running ingress gateway of Bookinfo with echo servers in place of all workloads but ratings, which fails as told.
type gateway struct {
	address string
	client  *http.Client
	// failures is how many of the next calls of ratings fail; calls counts them all.
	failures, calls atomic.Int64
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{client: &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	ratings := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.calls.Add(1)
		if g.failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(ratings.Close)
	echo := envoytest.EchoEach(t, func(cluster string) bool { return strings.Contains(cluster, ".bookinfo.svc.") })
	mesh := world(t, "examples/bookinfo", "internal/realenvoy/testdata/traffic.yaml")
	envoy := envoytest.Start(t, bootstrap(t, mesh, proxy(t, mesh, "ingress.istio-ingress")), envoytest.Options{
		Upstream: func(cluster string) string {
			if strings.Contains(cluster, "|ratings.") {
				return strings.TrimPrefix(ratings.URL, "http://")
			}
			return echo(cluster)
		},
	})
	g.address = envoy.Address(t, "0.0.0.0_8080")
	return g
}

// get sends one request to the gateway and does not follow redirects.
func (g *gateway) get(ctx context.Context, path string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.address+path, nil)
	if err != nil {
		return nil, err
	}
	r.Host = "bookinfo.example.com"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return g.client.Do(r)
}

func TestGatewayDoesWhatTheYAMLSays(t *testing.T) {
	g := startGateway(t)
	answer := func(t *testing.T, path string, headers ...string) envoytest.Answer {
		t.Helper()
		r, err := g.get(t.Context(), path, headers...)
		if err != nil {
			t.Fatal(err)
		}
		a, err := envoytest.ReadAnswer(r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	status := func(t *testing.T, path string, headers ...string) *http.Response {
		t.Helper()
		r, err := g.get(t.Context(), path, headers...)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r
	}
	cluster := func(service, subset string) string {
		return fmt.Sprintf("outbound|9080|%s|%s.bookinfo.svc.cluster.local", subset, service)
	}

	t.Run("a route of the example", func(t *testing.T) {
		if got, want := answer(t, "/productpage").Server, cluster("productpage", ""); got != want {
			t.Errorf("reached %s, want %s", got, want)
		}
	})
	t.Run("no route", func(t *testing.T) {
		if r := status(t, "/admin"); r.StatusCode != http.StatusNotFound {
			t.Errorf("status %d, want 404", r.StatusCode)
		}
	})
	t.Run("header match", func(t *testing.T) {
		if got, want := answer(t, "/reviews/1", "end-user", "jason").Server, cluster("reviews", "v2"); got != want {
			t.Errorf("jason reached %s, want %s", got, want)
		}
		if got := answer(t, "/reviews/1", "end-user", "Jason").Server; got == cluster("reviews", "v2") {
			t.Error("Jason, who is not jason, reached v2")
		}
	})
	t.Run("90/10 split", func(t *testing.T) {
		const calls = 1000
		var mu sync.Mutex
		reached := map[string]int{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range calls / 4 {
					r, err := g.get(t.Context(), "/reviews/1")
					if err != nil {
						t.Error(err)
						return
					}
					a, err := envoytest.ReadAnswer(r)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					reached[a.Server]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		// Of 1,000 fair draws at 10 %, fewer than 50 or more than 160 have a probability below one in ten million.
		if n := reached[cluster("reviews", "v3")]; n < 50 || n > 160 || n+reached[cluster("reviews", "v1")] != calls {
			t.Errorf("of %d requests %v, want about 100 at v3 and the others at v1", calls, reached)
		}
	})
	t.Run("redirect", func(t *testing.T) {
		r := status(t, "/old")
		if got, want := r.Header.Get("Location"), "http://www.example.com/new"; r.StatusCode != http.StatusPermanentRedirect || got != want {
			t.Errorf("status %d to %q, want 308 to %q", r.StatusCode, got, want)
		}
	})
	t.Run("rewrite and headers", func(t *testing.T) {
		a := answer(t, "/shop/cart?x=1")
		if a.Path != "/cart?x=1" || a.Headers.Get("X-Shop") != "yes" {
			t.Errorf("the upstream saw %s with X-Shop %q, want /cart?x=1 with yes", a.Path, a.Headers.Get("X-Shop"))
		}
	})
	t.Run("retry", func(t *testing.T) {
		for _, test := range []struct {
			path     string
			failures int64
			status   int
			calls    int64
		}{
			{"/ratings/1", 3, http.StatusOK, 4},
			{"/ratings/1", 9, http.StatusServiceUnavailable, 4},
			{"/details/once", 1, http.StatusServiceUnavailable, 1},
		} {
			g.calls.Store(0)
			g.failures.Store(test.failures)
			if r := status(t, test.path); r.StatusCode != test.status || g.calls.Load() != test.calls {
				t.Errorf("%s with %d failures: status %d after %d calls, want %d after %d", test.path, test.failures, r.StatusCode, g.calls.Load(), test.status, test.calls)
			}
		}
	})
	t.Run("fault", func(t *testing.T) {
		if r := status(t, "/details/refused"); r.StatusCode != http.StatusTeapot {
			t.Errorf("an aborted request got %d, want 418", r.StatusCode)
		}
		begun := time.Now()
		if got, want := answer(t, "/details/late").Server, cluster("details", "v1"); got != want {
			t.Errorf("a delayed request reached %s, want %s", got, want)
		}
		// Envoy's timers are coarse and may fire a little early; without the delay it takes a few milliseconds.
		if took := time.Since(begun); took < 200*time.Millisecond {
			t.Errorf("a request delayed by 300ms took %v", took)
		}
	})
}
