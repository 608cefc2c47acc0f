package realenvoy

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
)

// TestSidecarIsScraped: in a network of its own a sidecar answers Prometheus and probes by the bootstrap alone, with its own admin interface
// behind the two ports.
func TestSidecarIsScraped(t *testing.T) {
	mesh := world(t, "examples/bookinfo")
	p := proxy(t, mesh, "productpage-v1.bookinfo")
	pod := envoytest.NewNamespace(t, p.IP)
	envoytest.Start(t, bootstrap(t, mesh, p), envoytest.Options{Network: pod, KeepAdmin: true})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, _, address string) (net.Conn, error) { return envoytest.Dial(pod, address) },
	}}
	for url, want := range map[string]string{
		"http://127.0.0.1:15090/stats/prometheus": `envoy_cluster_upstream_cx_total{cluster_name="inbound|9080||"} 0`,
		"http://127.0.0.1:15021/healthz/ready":    "LIVE",
	} {
		response, err := client.Get(url)
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v: no %s in %.200s", url, response.Status, err, want, body)
		}
	}
}
