package model

import (
	telemetry "istio.io/api/telemetry/v1alpha1"

	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Tracing says how requests are traced, seen as client or as server.
type Tracing struct {
	// Provider gets the spans; nil where none is named, or none of the name exists: then nothing is traced.
	Provider *meshconfig.MeshConfig_ExtensionProvider
	// ProviderName is the name, known or not; "" for none.
	ProviderName string
	Disabled     bool
	// Sampling is the percentage of requests traced, nil where ProxyConfig decides.
	Sampling *float64
	// CustomTags are tags by name; where there are none ProxyConfig's count.
	CustomTags           map[string]*telemetry.Tracing_CustomTag
	UseRequestID         bool
	EnableIstioTags      bool
	NoContextPropagation bool
	Sources              []resource.Source
}

// Tracing returns the tracing of traffic seen as client or as server; nil where neither a Telemetry nor a default provider speaks of tracing, so that
// MeshConfig.enableTracing and ProxyConfig decide.
func (t *Telemetry) Tracing(mode telemetry.WorkloadMode) *Tracing {
	out := &Tracing{UseRequestID: true, EnableIstioTags: true}
	given := false
	if defaults := t.settings.Mesh.GetDefaultProviders().GetTracing(); len(defaults) > 0 {
		given = true
		out.ProviderName, out.Provider = defaults[0], t.Provider(defaults[0])
		out.Sources = append(out.Sources, t.settings.Source("defaultProviders.tracing"))
	}
	for _, r := range t.From {
		for i, spec := range r.Spec.GetTracing() {
			given = true
			if !inMode(spec.GetMatch().GetMode(), mode) {
				continue
			}
			// One provider alone gets the spans: the first that is named.
			if names := providerNames(spec.GetProviders()); len(names) > 0 {
				out.ProviderName, out.Provider = names[0], t.Provider(names[0])
			}
			out.merge(spec)
			out.Sources = append(out.Sources, r.At(resource.Index("spec.tracing", i)))
		}
	}
	if !given {
		return nil
	}
	out.Disabled = out.Disabled || out.Provider == nil
	return out
}

// merge takes over what a later section says.
func (t *Tracing) merge(spec *telemetry.Tracing) {
	if v := spec.GetDisableSpanReporting(); v != nil {
		t.Disabled = v.GetValue()
	}
	if tags := spec.GetCustomTags(); tags != nil {
		t.CustomTags = tags
	}
	if v := spec.GetRandomSamplingPercentage(); v != nil {
		t.Sampling = new(v.GetValue())
	}
	if v := spec.GetUseRequestIdForTraceSampling(); v != nil {
		t.UseRequestID = v.GetValue()
	}
	if v := spec.GetEnableIstioTags(); v != nil {
		t.EnableIstioTags = v.GetValue()
	}
	if v := spec.GetDisableContextPropagation(); v != nil {
		t.NoContextPropagation = v.GetValue()
	}
}
