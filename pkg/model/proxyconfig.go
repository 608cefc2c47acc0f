package model

import (
	"cmp"

	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networkingv1beta1 "istio.io/api/networking/v1beta1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// proxyConfigAnnotation holds a ProxyConfig for one pod (https://istio.io/latest/docs/reference/config/annotations/#ProxyConfig).
const proxyConfigAnnotation = "proxy.istio.io/config"

// ProxyConfigOf returns the ProxyConfig of a proxy: the mesh's default, then ProxyConfig resources of the root namespace, of its own
// namespace and for its labels, then its pod's annotation. The caller owns it. What of the
// annotation cannot be read is passed over.
// (https://istio.io/latest/docs/reference/config/networking/proxy-config/)
func (m *Mesh) ProxyConfigOf(p *Proxy) *meshconfig.ProxyConfig {
	out := proto.CloneOf(m.Settings.Mesh.GetDefaultConfig())
	t, root := m.proxyConfigs(), m.Settings.RootNamespace()
	applyProxyResource(out, firstProxyConfig(t[root], nil))
	if p.Namespace != root {
		applyProxyResource(out, firstProxyConfig(t[p.Namespace], nil))
	}
	if p.Labels != nil {
		applyProxyResource(out, firstProxyConfig(t[p.Namespace], p.Labels))
	}
	if text := p.Annotations[proxyConfigAnnotation]; text != "" {
		if doc, _ := document.Parse("", 1, []byte(text), document.Limits{}); doc != nil {
			given, root := &meshconfig.ProxyConfig{}, contentOf(doc.Root)
			m.decoder.Settings(doc, root, diag.Resource{}, "", given)
			applyProxyConfig(out, given, root)
		}
	}
	return out
}

// proxyConfigTable holds ProxyConfig resources by namespace, oldest first.
type proxyConfigTable map[string][]resource.Of[*networkingv1beta1.ProxyConfig]

func (m *Mesh) buildProxyConfigs() proxyConfigTable {
	return groupBy(byAge(All[*networkingv1beta1.ProxyConfig](m)), func(r resource.Of[*networkingv1beta1.ProxyConfig]) string {
		return r.Namespace
	})
}

func firstProxyConfig(all []resource.Of[*networkingv1beta1.ProxyConfig], labels map[string]string) *networkingv1beta1.ProxyConfig {
	for _, r := range all {
		selector := r.Spec.GetSelector().GetMatchLabels()
		if labels == nil && len(selector) == 0 || labels != nil && len(selector) > 0 && Selects(selector, labels) {
			return r.Spec
		}
	}
	return nil
}

func applyProxyResource(to *meshconfig.ProxyConfig, from *networkingv1beta1.ProxyConfig) {
	if from.GetConcurrency() != nil {
		to.Concurrency = from.GetConcurrency()
	}
	if from.GetImage() != nil {
		to.Image = from.GetImage()
	}
	to.ProxyMetadata = mergedMap(to.GetProxyMetadata(), from.GetEnvironmentVariables())
}

// ServiceCluster is the name by which a proxy introduces itself to istiod and, in spans, to tracers
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-TracingServiceName).
func ServiceCluster(p *Proxy, config *meshconfig.ProxyConfig) string {
	given := config.GetServiceCluster()
	if name, ok := config.GetClusterName().(*meshconfig.ProxyConfig_TracingServiceName_); ok {
		canonical := cmp.Or(p.Labels[canonicalNameLabel], p.Labels["app.kubernetes.io/name"], p.Labels["app"], p.Name)
		switch name.TracingServiceName {
		case meshconfig.ProxyConfig_CANONICAL_NAME_ONLY:
			given = canonical
		case meshconfig.ProxyConfig_CANONICAL_NAME_AND_NAMESPACE:
			return canonical + "." + p.Namespace
		}
	}
	if given != "" && given != proxyContainer {
		return given
	}
	return cmp.Or(p.Labels["app"], p.Name) + "." + p.Namespace
}
