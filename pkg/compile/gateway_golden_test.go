package compile_test

import (
	"bytes"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit/canonical"
)

// TestGatewayTLS holds what each chain of testdata/gateway/tls-modes.yaml matches and how it speaks TLS, with the secrets, against files: for
// Istio's build, for stock Envoy, and for stock Envoy with a directory of secrets.
func TestGatewayTLS(t *testing.T) {
	mesh := load(t, "gateway/tls-modes.yaml")
	for name, opts := range map[string]compile.Options{
		"istio-proxy":   {Target: compile.IstioProxy},
		"envoy":         {},
		"envoy-secrets": {SecretsDir: "/etc/secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := compile.Compile(mesh, ingress(), opts)
			var messages []proto.Message
			for _, chain := range cfg.Listeners[0].GetFilterChains() {
				messages = append(messages, &listenerv3.FilterChain{
					FilterChainMatch: chain.GetFilterChainMatch(), TransportSocket: chain.GetTransportSocket(),
				})
			}
			for _, secret := range cfg.Secrets {
				messages = append(messages, secret)
			}
			golden.Compare(t, "gateway/tls-modes."+name+".json", marshal(t, cfg, messages...))
		})
	}
}

// TestGatewayHTTP holds the whole of a listener and its route table against files.
func TestGatewayHTTP(t *testing.T) {
	mesh := load(t, "gateway/http.yaml")
	for _, target := range []compile.Target{compile.IstioProxy, compile.Envoy} {
		t.Run(string(target), func(t *testing.T) {
			cfg := compile.Compile(mesh, ingress(), compile.Options{Target: target})
			golden.Compare(t, "gateway/http."+string(target)+".json", marshal(t, cfg, cfg.Listeners[0], cfg.Routes[0]))
		})
	}
}

// marshal writes messages one after the other.
func marshal(t *testing.T, cfg *compile.Configuration, messages ...proto.Message) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, m := range messages {
		text, err := canonical.Marshal(m, canonical.Options{Unpack: cfg.Sources.Unpack})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	return out.Bytes()
}

func TestGatewaySources(t *testing.T) {
	mesh := load(t, "gateway/http.yaml")
	cfg := compile.Compile(mesh, ingress(), compile.Options{})
	listener, table := cfg.Listeners[0], cfg.Routes[0]
	host := table.GetVirtualHosts()[0]
	for _, test := range []struct {
		name string
		of   proto.Message
		want []string
	}{
		{"listener", listener, []string{"Gateway istio-system/public spec.servers[0]"}},
		{"filter chain", listener.GetFilterChains()[0], []string{"Gateway istio-system/public spec.servers[0]"}},
		{"route configuration", table, []string{"Gateway istio-system/public spec.servers[0]"}},
		{"virtual host", host, []string{
			"VirtualService shop/web spec.hosts[0]",
			"Gateway istio-system/public spec.servers[0].hosts[0]",
			"Gateway istio-system/public spec.servers[0].tls.httpsRedirect",
		}},
		{"route", host.GetRoutes()[0], []string{"VirtualService shop/web spec.http[0].match[0]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, s := range cfg.Sources.Of(test.of) {
				got = append(got, s.Resource.ID()+" "+s.Path)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
