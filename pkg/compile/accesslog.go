package compile

import (
	"cmp"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// logger is what writes access logs.
type logger int

const (
	httpLogger logger = iota
	tcpLogger
	// listenerLogger logs connections for which a listener has no filter chain (Envoy's response flag NR), which no filter would log.
	listenerLogger
)

// logPlace is a logger and the way that its traffic goes.
type logPlace struct {
	mode   telemetry.WorkloadMode
	logger logger
}

// accessLogs are the logs of a connection manager, a TCP proxy or a listener. The list is the caller's, what is in it shared.
func (b *builder) accessLogs(d direction, l logger) []*accesslogv3.AccessLog {
	if l == listenerLogger && b.mesh.Settings.Mesh.GetDisableEnvoyListenerLog() {
		return nil
	}
	place := logPlace{d.workloadMode(), l}
	logs, ok := b.logs[place]
	if !ok {
		if logs, ok = b.telemetryLogs(place); !ok {
			logs = b.meshConfigLogs(place)
		}
		if b.logs == nil {
			b.logs = map[logPlace][]*accesslogv3.AccessLog{}
		}
		b.logs[place] = logs
	}
	return slices.Clone(logs)
}

// telemetryLogs are those of Telemetry resources and default providers. ok is false where none of the providers can log: then MeshConfig's
// own settings count, as in istiod; a provider that is switched off does not bring them back.
func (b *builder) telemetryLogs(place logPlace) (logs []*accesslogv3.AccessLog, ok bool) {
	given, _ := b.telemetry().AccessLogs(place.mode)
	// They stand in the order of the providers' own names, which a Telemetry may write in other cases.
	slices.SortStableFunc(given, func(x, y model.AccessLog) int {
		return cmp.Compare(b.telemetry().Provider(x.Provider).GetName(), b.telemetry().Provider(y.Provider).GetName())
	})
	for _, g := range given {
		provider := b.telemetry().Provider(g.Provider)
		name, config := b.logConfig(provider)
		if config == nil {
			continue
		}
		ok = true
		if g.Disabled {
			continue
		}
		logs = append(logs, b.accessLog(name, config, place.logger, g.Filter, append(g.Sources, b.telemetry().ProviderSource(provider))...))
	}
	return logs, ok
}

// logConfig is the configuration of a provider that logs; nil for any other.
func (b *builder) logConfig(provider *meshconfig.MeshConfig_ExtensionProvider) (name string, config proto.Message) {
	switch p := provider.GetProvider().(type) {
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLog:
		// Istio's own provider writes in MeshConfig's format.
		if file := p.EnvoyFileAccessLog; provider.GetName() == "envoy" && file.GetLogFormat() == nil && !file.GetOmitEmptyValues() {
			return fileLogName, b.meshConfigFileLog(file.GetPath())
		}
		return fileLogName, b.fileLog(p.EnvoyFileAccessLog)
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyHttpAls:
		return b.httpServiceLog(p.EnvoyHttpAls)
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyTcpAls:
		return b.tcpServiceLog(p.EnvoyTcpAls)
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyOtelAls:
		return b.openTelemetryLog(p.EnvoyOtelAls)
	default:
		return "", nil
	}
}

// accessLog wraps a logger's configuration with the conditions on which it logs.
func (b *builder) accessLog(
	name string, config proto.Message, l logger, filter *telemetry.AccessLogging_Filter, sources ...resource.Source,
) *accesslogv3.AccessLog {
	var filters []*accesslogv3.AccessLogFilter
	if l == listenerLogger {
		filters = append(filters, &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"NR"}},
		}})
	}
	if filter != nil {
		filters = append(filters, &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
			ExtensionFilter: &accesslogv3.ExtensionFilter{
				Name: "envoy.access_loggers.extension_filters.cel",
				ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{
					TypedConfig: b.sources.Pack(&celv3.ExpressionFilter{Expression: filter.GetExpression()}),
				},
			},
		}})
	}
	log := &accesslogv3.AccessLog{Name: name, ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: b.sources.Pack(config)}}
	switch len(filters) {
	case 0:
	case 1:
		log.Filter = filters[0]
	default:
		log.Filter = &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
			AndFilter: &accesslogv3.AndFilter{Filters: filters},
		}}
	}
	b.sources.Add(log, sources...)
	return log
}

// meshConfigLogs are those of MeshConfig.accessLogFile and enableEnvoyAccessLogService.
func (b *builder) meshConfigLogs(place logPlace) []*accesslogv3.AccessLog {
	var logs []*accesslogv3.AccessLog
	settings := b.mesh.Settings
	if path := settings.Mesh.GetAccessLogFile(); path != "" {
		logs = append(logs, b.accessLog(fileLogName, b.meshConfigFileLog(path), place.logger, nil,
			settings.Source("accessLogFile"), settings.Source("accessLogEncoding"), settings.Source("accessLogFormat")))
	}
	if settings.Mesh.GetEnableEnvoyAccessLogService() && (b.target == IstioProxy || b.hasAccessLogService()) {
		name, config := b.bootstrapServiceLog(place.logger)
		logs = append(logs, b.accessLog(name, config, place.logger, nil,
			settings.Source("enableEnvoyAccessLogService"), settings.Source("defaultConfig.envoyAccessLogService")))
	}
	return logs
}

// hasAccessLogService tells whether the bootstrap has a cluster for the access log service of ProxyConfig.
func (b *builder) hasAccessLogService() bool {
	return b.proxyConfig().GetEnvoyAccessLogService().GetAddress() != ""
}
