package compile

import (
	"maps"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"istio.io/api/envoy/extensions/stats"
	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// statsName is the filter that counts requests and connections with the names of workloads; only Istio's build of Envoy has it.
const statsName = "istio.stats"

// metricNames are the names, after the prefix istio_, of Istio's metrics in Prometheus
// (https://istio.io/latest/docs/reference/config/metrics/).
func metricNames() map[string]string {
	return map[string]string{
		"REQUEST_COUNT":          "requests_total",
		"REQUEST_DURATION":       "request_duration_milliseconds",
		"REQUEST_SIZE":           "request_bytes",
		"RESPONSE_SIZE":          "response_bytes",
		"TCP_OPENED_CONNECTIONS": "tcp_connections_opened_total",
		"TCP_CLOSED_CONNECTIONS": "tcp_connections_closed_total",
		"TCP_SENT_BYTES":         "tcp_sent_bytes_total",
		"TCP_RECEIVED_BYTES":     "tcp_received_bytes_total",
		"GRPC_REQUEST_MESSAGES":  "request_messages_total",
		"GRPC_RESPONSE_MESSAGES": "response_messages_total",
	}
}

// httpStats are the statistics filters of a connection manager.
func (b *builder) httpStats(d direction) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	b.eachStats(d, func(config proto.Message, sources []resource.Source) {
		filter := &hcmv3.HttpFilter{Name: statsName, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.sources.Pack(config)}}
		b.sources.Add(filter, sources...)
		filters = append(filters, filter)
	})
	return filters
}

// tcpStats are those of a TCP proxy's filter chain.
func (b *builder) tcpStats(d direction) []*listenerv3.Filter {
	var filters []*listenerv3.Filter
	b.eachStats(d, func(config proto.Message, sources []resource.Source) {
		filters = append(filters, b.networkFilter(statsName, config, sources...))
	})
	return filters
}

// eachStats yields a configuration for each provider that Prometheus reads; no other provider counts in a filter.
func (b *builder) eachStats(d direction, yield func(config proto.Message, sources []resource.Source)) {
	if b.target != IstioProxy {
		return
	}
	mode := d.workloadMode()
	metrics, ok := b.metrics[mode]
	if !ok {
		metrics = b.telemetry().Metrics(mode)
		if b.metrics == nil {
			b.metrics = map[telemetry.WorkloadMode][]model.Metrics{}
		}
		b.metrics[mode] = metrics
	}
	for _, m := range metrics {
		provider := b.telemetry().Provider(m.Provider)
		if _, prometheus := provider.GetProvider().(*meshconfig.MeshConfig_ExtensionProvider_Prometheus); prometheus && !m.Disabled {
			yield(statsConfig(d, m), append(slices.Clone(m.Sources), b.telemetry().ProviderSource(provider)))
		}
	}
}

// statsConfig writes out the overrides. Servers and gateways do not take the Host header, which anyone may write, for a service's name.
func statsConfig(d direction, m model.Metrics) *stats.PluginConfig {
	config := &stats.PluginConfig{DisableHostHeaderFallback: d != outbound, TcpReportingDuration: m.ReportingInterval}
	names := metricNames()
	for _, o := range m.Overrides {
		metric := &stats.MetricConfig{Name: o.Metric, Drop: o.Disabled, Dimensions: map[string]string{}}
		if name, ok := names[o.Metric]; ok {
			metric.Name = name
		}
		for _, tag := range slices.Sorted(maps.Keys(o.Tags)) {
			if value := o.Tags[tag]; value != nil {
				metric.Dimensions[tag] = *value
			} else {
				metric.TagsToRemove = append(metric.TagsToRemove, tag)
			}
		}
		config.Metrics = append(config.Metrics, metric)
	}
	return config
}
