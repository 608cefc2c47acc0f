package emit_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
)

// TestEnvoyRunsBootstrap starts the real Envoy with nobody around it: no control plane, no secret server. It must become ready all the
// same, and route.
func TestEnvoyRunsBootstrap(t *testing.T) {
	for name, w := range map[string]world{
		"plaintext": {target: compile.Envoy, weights: []uint32{90, 10}},
		"mtls":      {target: compile.Envoy, weights: []uint32{90, 10, 0}, mtls: true, paths: []string{"/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := emit.Bootstrap(w.configuration(t, "productpage-v1"))
			if err != nil {
				t.Fatal(err)
			}
			if err := envoytest.Validate(t, text); err != nil {
				t.Fatal(err)
			}
			upstream := envoytest.EchoEach(t, func(cluster string) bool { return strings.Contains(cluster, "reviews") })
			e := envoytest.Start(t, text, envoytest.Options{Upstream: upstream})
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Address(t, "0.0.0.0_9080")+"/1", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "reviews"
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			a, err := envoytest.ReadAnswer(response)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(a.Server, "outbound|9080|v") || a.Path != "/1" {
				t.Errorf("ended at %+v", a)
			}
			if log := e.Log(); strings.Contains(log, "[error]") || strings.Contains(log, "[critical]") || strings.Contains(log, "deprecated") {
				t.Errorf("Envoy complains:\n%s", log)
			}
		})
	}
}
