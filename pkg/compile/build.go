package compile

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

func (b *builder) build() *Configuration {
	cfg := &Configuration{Proxy: b.proxy, Target: b.target, Settings: &b.mesh.Settings, ProxyConfig: b.proxyConfig(), Sources: b.sources, shared: b.shared}
	clusters, endpoints := b.clusters()
	cfg.Clusters = b.patchClusters(clusters)
	cfg.Endpoints = askedFor(endpoints, cfg.Clusters)
	if b.proxy.Type == model.Router {
		merged := b.mergeGateways()
		b.serverPorts = merged.serverPorts()
		cfg.Listeners = b.gatewayListeners(merged)
		cfg.Routes = b.gatewayRoutes(merged)
		cfg.Findings = merged.leftOut
	} else {
		cfg.Listeners = b.sidecarListeners()
		cfg.Routes = b.sidecarRoutes(cfg.Listeners)
	}
	b.patches.bare = b.proxy.Type == model.Sidecar && b.proxy.Assumed != "" || len(cfg.Listeners) == 0
	cfg.Clusters = b.addKeyClusters(cfg.Clusters)
	cfg.Routes = b.patchTables(cfg.Routes)
	cfg.Listeners = b.patchListeners(cfg.Listeners)
	cfg.ExtensionConfigs = append(b.wasmConfigs(), b.extensionConfigs(cfg.Listeners)...)
	if b.target == Envoy {
		b.inlineExtensions(cfg)
	}
	cfg.BootstrapPatches = b.bootstrapPatches()
	cfg.Patches, cfg.Removed = b.patchUses(), b.removed
	cfg.Secrets = b.secrets()
	statistics, statsFindings := b.statistics()
	cfg.Statistics = statistics
	cfg.Findings = diag.Sort(slices.Concat(cfg.Findings, b.notCompiled(), statsFindings))
	slices.SortStableFunc(cfg.Clusters, func(x, y *clusterv3.Cluster) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortStableFunc(cfg.Endpoints, func(x, y *endpointv3.ClusterLoadAssignment) int {
		return cmp.Compare(x.ClusterName, y.ClusterName)
	})
	slices.SortStableFunc(cfg.Listeners, func(x, y *listenerv3.Listener) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortStableFunc(cfg.Routes, func(x, y *routev3.RouteConfiguration) int { return cmp.Compare(x.Name, y.Name) })
	return cfg
}
