package compile_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// TestAddressesOfListeners holds that listeners bind to addresses of the proxy's own family, and that a ServiceEntry without addresses is
// offered at the allocated one where the proxy answers DNS queries.
func TestAddressesOfListeners(t *testing.T) {
	const world = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far, namespace: shop}
spec:
  hosts: [far.example]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 5432, name: tcp, protocol: TCP}]
`
	const capture = "defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: \"true\"}}"
	tests := []struct {
		name, world, ip string
		want            []string
	}{
		{"IPv4", world, "10.244.0.9", []string{"0.0.0.0_5432", "0.0.0.0_80", "virtualInbound 0.0.0.0", "virtualOutbound 0.0.0.0"}},
		{"IPv6", world, "fd00::9", []string{"::_5432", "::_80", "virtualInbound ::", "virtualOutbound ::"}},
		{"DNS capture", meshConfig(capture) + world, "10.244.0.9", []string{"0.0.0.0_80", "240.240.132.178_5432", "virtualInbound 0.0.0.0", "virtualOutbound 0.0.0.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proxy := *sidecar()
			proxy.IP = tt.ip
			var got []string
			for _, l := range compile.Compile(loadText(t, tt.world), &proxy, compile.Options{}).Listeners {
				name := l.GetName()
				if name == "virtualInbound" || name == "virtualOutbound" {
					name += " " + l.GetAddress().GetSocketAddress().GetAddress()
				}
				got = append(got, name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("listeners differ (-want +got):\n%s", diff)
			}
		})
	}
}
