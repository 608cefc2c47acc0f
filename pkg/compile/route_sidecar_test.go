package compile_test

import (
	"fmt"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// TestSidecarRoutesGolden shows a route configuration as a whole.
func TestSidecarRoutesGolden(t *testing.T) {
	cfg := compiled(t, load(t, "routes/world.yaml"), "client.shop")
	text, err := canonical.Marshal(routesOn(t, cfg, "80"), canonical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "routes/client.80.json", text)
}

func routesOn(t *testing.T, cfg *compile.Configuration, name string) *routev3.RouteConfiguration {
	t.Helper()
	for _, rc := range cfg.Routes {
		if rc.GetName() == name {
			return rc
		}
	}
	t.Fatalf("no routes named %s", name)
	return nil
}

// hosts lists the virtual hosts of a route configuration: name, domains, and where the routes of each lead.
func hosts(rc *routev3.RouteConfiguration) []string {
	var out []string
	for _, vh := range rc.GetVirtualHosts() {
		var to []string
		for _, r := range vh.GetRoutes() {
			switch {
			case r.GetDirectResponse() != nil:
				to = append(to, fmt.Sprint(r.GetDirectResponse().GetStatus()))
			case r.GetRedirect() != nil:
				to = append(to, "redirect to "+r.GetRedirect().GetHostRedirect())
			case r.GetRoute().GetWeightedClusters() != nil:
				for _, c := range r.GetRoute().GetWeightedClusters().GetClusters() {
					to = append(to, c.GetName())
				}
			default:
				to = append(to, r.GetRoute().GetCluster())
			}
		}
		out = append(out, fmt.Sprintf("%s [%s] -> %s", vh.GetName(), strings.Join(vh.GetDomains(), " "), strings.Join(to, ", ")))
	}
	return out
}

func TestSidecarRoutes(t *testing.T) {
	mesh := load(t, "routes/world.yaml")
	for _, tc := range []struct {
		name, proxy, routes string
		want                []string
	}{
		{
			name: "a headless service's pods; hosts without a service are reached on port 80 only", proxy: "client.shop", routes: "81",
			want: []string{
				"pods.stock.svc.cluster.local:81 [pods.stock.svc.cluster.local pods.stock.svc.cluster.local. pods.stock pods.stock.svc " +
					"*.pods.stock.svc.cluster.local *.pods.stock.svc.cluster.local. *.pods.stock *.pods.stock.svc] -> " +
					"outbound|81||pods.stock.svc.cluster.local",
				"allow_any [*] -> PassthroughCluster",
			},
		},
		{
			name: "the most specific host decides", proxy: "client.shop", routes: "82",
			want: []string{
				"a.partner.example:82 [a.partner.example a.partner.example.] -> outbound|82||a.partner.example",
				"b.partner.example:82 [b.partner.example b.partner.example.] -> 410",
				"c.sub.partner.example:82 [c.sub.partner.example c.sub.partner.example.] -> outbound|82||c.sub.partner.example",
				"allow_any [*] -> PassthroughCluster",
			},
		},
		{
			name: "a port whose protocol shows at run time belongs to one service", proxy: "client.shop", routes: "cart.shop.svc.cluster.local:9090",
			want: []string{
				"cart.shop.svc.cluster.local:9090 [*] -> outbound|9090||cart.shop.svc.cluster.local, outbound|9090|v2|cart.shop.svc.cluster.local, " +
					"outbound|9090|v1|cart.shop.svc.cluster.local, outbound|9090||items.stock.svc.cluster.local",
			},
		},
		{
			name: "a Sidecar sees what it imports", proxy: "narrow.shop", routes: "80",
			want: []string{
				"items.stock.svc.cluster.local:80 [items.stock.svc.cluster.local items.stock.svc.cluster.local. items.stock items.stock.svc " +
					"10.96.0.11] -> outbound|80||items.stock.svc.cluster.local",
				"block_all [*] -> 502",
			},
		},
		{
			name: "a socket that the Sidecar opens; only ports tell hosts apart; the address is an allocated one", proxy: "narrow.shop", routes: "unix:///var/run/egress",
			want: []string{
				"a.partner.example:82 [a.partner.example:82 a.partner.example.:82 240.240.86.169:82] -> outbound|82||a.partner.example",
				"block_all [*] -> 502",
			},
		},
		{
			name: "the mesh's proxy port is for what the catch-all listener imports", proxy: "narrow.shop", routes: "http_proxy",
			want: []string{
				"items.stock.svc.cluster.local:80 [items.stock.svc.cluster.local items.stock.svc.cluster.local:80 " +
					"items.stock.svc.cluster.local. items.stock.svc.cluster.local.:80 items.stock items.stock:80 items.stock.svc " +
					"items.stock.svc:80 10.96.0.11 10.96.0.11:80] -> outbound|80||items.stock.svc.cluster.local",
				"pods.stock.svc.cluster.local:81 [pods.stock.svc.cluster.local:81 pods.stock.svc.cluster.local.:81 pods.stock:81 " +
					"pods.stock.svc:81 *.pods.stock.svc.cluster.local:81 *.pods.stock.svc.cluster.local.:81 *.pods.stock:81 " +
					"*.pods.stock.svc:81] -> outbound|81||pods.stock.svc.cluster.local",
				"block_all [*] -> 502",
			},
		},
		{
			name: "a proxy port that the Sidecar opens; port 80 goes without saying", proxy: "narrow.shop", routes: "3128",
			want: []string{
				"items.stock.svc.cluster.local:80 [items.stock.svc.cluster.local items.stock.svc.cluster.local:80 " +
					"items.stock.svc.cluster.local. items.stock.svc.cluster.local.:80 items.stock items.stock:80 items.stock.svc " +
					"items.stock.svc:80 10.96.0.11 10.96.0.11:80] -> outbound|80||items.stock.svc.cluster.local",
				"pods.stock.svc.cluster.local:81 [pods.stock.svc.cluster.local:81 pods.stock.svc.cluster.local.:81 pods.stock:81 " +
					"pods.stock.svc:81 *.pods.stock.svc.cluster.local:81 *.pods.stock.svc.cluster.local.:81 *.pods.stock:81 " +
					"*.pods.stock.svc:81] -> outbound|81||pods.stock.svc.cluster.local",
				"block_all [*] -> 502",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := hosts(routesOn(t, compiled(t, mesh, tc.proxy), tc.routes))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHashPoliciesOfRoutes(t *testing.T) {
	cfg := compiled(t, load(t, "routes/world.yaml"), "client.shop")
	var got []string
	for _, vh := range routesOn(t, cfg, "80").GetVirtualHosts() {
		for _, r := range vh.GetRoutes() {
			for _, hash := range r.GetRoute().GetHashPolicy() {
				var from []string
				for _, s := range cfg.Sources.Of(hash) {
					from = append(from, s.Resource.Name+" "+s.Path)
				}
				got = append(got, fmt.Sprintf("%s %s: %s%s%v from %s", vh.GetName(), r.GetName(), hash.GetHeader().GetHeaderName(),
					hash.GetQueryParameter().GetName(), hash.GetConnectionProperties().GetSourceIp(), strings.Join(from, ", ")))
			}
		}
	}
	want := []string{
		// The routes of one VirtualService are the same for all its hosts.
		"cart.example:80 port: portfalse from cart spec.trafficPolicy.portLevelSettings[0].loadBalancer.consistentHash",
		"cart.example:80 subset: true from cart spec.subsets[1].trafficPolicy.loadBalancer.consistentHash",
		"cart.example:80 canary: x-rulefalse from cart spec.trafficPolicy.loadBalancer.consistentHash",
		"cart.shop.svc.cluster.local:80 port: portfalse from cart spec.trafficPolicy.portLevelSettings[0].loadBalancer.consistentHash",
		"cart.shop.svc.cluster.local:80 subset: true from cart spec.subsets[1].trafficPolicy.loadBalancer.consistentHash",
		"cart.shop.svc.cluster.local:80 canary: x-rulefalse from cart spec.trafficPolicy.loadBalancer.consistentHash",
		"items.stock.svc.cluster.local:80 default: x-itemfalse from items spec.trafficPolicy.portLevelSettings[0].loadBalancer.consistentHash",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRequestHeadersOfProxyConfig(t *testing.T) {
	mesh := load(t, "routes/world.yaml")
	for _, tc := range []struct {
		proxy            string
		counts, forwards bool
	}{{"client.shop", true, false}, {"narrow.shop", false, true}} {
		for _, vh := range routesOn(t, compiled(t, mesh, tc.proxy), "80").GetVirtualHosts() {
			if vh.GetIncludeRequestAttemptCount() != tc.counts {
				t.Errorf("%s: %s counts attempts: %v", tc.proxy, vh.GetName(), vh.GetIncludeRequestAttemptCount())
			}
			for _, r := range vh.GetRoutes() {
				if action := r.GetRoute(); action != nil && action.GetAppendXForwardedHost() != tc.forwards {
					t.Errorf("%s: %s forwards the host: %v", tc.proxy, vh.GetName(), action.GetAppendXForwardedHost())
				}
			}
		}
	}
}

func TestSourcesOfVirtualHosts(t *testing.T) {
	cfg := compiled(t, load(t, "routes/world.yaml"), "client.shop")
	got := map[string]string{}
	for _, vh := range append(routesOn(t, cfg, "80").GetVirtualHosts(), routesOn(t, cfg, "82").GetVirtualHosts()...) {
		var from []string
		for _, s := range cfg.Sources.Of(vh) {
			from = append(from, s.Resource.ID()+" "+s.Path)
		}
		got[vh.GetName()] = strings.Join(from, ", ")
	}
	for host, want := range map[string]string{
		"cart.shop.svc.cluster.local:80":   "VirtualService shop/cart spec.hosts[0], Service shop/cart ",
		"cart.example:80":                  "VirtualService shop/cart spec.hosts[1]",
		"items.stock.svc.cluster.local:80": "Service stock/items ",
		"a.partner.example:82":             "VirtualService shop/partners spec.hosts[0], ServiceEntry shop/partners spec.hosts[0]",
	} {
		if got[host] != want {
			t.Errorf("%s is from %q, want %q", host, got[host], want)
		}
	}
}
