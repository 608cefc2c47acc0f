package model

import (
	"slices"
	"strings"

	meshconfig "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	typev1beta1 "istio.io/api/type/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Telemetry is what Telemetry resources and MeshConfig's default providers ask of one proxy, section by section
// (https://istio.io/latest/docs/reference/config/telemetry/).
type Telemetry struct {
	// From are the resources that apply, in the order in which later ones change what earlier ones said: the root namespace's, the
	// proxy's namespace's, those that pick the proxy.
	From []resource.Of[*telemetry.Telemetry]

	settings *Settings
}

// telemetryTable holds Telemetry resources by namespace, oldest first.
type telemetryTable map[string][]resource.Of[*telemetry.Telemetry]

func (m *Mesh) buildTelemetries() telemetryTable {
	return groupBy(byAge(All[*telemetry.Telemetry](m)), func(r resource.Of[*telemetry.Telemetry]) string { return r.Namespace })
}

// TelemetryOf returns what applies to a proxy. Of several resources for a whole namespace the oldest counts; those that pick the proxy, by
// a selector or by naming its Gateway, count all.
func (m *Mesh) TelemetryOf(p *Proxy) *Telemetry {
	t, root := m.telemetries(), m.Settings.RootNamespace()
	out := &Telemetry{settings: &m.Settings}
	out.add(firstTelemetry(t[root]))
	if p.Namespace != root {
		out.add(firstTelemetry(t[p.Namespace]))
	}
	for _, r := range t[p.Namespace] {
		if picksProxy(r.Spec, p) {
			out.From = append(out.From, r)
		}
	}
	return out
}

func (t *Telemetry) add(r *resource.Of[*telemetry.Telemetry]) {
	if r != nil {
		t.From = append(t.From, *r)
	}
}

// firstTelemetry returns the oldest resource that speaks for its whole namespace.
func firstTelemetry(all []resource.Of[*telemetry.Telemetry]) *resource.Of[*telemetry.Telemetry] {
	for i := range all {
		if spec := all[i].Spec; len(spec.GetSelector().GetMatchLabels()) == 0 && len(telemetryTargets(spec)) == 0 {
			return &all[i]
		}
	}
	return nil
}

// picksProxy tells whether the resource is for some proxies only, and this is one of them.
func picksProxy(spec *telemetry.Telemetry, p *Proxy) bool {
	if targets := telemetryTargets(spec); len(targets) > 0 {
		gateway := p.Labels[gatewayNameLabel]
		return gateway != "" && slices.ContainsFunc(targets, func(ref *typev1beta1.PolicyTargetReference) bool {
			return ref.GetGroup() == "gateway.networking.k8s.io" && ref.GetKind() == "Gateway" && ref.GetName() == gateway
		})
	}
	labels := spec.GetSelector().GetMatchLabels()
	return len(labels) > 0 && Selects(labels, p.Labels)
}

func telemetryTargets(spec *telemetry.Telemetry) []*typev1beta1.PolicyTargetReference {
	if refs := spec.GetTargetRefs(); len(refs) > 0 {
		return refs
	}
	if ref := spec.GetTargetRef(); ref != nil {
		return []*typev1beta1.PolicyTargetReference{ref}
	}
	return nil
}

// Provider returns the extension provider of a name, nil where there is none. Case does not count.
func (t *Telemetry) Provider(name string) *meshconfig.MeshConfig_ExtensionProvider {
	for _, p := range t.settings.Mesh.GetExtensionProviders() {
		if strings.EqualFold(name, p.GetName()) {
			return p
		}
	}
	return nil
}

// ProviderSource tells where the provider stands in MeshConfig; without a resource for those that Istio brings along.
func (t *Telemetry) ProviderSource(p *meshconfig.MeshConfig_ExtensionProvider) resource.Source {
	return t.settings.Source("extensionProviders." + p.GetName())
}

func providerNames(refs []*telemetry.ProviderRef) []string {
	var names []string
	for _, r := range refs {
		names = append(names, r.GetName())
	}
	return names
}

// inMode tells whether something for one of the modes is for traffic seen from this one.
func inMode(asked, mode telemetry.WorkloadMode) bool {
	return asked == telemetry.WorkloadMode_CLIENT_AND_SERVER || asked == mode
}
