package compile

import (
	"fmt"
	"slices"
	"strings"

	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// telemetrySection is a part of the Telemetry API.
type telemetrySection string

const (
	sectionTracing telemetrySection = "tracing"
	sectionMetrics telemetrySection = "metrics"
	sectionLogging telemetrySection = "accessLogging"
)

// providerUse is a place that names a provider.
type providerUse struct {
	section telemetrySection
	name    string
	source  resource.Source
}

// telemetryGaps reports what of the mesh's telemetry has no effect on the bootstraps, at the place that asks for it.
func telemetryGaps(mesh *model.Mesh, target Target) []diag.Finding {
	findings := settingsGaps(mesh)
	for _, r := range model.All[*telemetry.Telemetry](mesh) {
		for _, f := range resourceGaps(mesh, &r) {
			if target == Envoy || !isMetricsNote(f) {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// telemetryGaps are those that bear on the proxy, and the collectors that it does not see.
func (b *builder) telemetryGaps() []diag.Finding {
	findings := settingsGaps(b.mesh)
	uses := defaultUses(b.mesh)
	for _, r := range b.telemetry().From {
		for _, f := range resourceGaps(b.mesh, &r) {
			if b.target == Envoy || !isMetricsNote(f) {
				findings = append(findings, f)
			}
		}
		uses = append(uses, resourceUses(&r)...)
	}
	for _, use := range uses {
		service, port := collectorService(b.telemetry().Provider(use.name))
		if service == "" {
			continue
		}
		c, err := collectorOf(b.mesh, service, port)
		if err != nil || c.unseen != "" {
			continue
		}
		if seen := b.scope.Service(c.hostname); seen == nil || seen.Port(port) == nil {
			findings = append(findings, gap(use.source, fmt.Sprintf(
				"provider %q sends to %s, which %s cannot see (exportTo, Sidecar): istiod refers to a cluster that the proxy lacks, and Envoy refuses the listeners",
				use.name, c.hostname, b.proxy.ID())))
		}
	}
	return findings
}

// settingsGaps are those of MeshConfig itself.
func settingsGaps(mesh *model.Mesh) []diag.Finding {
	settings := mesh.Settings
	var findings []diag.Finding
	for _, use := range defaultUses(mesh) {
		findings = append(findings, use.gaps(mesh)...)
	}
	config := settings.Mesh.GetDefaultConfig()
	if settings.Mesh.GetEnableEnvoyAccessLogService() && config.GetEnvoyAccessLogService().GetAddress() == "" {
		findings = append(findings, gap(settings.Source("enableEnvoyAccessLogService"),
			"enableEnvoyAccessLogService is not compiled for proxies whose ProxyConfig has no envoyAccessLogService.address: Envoy refuses to log to a service that it does not know"))
	}
	return findings
}

// defaultUses are the default providers of MeshConfig.
func defaultUses(mesh *model.Mesh) []providerUse {
	var uses []providerUse
	defaults := mesh.Settings.Mesh.GetDefaultProviders()
	add := func(section telemetrySection, names []string) {
		for _, name := range names {
			uses = append(uses, providerUse{section, name, mesh.Settings.Source("defaultProviders." + string(section))})
		}
	}
	add(sectionTracing, defaults.GetTracing())
	add(sectionMetrics, defaults.GetMetrics())
	add(sectionLogging, defaults.GetAccessLogging())
	return uses
}

// resourceUses are the places of a Telemetry that name providers.
func resourceUses(r *resource.Of[*telemetry.Telemetry]) []providerUse {
	var uses []providerUse
	add := func(section telemetrySection, i int, refs []*telemetry.ProviderRef) {
		for j, ref := range refs {
			path := resource.Index(resource.Index("spec."+string(section), i)+".providers", j)
			uses = append(uses, providerUse{section, ref.GetName(), r.At(path)})
		}
	}
	for i, s := range r.Spec.GetTracing() {
		add(sectionTracing, i, s.GetProviders())
	}
	for i, s := range r.Spec.GetMetrics() {
		add(sectionMetrics, i, s.GetProviders())
	}
	for i, s := range r.Spec.GetAccessLogging() {
		add(sectionLogging, i, s.GetProviders())
	}
	return uses
}

func resourceGaps(mesh *model.Mesh, r *resource.Of[*telemetry.Telemetry]) []diag.Finding {
	var findings []diag.Finding
	for _, use := range resourceUses(r) {
		findings = append(findings, use.gaps(mesh)...)
	}
	for i, s := range r.Spec.GetTracing() {
		if len(s.GetProviders()) > 1 {
			findings = append(findings, gap(r.At(resource.Index("spec.tracing", i)+".providers"),
				fmt.Sprintf("of several tracing providers %q alone gets the spans, as in istiod", s.GetProviders()[0].GetName())))
		}
	}
	if len(r.Spec.GetMetrics()) > 0 {
		findings = append(findings, gap(r.At("spec.metrics"), metricsNote))
	}
	return findings
}

const metricsNote = "metrics are compiled with --target istio-proxy alone: they are counted by the filter istio.stats, which stock Envoy lacks"

func isMetricsNote(f diag.Finding) bool { return f.Message == metricsNote }

// gaps says what of the provider has no effect where it is named.
func (u providerUse) gaps(mesh *model.Mesh) []diag.Finding {
	all := mesh.Settings.Mesh.GetExtensionProviders()
	i := slices.IndexFunc(all, func(p *meshconfig.MeshConfig_ExtensionProvider) bool { return strings.EqualFold(p.GetName(), u.name) })
	if i < 0 {
		return []diag.Finding{gap(u.source, fmt.Sprintf(
			"MeshConfig has no extension provider %q: %s does nothing with it; add it to meshConfig.extensionProviders", u.name, u.section))}
	}
	provider := all[i]
	if !u.section.takes(provider) {
		return []diag.Finding{gap(u.source, fmt.Sprintf("provider %q is of a kind that %s does nothing with", u.name, u.section))}
	}
	var findings []diag.Finding
	if service, port := collectorService(provider); service != "" {
		c, err := collectorOf(mesh, service, port)
		switch {
		case err != nil:
			findings = append(findings, gap(u.source, fmt.Sprintf("%s by provider %q is not compiled: %v", u.section, u.name, err)))
		case c.unseen != "":
			findings = append(findings, gap(u.source, fmt.Sprintf("%s by provider %q is not compiled for stock Envoy: %s", u.section, u.name, c.unseen)))
		}
	}
	return append(findings, optionGaps(mesh, provider)...)
}

// takes tells whether the section can use the provider.
func (s telemetrySection) takes(provider *meshconfig.MeshConfig_ExtensionProvider) bool {
	switch provider.GetProvider().(type) {
	case *meshconfig.MeshConfig_ExtensionProvider_Zipkin, *meshconfig.MeshConfig_ExtensionProvider_Datadog,
		*meshconfig.MeshConfig_ExtensionProvider_Skywalking, *meshconfig.MeshConfig_ExtensionProvider_Opentelemetry:
		return s == sectionTracing
	case *meshconfig.MeshConfig_ExtensionProvider_Prometheus:
		return s == sectionMetrics
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLog, *meshconfig.MeshConfig_ExtensionProvider_EnvoyHttpAls,
		*meshconfig.MeshConfig_ExtensionProvider_EnvoyTcpAls, *meshconfig.MeshConfig_ExtensionProvider_EnvoyOtelAls:
		return s == sectionLogging
	default:
		return false
	}
}

// collectorService is the service that the provider sends to, "" where it sends to none.
func collectorService(provider *meshconfig.MeshConfig_ExtensionProvider) (string, uint32) {
	type sender interface {
		GetService() string
		GetPort() uint32
	}
	for _, p := range []sender{
		provider.GetZipkin(), provider.GetDatadog(), provider.GetSkywalking(), provider.GetOpentelemetry(),
		provider.GetEnvoyHttpAls(), provider.GetEnvoyTcpAls(), provider.GetEnvoyOtelAls(),
	} {
		if service := p.GetService(); service != "" {
			return service, p.GetPort()
		}
	}
	return "", 0
}

// optionGaps are the provider's options that have no effect.
func optionGaps(mesh *model.Mesh, provider *meshconfig.MeshConfig_ExtensionProvider) []diag.Finding {
	source := mesh.Settings.Source("extensionProviders." + provider.GetName())
	var findings []diag.Finding
	add := func(format string, args ...any) {
		findings = append(findings, gap(source, fmt.Sprintf("provider %q: ", provider.GetName())+fmt.Sprintf(format, args...)))
	}
	otel := provider.GetOpentelemetry()
	if provider.GetSkywalking().GetAccessToken() != "" {
		add("accessToken is not sent, as in istiod")
	}
	if otel.GetServiceAttributeEnrichment() == meshconfig.MeshConfig_ExtensionProvider_OTEL_SEMANTIC_CONVENTIONS {
		add("serviceAttributeEnrichment is not compiled: it is carried out by variables that the injector sets in pods")
	}
	if otel.GetHttp() != nil && otel.GetHttp().GetTimeout() == nil {
		add("http.timeout is missing: Envoy refuses what istiod then sends; stock Envoy is compiled for with %v", collectorTimeout)
	}
	if sampler := otel.GetDynatraceSampler(); sampler != nil {
		own := sampler.GetHttpService()
		switch _, err := collectorOf(mesh, own.GetService(), own.GetPort()); {
		case own == nil && otel.GetHttp() == nil:
			add("nothing is traced: dynatraceSampler needs httpService, or spans that are sent by http")
		case own != nil && err != nil:
			add("nothing is traced: the service of dynatraceSampler: %v", err)
		}
	}
	headers := slices.Concat(provider.GetZipkin().GetHeaders(), otel.GetHttp().GetHeaders(), otel.GetGrpc().GetInitialMetadata(),
		otel.GetDynatraceSampler().GetHttpService().GetHttp().GetHeaders())
	for _, h := range headers {
		if h.GetEnvName() != "" {
			add("header %s is sent empty: its value is that of istiod's own variable %s", h.GetName(), h.GetEnvName())
		}
	}
	return findings
}

// gap is the finding; its place is unknown where Istio's defaults alone speak.
func gap(source resource.Source, message string) diag.Finding {
	f := diag.Finding{Rule: notCompiledRule, Severity: diag.Info, Message: message}
	if source.Resource != nil {
		f.Resource, f.Path, f.Location = source.Resource.Ref(), source.Path, source.Location()
	}
	return f
}
