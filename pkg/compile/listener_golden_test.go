package compile_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
)

// TestSidecarListenersGolden shows listeners as a whole, for each target and with secrets at hand.
func TestSidecarListenersGolden(t *testing.T) {
	mesh := load(t, "listeners/world.yaml")
	for name, opts := range map[string]compile.Options{
		"istio-proxy":   {Target: compile.IstioProxy},
		"envoy":         {},
		"envoy-secrets": {SecretsDir: "/etc/secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := compile.Compile(mesh, proxyOf(t, mesh, "client.shop"), opts)
			var listeners []proto.Message
			for _, l := range cfg.Listeners {
				listeners = append(listeners, l)
			}
			golden.Compare(t, "listeners/client."+name+".json", marshal(t, cfg, listeners...))
		})
	}
}
