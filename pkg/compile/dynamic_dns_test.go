package compile_test

import (
	"fmt"
	"strings"
	"testing"

	dfpclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dynamic_forward_proxy/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	snidfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestDynamicDNS holds that clusters and the filters that resolve for them share a cache.
func TestDynamicDNS(t *testing.T) {
	cfg := compiled(t, load(t, "clusters/dynamicdns.yaml"), "client.shop")
	var got []string
	inside := func(packed *anypb.Any) any {
		m, err := cfg.Sources.Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range cfg.Clusters {
		if config := c.GetClusterType().GetTypedConfig(); config != nil {
			cluster := inside(config).(*dfpclusterv3.ClusterConfig)
			names := inside(c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]).(*httpv3.HttpProtocolOptions).GetUpstreamHttpProtocolOptions()
			got = append(got, fmt.Sprintf("%s %s %s insecure=%t sni=%t san=%t", c.GetName(), c.GetLbPolicy(), cluster.GetDnsCacheConfig().GetName(),
				cluster.GetAllowInsecureClusterOptions(), names.GetAutoSni(), names.GetAutoSanValidation()))
		}
	}
	for _, l := range cfg.Listeners {
		for _, chain := range append(l.GetFilterChains(), l.GetDefaultFilterChain()) {
			for _, filter := range chain.GetFilters() {
				switch f := inside(filter.GetTypedConfig()).(type) {
				case *snidfpv3.FilterConfig:
					got = append(got, fmt.Sprintf("%s server name %s:%d", l.GetName(), f.GetDnsCacheConfig().GetName(), f.GetPortValue()))
				case *hcmv3.HttpConnectionManager:
					for i, h := range f.GetHttpFilters() {
						if config, ok := inside(h.GetTypedConfig()).(*dfpv3.FilterConfig); ok {
							next := strings.TrimPrefix(f.GetHttpFilters()[i+1].GetName(), "envoy.filters.http.")
							got = append(got, fmt.Sprintf("%s host %s before the %s", l.GetName(), config.GetDnsCacheConfig().GetName(), next))
						}
					}
				}
			}
		}
	}
	want := []string{
		"outbound|443||*.example.com CLUSTER_PROVIDED *.example.com_dfp_dns_cache insecure=false sni=true san=true",
		"outbound|80||*.example.com CLUSTER_PROVIDED *.example.com_dfp_dns_cache insecure=false sni=true san=true",
		"outbound|90||*.example.com CLUSTER_PROVIDED *.example.com_dfp_dns_cache insecure=true sni=true san=false",
		"0.0.0.0_443 server name *.example.com_dfp_dns_cache:443",
		"0.0.0.0_80 host *.example.com_dfp_dns_cache before the router",
		"0.0.0.0_90 host *.example.com_dfp_dns_cache before the router",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
