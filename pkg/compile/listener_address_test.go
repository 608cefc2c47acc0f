package compile_test

import (
	"slices"
	"strings"
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

// TestFamilyOfServices holds that of a dual-stack Service's addresses a proxy is told those that it can connect to.
func TestFamilyOfServices(t *testing.T) {
	const world = `
apiVersion: v1
kind: Service
metadata: {name: both, namespace: shop}
spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00::9"], selector: {app: both}, ports: [{name: tcp, port: 9000}, {name: http, port: 80}]}
`
	for ip, want := range map[string][]string{
		"10.244.0.9": {"10.96.0.9_9000", "10.96.0.9"},
		"fd00::1":    {"fd00::9_9000", "[fd00::9]"},
	} {
		t.Run(ip, func(t *testing.T) {
			proxy := *sidecar()
			proxy.IP = ip
			cfg := compile.Compile(loadText(t, world), &proxy, compile.Options{})
			var got []string
			for _, l := range cfg.Listeners {
				if strings.HasSuffix(l.GetName(), "_9000") {
					got = append(got, l.GetName())
				}
			}
			for _, vh := range cfg.Routes[0].GetVirtualHosts() {
				for _, domain := range vh.GetDomains() {
					if strings.ContainsAny(domain, "0123456789") {
						got = append(got, domain)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("addresses differ (-want +got):\n%s", diff)
			}
		})
	}
}
