package model

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Labels and annotations of the sidecar injector
// (https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy).
const (
	injectionLabel       = "istio-injection"
	revisionLabel        = "istio.io/rev"
	injectLabel          = "sidecar.istio.io/inject"
	dataplaneModeLabel   = "istio.io/dataplane-mode"
	templatesAnnotation  = "inject.istio.io/templates"
	statusAnnotation     = "sidecar.istio.io/status"
	tlsModeLabel         = "security.istio.io/tlsMode"
	canonicalNameLabel   = "service.istio.io/canonical-name"
	canonicalRevLabel    = "service.istio.io/canonical-revision"
	gatewayNameLabel     = "gateway.networking.k8s.io/gateway-name"
	managedGatewayLabel  = "gateway.istio.io/managed"
	tlsModeIstio         = "istio"
	tlsModeDisabled      = "disabled"
	proxyContainer       = "istio-proxy"
	defaultRevisionLabel = "latest"
)

// neverInjected are the namespaces that the injector leaves alone whatever their labels say.
var neverInjected = []string{"kube-system", "kube-public", "kube-node-lease", "local-path-storage"}

// injected decides whether a pod gets a sidecar, and says what decided.
func (m *Mesh) injected(namespace string, labels, annotations map[string]string, spec *corev1.PodSpec) (yes bool, why string) {
	if spec != nil && hasProxy(spec) {
		return true, "its pod has a container istio-proxy already"
	}
	if annotations[statusAnnotation] != "" {
		return true, "its pod carries the annotation " + statusAnnotation
	}
	switch {
	case spec != nil && spec.HostNetwork:
		return false, "it uses the host's network"
	case slices.Contains(neverInjected, namespace):
		return false, "namespace " + namespace + " is never injected"
	case namespace == systemNamespace && labels[injectLabel] == "" && annotations[injectLabel] == "":
		return false, "it stands in the control plane's namespace"
	}
	if labels[tlsModeLabel] == tlsModeIstio && labels[canonicalNameLabel] != "" {
		return true, "it carries the labels that the injector adds"
	}
	inject := labels[injectLabel]
	if inject == "" && annotations[injectLabel] == "false" {
		inject = "false" // an annotation can only keep a pod out: the webhook is called by labels
	}
	nsLabels, known := m.namespaceLabels(namespace)
	policy := nsLabels[injectionLabel]
	switch {
	case policy == "disabled":
		return false, "namespace " + namespace + " has " + injectionLabel + "=disabled"
	case inject == "false":
		return false, injectLabel + " is false"
	case inject == "true":
		return true, injectLabel + " is true"
	case policy == "enabled":
		return true, "namespace " + namespace + " has " + injectionLabel + "=enabled"
	case nsLabels[revisionLabel] != "":
		return true, "namespace " + namespace + " has the label " + revisionLabel
	case labels[revisionLabel] != "":
		return true, "it has the label " + revisionLabel
	case m.Settings.EnableNamespacesByDefault:
		return true, "the installation injects namespaces by default"
	case known && nsLabels[dataplaneModeLabel] == "ambient":
		return false, "namespace " + namespace + " is in ambient mode"
	case known:
		return false, "namespace " + namespace + " has no injection label"
	}
	return true, "the input holds no document of namespace " + namespace + "; injection is assumed"
}

// hasProxy tells whether a pod spec names Istio's proxy container itself, as an injected or a gateway's pod does.
func hasProxy(spec *corev1.PodSpec) bool {
	is := func(c corev1.Container) bool { return c.Name == proxyContainer }
	return slices.ContainsFunc(spec.Containers, is) || slices.ContainsFunc(spec.InitContainers, is)
}

// withInjectedLabels returns the labels together with those that the injector adds.
func withInjectedLabels(labels map[string]string, workload string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	setDefault(out, tlsModeLabel, tlsModeIstio)
	setDefault(out, canonicalNameLabel, canonicalName(labels, workload))
	setDefault(out, canonicalRevLabel, canonicalRevision(labels))
	return out
}

func setDefault(labels map[string]string, key, value string) {
	if _, ok := labels[key]; !ok && value != "" {
		labels[key] = value
	}
}

// canonicalName names the service that a workload stands for in telemetry
// (https://istio.io/latest/docs/ops/common-problems/observability-issues/#canonical-service).
func canonicalName(labels map[string]string, workload string) string {
	return firstLabel(labels, workload, canonicalNameLabel, "app.kubernetes.io/name", "app")
}

func canonicalRevision(labels map[string]string) string {
	return firstLabel(labels, defaultRevisionLabel, canonicalRevLabel, "app.kubernetes.io/version", "version")
}

func firstLabel(labels map[string]string, otherwise string, keys ...string) string {
	for _, k := range keys {
		if v := labels[k]; v != "" {
			return v
		}
	}
	return otherwise
}

// templateNames are the injection templates that a pod asks for.
func templateNames(labels, annotations map[string]string) []string {
	text := annotations[templatesAnnotation]
	if text == "" {
		text = labels[templatesAnnotation]
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// Injects tells whether a pod of the namespace with the labels and nothing else that bears on it would get a sidecar, and says what decided.
func (m *Mesh) Injects(namespace string, labels map[string]string) (yes bool, why string) {
	return m.injected(namespace, labels, nil, nil)
}
