package compile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

// inboundClusters describes the inbound clusters of a proxy: type, address, source address, services, limits and HTTP version.
func inboundClusters(t *testing.T, cfg *compile.Configuration) []string {
	t.Helper()
	var out []string
	for _, c := range cfg.Clusters {
		if !strings.HasPrefix(c.GetName(), "inbound|") {
			continue
		}
		s := c.GetName() + " " + c.GetType().String()
		for _, g := range c.GetLoadAssignment().GetEndpoints() {
			for _, e := range g.GetLbEndpoints() {
				address := e.GetEndpoint().GetAddress()
				if socket := address.GetSocketAddress(); socket != nil {
					s += fmt.Sprintf(" to %s:%d", socket.GetAddress(), socket.GetPortValue())
				} else {
					s += " to " + address.GetPipe().GetPath()
				}
			}
		}
		if bind := c.GetUpstreamBindConfig().GetSourceAddress(); bind != nil {
			s += " from " + bind.GetAddress()
		}
		for _, v := range c.GetMetadata().GetFilterMetadata()["istio"].GetFields()["services"].GetListValue().GetValues() {
			s += " " + v.GetStructValue().GetFields()["name"].GetStringValue()
		}
		limits := c.GetCircuitBreakers().GetThresholds()[0]
		if n := limits.GetMaxConnections().GetValue(); n != 1<<32-1 {
			s += fmt.Sprintf(" connections=%d", n)
		}
		if n := limits.GetMaxPendingRequests().GetValue(); n != 1<<32-1 {
			s += fmt.Sprintf(" pending=%d", n)
		}
		out = append(out, s+httpVersion(t, cfg, c))
	}
	slices.Sort(out)
	return out
}

func httpVersion(t *testing.T, cfg *compile.Configuration, c *clusterv3.Cluster) string {
	t.Helper()
	for _, packed := range c.GetTypedExtensionProtocolOptions() {
		m, err := cfg.Sources.Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		options := m.(*httpv3.HttpProtocolOptions)
		switch {
		case options.GetUseDownstreamProtocolConfig() != nil:
			return " downstream"
		case options.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil:
			return " h2"
		}
	}
	return ""
}

func TestInboundClusters(t *testing.T) {
	mesh := load(t, "clusters/ingress.yaml")
	for proxy, want := range map[string][]string{
		// One cluster a target port, whose services are those with the port number of the first.
		"plain.shop": {
			"inbound|7000|| ORIGINAL_DST from 127.0.0.6 api downstream",
			"inbound|8080|| ORIGINAL_DST from 127.0.0.6 api-v2 api",
			"inbound|9090|| ORIGINAL_DST from 127.0.0.6 api h2",
		},
		// The Sidecar's listeners alone; the port that no service has is described by none.
		"own.shop": {
			"inbound|6000|| ORIGINAL_DST from 127.0.0.6 connections=77",
			"inbound|7000|| STATIC to 10.244.0.32:17000 from 127.0.0.6 api connections=77",
			"inbound|8080|| STATIC to 127.0.0.1:18080 api-v2 pending=5",
			"inbound|9090|| STATIC to /run/app.sock from 127.0.0.6 api connections=77 h2",
		},
	} {
		if diff := cmp.Diff(want, inboundClusters(t, compiled(t, mesh, proxy))); diff != "" {
			t.Errorf("%s:\n%s", proxy, diff)
		}
	}
}
