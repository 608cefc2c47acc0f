package realenvoy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
)

// scraped is a gateway with the ports that its own bootstrap opens for Prometheus and probes. Tests give the admin interface any port, so
// that a server passes on what Envoy sends to its usual one.
type scraped struct {
	envoy *envoytest.Envoy
	// passedOn counts what has reached the admin interface through Envoy.
	passedOn atomic.Int64
}

func startScraped(t *testing.T, settings ...string) *scraped {
	t.Helper()
	s := &scraped{}
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.passedOn.Add(1)
		(&httputil.ReverseProxy{Rewrite: func(to *httputil.ProxyRequest) {
			to.Out.URL.Scheme, to.Out.URL.Host = "http", s.envoy.Admin
		}}).ServeHTTP(w, r)
	}))
	t.Cleanup(admin.Close)
	echo := envoytest.EchoEach(t, func(cluster string) bool { return strings.Contains(cluster, ".bookinfo.svc.") })
	mesh := world(t, append([]string{"examples/bookinfo"}, settings...)...)
	s.envoy = envoytest.Start(t, bootstrap(t, mesh, proxy(t, mesh, "ingress.istio-ingress")), envoytest.Options{
		Upstream: func(cluster string) string {
			if cluster == "prometheus_stats" {
				return strings.TrimPrefix(admin.URL, "http://")
			}
			return echo(cluster)
		},
	})
	return s
}

// get asks one of the gateway's own listeners.
func (s *scraped) get(t *testing.T, listener, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.envoy.Address(t, listener)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestPrometheusScrapes: after requests, the port that Prometheus scrapes counts them, with the tags that Istio's proxies cut out of the names.
func TestPrometheusScrapes(t *testing.T) {
	s := startScraped(t, "internal/realenvoy/testdata/statistics.yaml")
	for range 3 {
		request(t, "http://"+s.envoy.Address(t, "0.0.0.0_8080")+"/productpage")
	}
	const cluster = `cluster_name="outbound|9080||productpage.bookinfo.svc.cluster.local"`
	const manager = `http_conn_manager_prefix="outbound_0.0.0.0_8080"`
	// Envoy counts the times of requests when it merges its histograms, every five seconds.
	const merged = "envoy_cluster_upstream_rq_time_count{" + cluster + "} 3"
	samples := eventually(t, merged, func() (map[string]bool, bool) {
		samples := s.samples(t)
		return samples, samples[merged]
	})
	for _, want := range []string{
		"envoy_cluster_upstream_rq_total{" + cluster + "} 3",
		"envoy_cluster_upstream_rq{" + cluster + `,response_code="200"} 3`,
		"envoy_cluster_upstream_rq{" + cluster + `,response_code_class="2xx"} 3`,
		"envoy_http_downstream_rq_completed{" + manager + "} 3",
		"envoy_http_downstream_rq{" + manager + `,response_code_class="2xx"} 3`,
		`envoy_vhost_bookinfo_example_com_80_route_pages_upstream_rq_total{tenant="blue"} 3`,
		`envoy_vhost_bookinfo_example_com_80_route_pages_upstream_rq{response_code="200",tenant="blue"} 3`,
	} {
		if !samples[want] {
			name, _, _ := strings.Cut(want, "{")
			t.Errorf("no %s among %q", want, slices.Collect(func(yield func(string) bool) {
				for sample := range samples {
					if strings.HasPrefix(sample, name+"{") && !yield(sample) {
						return
					}
				}
			}))
		}
	}
}

// samples are the lines that Prometheus is answered, with their labels in order.
func (s *scraped) samples(t *testing.T) map[string]bool {
	t.Helper()
	status, text := s.get(t, "0.0.0.0_15090", "/stats/prometheus")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	samples := map[string]bool{}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "{")
		labels, value, _ := strings.Cut(rest, "}")
		samples[name+"{"+strings.Join(slices.Sorted(strings.SplitSeq(labels, ",")), ",")+"}"+value] = true
	}
	return samples
}

// TestAdminStaysClosed: the two ports answer what they are for, and lead to no other part of the admin interface.
func TestAdminStaysClosed(t *testing.T) {
	s := startScraped(t)
	if status, body := s.get(t, "0.0.0.0_15021", "/healthz/ready"); status != http.StatusOK || body != "LIVE\n" {
		t.Errorf("readiness: %d %q", status, body)
	}
	before := s.passedOn.Load()
	for _, path := range []string{"/quitquitquit", "/config_dump", "/stats", "/healthz/ready/../../config_dump", "/", "/ready"} {
		for _, listener := range []string{"0.0.0.0_15090", "0.0.0.0_15021"} {
			if status, _ := s.get(t, listener, path); status != http.StatusNotFound {
				t.Errorf("%s%s: status %d", listener, path, status)
			}
		}
	}
	if n := s.passedOn.Load() - before; n != 0 {
		t.Errorf("%d of these requests reached the admin interface", n)
	}
}

// TestStatisticsAreChosen: with inclusions, what they do not name is not counted.
func TestStatisticsAreChosen(t *testing.T) {
	s := startScraped(t, "internal/realenvoy/testdata/inclusions.yaml")
	request(t, "http://"+s.envoy.Address(t, "0.0.0.0_8080")+"/productpage")
	const want = `envoy_http_downstream_rq_total{http_conn_manager_prefix="outbound_0.0.0.0_8080"} 1`
	samples := eventually(t, want, func() (map[string]bool, bool) {
		samples := s.samples(t)
		return samples, samples[want]
	})
	for sample := range samples {
		if strings.HasPrefix(sample, "envoy_cluster_upstream_rq") {
			t.Errorf("clusters are counted too: %s", sample)
		}
	}
}
