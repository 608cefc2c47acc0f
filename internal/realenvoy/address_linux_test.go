package realenvoy

import (
	"testing"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// TestAddressChoosesListener: of two listeners of a port, the one that is bound to an address takes the calls made to exactly that address and no
// others, whatever host they name. A call to an address that nobody has ends at the listener of every address, or, where the port has none, where
// unknown traffic does.
func TestAddressChoosesListener(t *testing.T) {
	mesh := world(t, "internal/realenvoy/testdata/worlds/base.yaml", "internal/realenvoy/testdata/addresses")
	const nobodys, any = "10.96.255.254", "nobody.test"
	for _, test := range []struct {
		kind    model.ProxyType
		address string
		port    uint32
		host    string
		// listener is the simulator's word, cluster Envoy's as well.
		listener, cluster string
	}{
		{model.Sidecar, "10.96.0.4", 9001, any, "10.96.0.4_9001", "outbound|9001||sniffed.default.svc.cluster.local"},
		{model.Sidecar, nobodys, 9001, any, "virtualOutbound", "PassthroughCluster"},
		{model.Sidecar, nobodys, 9001, "sniffed.default.svc.cluster.local", "virtualOutbound", "PassthroughCluster"},
		{model.Sidecar, "10.96.0.4", 8080, any, "10.96.0.4_8080", "outbound|8080||sniffed.default.svc.cluster.local"},
		{model.Sidecar, nobodys, 8080, any, "0.0.0.0_8080", "PassthroughCluster"},
		{model.Sidecar, nobodys, 8080, "b.default.svc.cluster.local", "0.0.0.0_8080", "outbound|8080||b.default.svc.cluster.local"},
		{model.Router, "10.0.0.9", 80, any, "10.0.0.9_80", "outbound|80||b.default.svc.cluster.local"},
		{model.Router, "", 80, any, "0.0.0.0_80", "outbound|80||a.default.svc.cluster.local"},
		{model.Router, nobodys, 80, any, "0.0.0.0_80", "outbound|80||a.default.svc.cluster.local"},
	} {
		t.Run(test.listener+" for "+test.host+" at "+test.address, func(t *testing.T) {
			p := firstOf(mesh, test.kind, 0)
			cfg := compile.Compile(mesh, p, compile.Options{})
			text, err := emit.Bootstrap(cfg)
			if err != nil {
				t.Fatal(err)
			}
			call := simulate.Call{Mode: simulate.Outbound, Address: test.address, Port: test.port, Host: test.host, Method: "GET", Path: "/", TLS: simulate.Plaintext}
			network := envoytest.NewNamespace
			if test.kind == model.Router {
				network = func(t testing.TB, addresses ...string) *envoytest.Namespace {
					return envoytest.NewHost(t, addresses[0])
				}
				call.Mode = simulate.Gateway
			}
			if call.Address == "" {
				call.Address = p.IP
			}
			pod := network(t, p.IP)
			envoytest.Start(t, text, envoytest.Options{Network: pod, Upstream: func(cluster string) string { return envoytest.EchoIn(t, pod, cluster) }})
			o := simulate.New(cfg, simulate.Options{Mesh: mesh}).Call(call)
			r := (&client{network: pod}).call(t, call)
			if o.Listener != test.listener || o.Cluster != test.cluster || r.answer.Server != test.cluster {
				t.Errorf("the simulator goes by %s to %s, Envoy to %q (status %d, %v); want %s and %s",
					o.Listener, o.Cluster, r.answer.Server, r.status, r.why, test.listener, test.cluster)
			}
		})
	}
}
