package realenvoy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
)

// eventually waits for what Envoy does in its own time: it flushes logs and spans a while after the request.
func eventually[T any](t *testing.T, what string, get func() (T, bool)) T {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if v, ok := get(); ok {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestRequestIsLogged: the access log line of a request is the JSON object that the owner's document describes.
func TestRequestIsLogged(t *testing.T) {
	mesh := world(t, "examples/bookinfo", "testdata/seeds/2-mesh-config-access-log.yaml")
	log := filepath.Join(t.TempDir(), "access.log")
	text := bytes.ReplaceAll(bootstrap(t, mesh, proxy(t, mesh, "ingress.istio-ingress")), []byte(`"/dev/stdout"`), []byte(`"`+log+`"`))
	envoy := envoytest.Start(t, text, envoytest.Options{
		Upstream: envoytest.EchoEach(t, func(cluster string) bool { return strings.Contains(cluster, ".bookinfo.svc.") }),
	})
	request(t, "http://"+envoy.Address(t, "0.0.0.0_8080")+"/productpage")

	lines := eventually(t, "access log line", func() ([]byte, bool) {
		lines, err := os.ReadFile(log)
		return lines, err == nil && bytes.HasSuffix(lines, []byte("}\n"))
	})
	var line map[string]string
	if err := json.Unmarshal(lines, &line); err != nil {
		t.Fatalf("%v:\n%s", err, lines)
	}
	for field, want := range map[string]string{
		"method": "GET", "path": "/productpage", "protocol": "HTTP/1.1", "response_code": "200", "authority": "bookinfo.example.com",
		"user_agent": "meshc-test", "upstream_cluster": "outbound|9080||productpage.bookinfo.svc.cluster.local",
	} {
		if got := strings.TrimSuffix(line[field], ";"); got != want {
			t.Errorf("%s is %q, want %q", field, line[field], want)
		}
	}
	for _, field := range []string{"time", "duration", "bytes_sent", "bytes_received", "request_id", "upstream_host", "upstream_local_address"} {
		if line[field] == "" || line[field] == "-" {
			t.Errorf("%s is %q", field, line[field])
		}
	}
}

// span is what a Zipkin collector is sent of one.
type span struct {
	TraceID, Kind, Name string
	LocalEndpoint       struct{ ServiceName string }
	Tags                map[string]string
}

// TestSpansReachCollector: a traced request is reported to the collector, and its trace goes on in B3 headers: by the tracer that
// ProxyConfig names by address (the owner's document), and by a provider of a Telemetry.
func TestSpansReachCollector(t *testing.T) {
	for name, test := range map[string]struct{ settings, cluster string }{
		"ProxyConfig": {"testdata/seeds/2-mesh-config-tracing.yaml", "zipkin"},
		"Telemetry":   {"internal/realenvoy/testdata/tracing.yaml", "outbound|9411||zipkin.obs.svc.cluster.local"},
	} {
		t.Run(name, func(t *testing.T) {
			spans := make(chan []span, 16)
			collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var got []span
				body, _ := io.ReadAll(r.Body)
				if err := json.Unmarshal(body, &got); err != nil || r.URL.Path != "/api/v2/spans" {
					t.Errorf("%s: %v: %s", r.URL.Path, err, body)
				}
				select {
				case spans <- got:
				default:
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			t.Cleanup(collector.Close)
			echo := envoytest.EchoEach(t, func(cluster string) bool { return strings.Contains(cluster, ".bookinfo.svc.") })
			mesh := world(t, "examples/bookinfo", test.settings)
			envoy := envoytest.Start(t, bootstrap(t, mesh, proxy(t, mesh, "ingress.istio-ingress")), envoytest.Options{
				Upstream: func(cluster string) string {
					if cluster == test.cluster {
						return strings.TrimPrefix(collector.URL, "http://")
					}
					return echo(cluster)
				},
			})
			answer := request(t, "http://"+envoy.Address(t, "0.0.0.0_8080")+"/productpage")

			got := eventually(t, "span", func() ([]span, bool) {
				select {
				case got := <-spans:
					return got, len(got) > 0
				default:
					return nil, false
				}
			})
			trace := answer.Headers.Get("X-B3-Traceid")
			if trace == "" || answer.Headers.Get("X-B3-Sampled") != "1" || answer.Headers.Get("X-Request-Id") == "" {
				t.Errorf("the upstream got no trace: %v", answer.Headers)
			}
			for _, s := range got {
				if s.TraceID != trace {
					t.Errorf("span of trace %s, the upstream's is %s", s.TraceID, trace)
				}
				if s.Tags["istio.namespace"] != "istio-ingress" || s.Tags["http.status_code"] != "200" && s.Kind == "SERVER" {
					t.Errorf("tags of %s: %v", s.Name, s.Tags)
				}
			}
		})
	}
}

// request asks for a page of Bookinfo and returns what the upstream got.
func request(t *testing.T, url string) envoytest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "bookinfo.example.com"
	r.Header.Set("User-Agent", "meshc-test")
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := envoytest.ReadAnswer(response)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", response.Status, err)
	}
	return answer
}
