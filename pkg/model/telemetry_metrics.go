package model

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Metrics says what a provider counts, seen as client or as server.
type Metrics struct {
	// Provider is the name as the Telemetry or MeshConfig writes it.
	Provider string
	// Disabled says that all metrics are off.
	Disabled bool
	// ReportingInterval is how often open TCP connections are reported, nil for the proxy's own five seconds.
	ReportingInterval *durationpb.Duration
	// Overrides change single metrics, ordered by name.
	Overrides []MetricOverride
	Sources   []resource.Source
}

// MetricOverride changes one metric.
type MetricOverride struct {
	// Metric is one of Istio's (REQUEST_COUNT) or a custom metric's name.
	Metric   string
	Disabled bool
	// Tags holds, by name, the expression of a tag; nil for a tag that is removed.
	Tags map[string]*string
}

// Metrics returns what is counted, ordered by provider; nothing where no provider is named.
func (t *Telemetry) Metrics(mode telemetry.WorkloadMode) []Metrics {
	merge := t.metricsMerge(mode)
	parent := t.settings.Mesh.GetDefaultProviders().GetMetrics()
	for _, r := range t.From {
		for i, spec := range r.Spec.GetMetrics() {
			if names := providerNames(spec.GetProviders()); len(names) > 0 {
				parent = names
			}
			for _, name := range parent {
				if merge.inScope[name] {
					merge.apply(name, spec, r.At(resource.Index("spec.metrics", i)))
				}
			}
		}
	}
	var out []Metrics
	for _, name := range sortedKeys(merge.providers) {
		out = append(out, merge.providers[name].metrics())
	}
	return out
}

// metricsMerge lays sections over each other.
type metricsMerge struct {
	mode      telemetry.WorkloadMode
	inScope   map[string]bool
	providers map[string]*providerMetrics
}

// providerMetrics is what sections have said so far of one provider.
type providerMetrics struct {
	Metrics
	overrides map[string]*MetricOverride
}

// metricsMerge begins with the default providers where no section speaks. In scope are the providers of the last section that names any.
func (t *Telemetry) metricsMerge(mode telemetry.WorkloadMode) *metricsMerge {
	m := &metricsMerge{mode: mode, inScope: map[string]bool{}, providers: map[string]*providerMetrics{}}
	names := t.settings.Mesh.GetDefaultProviders().GetMetrics()
	given := false
	for _, r := range t.From {
		for _, spec := range r.Spec.GetMetrics() {
			given = true
			if own := providerNames(spec.GetProviders()); len(own) > 0 {
				names = own
			}
		}
	}
	for _, name := range names {
		m.inScope[name] = true
		if !given {
			m.provider(name).Sources = []resource.Source{t.settings.Source("defaultProviders.metrics")}
		}
	}
	return m
}

func (m *metricsMerge) provider(name string) *providerMetrics {
	p := m.providers[name]
	if p == nil {
		p = &providerMetrics{Metrics: Metrics{Provider: name}, overrides: map[string]*MetricOverride{}}
		m.providers[name] = p
	}
	return p
}

func (m *metricsMerge) apply(provider string, spec *telemetry.Metrics, source resource.Source) {
	p := m.provider(provider)
	p.Sources = append(p.Sources, source)
	if v := spec.GetReportingInterval(); v != nil {
		p.ReportingInterval = v
	}
	for _, o := range spec.GetOverrides() {
		if !inMode(o.GetMatch().GetMode(), m.mode) {
			continue
		}
		// Everything off takes the filter away; a later override of anything brings it back.
		if matchesAllMetrics(o.GetMatch()) && o.GetDisabled().GetValue() {
			p.Disabled = true
			continue
		}
		p.Disabled = false
		for _, metric := range matchedMetrics(o.GetMatch()) {
			p.override(metric, o)
		}
	}
}

func (p *providerMetrics) override(metric string, o *telemetry.MetricsOverrides) {
	have := p.overrides[metric]
	if have == nil {
		have = &MetricOverride{Metric: metric, Tags: map[string]*string{}}
		p.overrides[metric] = have
	}
	if v := o.GetDisabled(); v != nil {
		have.Disabled = v.GetValue()
	}
	for name, tag := range o.GetTagOverrides() {
		switch tag.GetOperation() {
		case telemetry.MetricsOverrides_TagOverride_REMOVE:
			have.Tags[name] = nil
		default:
			have.Tags[name] = new(tag.GetValue())
		}
	}
}

func (p *providerMetrics) metrics() Metrics {
	out := p.Metrics
	for _, name := range sortedKeys(p.overrides) {
		out.Overrides = append(out.Overrides, *p.overrides[name])
	}
	return out
}

func matchesAllMetrics(match *telemetry.MetricSelector) bool {
	_, custom := match.GetMetricMatch().(*telemetry.MetricSelector_CustomMetric)
	return !custom && match.GetMetric() == telemetry.MetricSelector_ALL_METRICS
}

// matchedMetrics are the names of the metrics that an override is for, in order.
func matchedMetrics(match *telemetry.MetricSelector) []string {
	if custom, ok := match.GetMetricMatch().(*telemetry.MetricSelector_CustomMetric); ok {
		return []string{custom.CustomMetric}
	}
	if !matchesAllMetrics(match) {
		return []string{match.GetMetric().String()}
	}
	all := maps.Clone(telemetry.MetricSelector_IstioMetric_value)
	delete(all, telemetry.MetricSelector_ALL_METRICS.String())
	return slices.Sorted(maps.Keys(all))
}
