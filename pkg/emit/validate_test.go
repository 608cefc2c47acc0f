package emit_test

import (
	"errors"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*testing.T, *compile.Configuration)
		want  []string
	}{
		{"as compiled", func(*testing.T, *compile.Configuration) {}, nil},
		{"a cluster that waits for no time", func(t *testing.T, cfg *compile.Configuration) {
			cfg.Clusters[0].ConnectTimeout = durationpb.New(0)
		}, []string{`Envoy would refuse cluster outbound|9080||ratings.default.svc.cluster.local of productpage-v1.default at "": ` +
			`envoy.config.cluster.v3.Cluster: ConnectTimeout: value must be greater than 0s; this is a mistake of meshc, please report it`}},
		{"a route without a match, two levels below what has a source", func(t *testing.T, cfg *compile.Configuration) {
			action := cfg.Routes[0].VirtualHosts[1].Routes[0].GetRoute().GetWeightedClusters()
			action.Clusters[1].RequestHeadersToRemove = []string{"\n"}
			cfg.Routes[0].VirtualHosts[0].Routes[0].Match = nil
		}, []string{
			`Envoy would refuse route 9080 of productpage-v1.default at "/virtual_hosts/0/routes/0": envoy.config.route.v3.Route: Match: value is required; ` +
				`this is a mistake of meshc, please report it`,
			`Envoy would refuse route 9080 of productpage-v1.default at "/virtual_hosts/1/routes/0/route/weighted_clusters/clusters/1": ` +
				`envoy.config.route.v3.WeightedCluster.ClusterWeight: RequestHeadersToRemove[0]: value does not match regex pattern "^[^\x00\n\r]*$" ` +
				`(from reviews.yaml:11); this is a mistake of meshc, please report it`,
		}},
		{"a filter inside an Any", func(t *testing.T, cfg *compile.Configuration) {
			filter := &listenerv3.Filter{Name: "tcp", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: cfg.Sources.Pack(&tcpproxyv3.TcpProxy{})}}
			cfg.Listeners[0].FilterChains[0].Filters = append(cfg.Listeners[0].FilterChains[0].Filters, filter)
		}, []string{
			`Envoy would refuse listener 0.0.0.0_9080 of productpage-v1.default at "/filter_chains/0/filters/1/typed_config": ` +
				`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy: ClusterSpecifier: value is required; this is a mistake of meshc, please report it`,
			`Envoy would refuse listener 0.0.0.0_9080 of productpage-v1.default at "/filter_chains/0/filters/1/typed_config": ` +
				`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy: StatPrefix: value length must be at least 1 runes; this is a mistake of meshc, please report it`,
		}},
		{"a patch by an EnvoyFilter", func(t *testing.T, cfg *compile.Configuration) {
			cfg.Clusters[0].ConnectTimeout = durationpb.New(0)
			cfg.Sources.Add(cfg.Clusters[0], (&resource.Resource{Kind: "EnvoyFilter", Name: "slow", Document: &document.Document{File: "patch.yaml", Line: 3}}).At(""))
		}, []string{`Envoy would refuse cluster outbound|9080||ratings.default.svc.cluster.local of productpage-v1.default at "": ` +
			`envoy.config.cluster.v3.Cluster: ConnectTimeout: value must be greater than 0s (from patch.yaml:3); an EnvoyFilter patches it: mend the patch`}},
		{"a type that nobody knows", func(t *testing.T, cfg *compile.Configuration) {
			cfg.Clusters[0].TypedExtensionProtocolOptions = map[string]*anypb.Any{"x": {TypeUrl: "type.googleapis.com/not.Linked"}}
		}, nil},
		{"an empty domain", func(t *testing.T, cfg *compile.Configuration) {
			cfg.Routes = append(cfg.Routes, &routev3.RouteConfiguration{Name: "b", VirtualHosts: []*routev3.VirtualHost{{Name: "v"}}})
			cfg.Clusters = append(cfg.Clusters, &clusterv3.Cluster{Name: "c"})
		}, []string{`Envoy would refuse route b of productpage-v1.default at "/virtual_hosts/0": envoy.config.route.v3.VirtualHost: Domains: ` +
			`value must contain at least 1 item(s); this is a mistake of meshc, please report it`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := world{weights: []uint32{90, 10}}.configuration(t, "productpage-v1")
			test.spoil(t, cfg)
			err := emit.Validate(cfg)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
				if v := (emit.Violation{}); !errors.As(err, &v) || v.Proxy != "productpage-v1.default" {
					t.Errorf("no Violation: %#v", err)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
