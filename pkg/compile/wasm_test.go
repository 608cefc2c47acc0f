package compile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// TestWasmPlugins shows where extensions stand among the HTTP filters of a port, and which of them stock Envoy gets.
func TestWasmPlugins(t *testing.T) {
	plugin := func(name, spec string) string {
		return "---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: " + name + ", namespace: shop}\nspec: {" + spec + "}\n"
	}
	world := patchedWorld +
		plugin("late", "url: 'oci://example.test/late:1'") +
		plugin("low", "url: 'oci://example.test/low:1', phase: AUTHN, priority: -1") +
		plugin("high", "url: 'file:///etc/high.wasm', phase: AUTHN, priority: 10, match: [{mode: SERVER, ports: [{number: 8080}]}]") +
		plugin("client", "url: 'oci://example.test/client:1', match: [{mode: CLIENT}]") +
		plugin("other", "url: 'oci://example.test/other:1', match: [{ports: [{number: 9}]}]")
	mesh := loadText(t, world)
	for _, tt := range []struct {
		target compile.Target
		want   []string
	}{
		{compile.IstioProxy, []string{"shop.high", "shop.low", "shop.late"}},
		{compile.Envoy, []string{"shop.high"}},
	} {
		cfg := compile.Compile(mesh, proxyOf(t, mesh, "server.shop"), compile.Options{Target: tt.target})
		var got []string
		for _, line := range sketch(t, cfg) {
			if _, name, ok := strings.Cut(line, "extensions.istio.io/trafficextension/"); ok && strings.HasPrefix(line, "virtualInbound chain 7 http") {
				got = append(got, strings.TrimSuffix(name, "~istio-translated-wasmplugin"))
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("filters for %s differ (-want +got):\n%s", tt.target, diff)
		}
	}
}
