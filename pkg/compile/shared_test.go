package compile_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// intrusive are patches for the server that reach into everything that it shares with the client.
const intrusive = `---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: intrusive, namespace: shop}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - {applyTo: CLUSTER, match: {context: ANY}, patch: {operation: MERGE, value: {connect_timeout: 77s, common_lb_config: {healthy_panic_threshold: {value: 77}}, metadata: {filter_metadata: {istio: {leak: 77}}}}}}
  - {applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND}, patch: {operation: MERGE, value: {transport_socket: {name: envoy.transport_sockets.tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: leak77}}}}}
  - {applyTo: ROUTE_CONFIGURATION, match: {context: ANY}, patch: {operation: MERGE, value: {request_headers_to_remove: [leak77]}}}
  - {applyTo: VIRTUAL_HOST, match: {context: ANY}, patch: {operation: MERGE, value: {request_headers_to_remove: [leak77]}}}
  - {applyTo: HTTP_ROUTE, match: {context: ANY}, patch: {operation: MERGE, value: {request_headers_to_remove: [leak77], route: {timeout: 77s}}}}
  - {applyTo: HTTP_ROUTE, match: {context: ANY}, patch: {operation: INSERT_FIRST, value: {name: leak77, match: {prefix: /77}, direct_response: {status: 477}}}}
  - {applyTo: LISTENER, match: {context: ANY}, patch: {operation: MERGE, value: {stat_prefix: leak77}}}
  - {applyTo: NETWORK_FILTER, match: {context: ANY, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}}, patch: {operation: MERGE, value: {typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, server_name: leak77}}}}
`

// written is everything that is written for a proxy.
func written(t *testing.T, compiler *compile.Compiler, p *model.Proxy) string {
	t.Helper()
	text, sourceMap, err := emit.BootstrapWithSourceMap(compiler.Compile(p))
	if err != nil {
		t.Error(err)
	}
	return string(text) + string(sourceMap)
}

// What is the same for several proxies is made once, and no patch for one of them may show in another, whoever comes first.
func TestPatchesStayWithTheirProxy(t *testing.T) {
	for _, target := range []compile.Target{compile.Envoy, compile.IstioProxy} {
		opts := compile.Options{Target: target}
		plain, patched := loadText(t, patchedWorld), loadText(t, patchedWorld+intrusive)
		client, server := proxyOf(t, patched, "client.shop"), proxyOf(t, patched, "server.shop")
		wantClient := written(t, compile.New(plain, opts), proxyOf(t, plain, "client.shop"))
		wantServer := written(t, compile.New(patched, opts), server)
		if n := strings.Count(wantServer, "77"); n < 8 {
			t.Fatalf("the patches show at %d places of the server's bootstrap: they are meant to be everywhere", n)
		}
		check := func(t *testing.T, compiler *compile.Compiler, p *model.Proxy) {
			t.Helper()
			want := wantClient
			if p == server {
				want = wantServer
			}
			if diff := cmp.Diff(want, written(t, compiler, p)); diff != "" {
				t.Errorf("%s differs from what it is alone (-alone +with the other):\n%s", p.ID(), diff)
			}
		}
		// Texts are kept from the second time on, and written again from the third.
		for _, order := range [][]*model.Proxy{{client, server}, {server, client}} {
			t.Run(string(target)+", "+order[0].Name+" first", func(t *testing.T) {
				compiler := compile.New(patched, opts)
				for range 4 {
					for _, p := range order {
						check(t, compiler, p)
					}
				}
			})
		}
		t.Run(string(target)+", at the same time", func(t *testing.T) {
			compiler := compile.New(patched, opts)
			var group sync.WaitGroup
			for _, p := range slices.Repeat([]*model.Proxy{client, server}, 8) {
				group.Go(func() { check(t, compiler, p) })
			}
			group.Wait()
		})
	}
}

// Proxies that see a cluster alike hold the same message; those that do not each have their own.
func TestSharedClusters(t *testing.T) {
	const name = "outbound|8080||server.shop.svc.cluster.local"
	const byLocality = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: server, namespace: shop}
spec: {host: server, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}}
`
	near := &model.Proxy{Name: "near", Namespace: "shop", Type: model.Sidecar, IP: "10.0.0.1", Locality: "eu/a"}
	far := &model.Proxy{Name: "far", Namespace: "elsewhere", Type: model.Sidecar, IP: "10.0.0.2", Locality: "us/b"}
	wide := &model.Proxy{Name: "wide", Namespace: "shop", Type: model.Sidecar, IP: "fd00::1", Locality: "eu/a"}
	gateway := &model.Proxy{Name: "gateway", Namespace: "shop", Type: model.Router, IP: "10.0.0.3", Locality: "eu/a"}
	for _, test := range []struct {
		name, more string
		a, b       *model.Proxy
		same       bool
	}{
		{"nothing asks where the proxy is", "", near, far, true},
		{"failover does", byLocality, near, far, false},
		{"another family of addresses", "", near, wide, false},
		{"another kind of proxy", "", near, gateway, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			compiler := compile.New(loadText(t, patchedWorld+test.more), compile.Options{})
			a, b := resourceNamed(compiler.Compile(test.a).Clusters, name), resourceNamed(compiler.Compile(test.b).Clusters, name)
			if a == nil || b == nil {
				t.Fatalf("no cluster %s", name)
			}
			if same := a == b; same != test.same {
				t.Errorf("the same message: %t, want %t", same, test.same)
			}
		})
	}
}

func resourceNamed[R interface {
	comparable
	GetName() string
}](list []R, name string) (none R) {
	if i := slices.IndexFunc(list, func(r R) bool { return r.GetName() == name }); i >= 0 {
		return list[i]
	}
	return none
}
