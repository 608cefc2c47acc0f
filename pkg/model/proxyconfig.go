package model

import (
	"cmp"
	"slices"

	"go.yaml.in/yaml/v3"
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
	for _, layer := range m.ProxyConfigLayers(p) {
		applyProxyConfig(out, layer.Given, layer.node)
	}
	return out
}

// ProxyConfigLayer is a place that says something of a proxy's ProxyConfig, over the mesh's default.
type ProxyConfigLayer struct {
	// Given is what the place says, and nothing else.
	Given *meshconfig.ProxyConfig
	// In is the resource, or the workload whose pods have the annotation.
	In *resource.Resource
	// Annotation tells an annotation from a resource.
	Annotation bool

	source func(field string) resource.Source
	// node is the YAML of an annotation, for the fields that it sets to their zero value.
	node *yaml.Node
}

// Source tells where a field of meshconfig.ProxyConfig (extraStatTags) stands.
func (l *ProxyConfigLayer) Source(field string) resource.Source { return l.source(field) }

// ProxyConfigLayers returns what is laid over the mesh's default for a proxy, the strongest last. The annotation is that: Istio's agent
// applies it once more to what the injector has merged.
func (m *Mesh) ProxyConfigLayers(p *Proxy) []ProxyConfigLayer {
	var layers []ProxyConfigLayer
	add := func(r *resource.Of[*networkingv1beta1.ProxyConfig]) {
		if r != nil {
			layers = append(layers, ProxyConfigLayerOf(r))
		}
	}
	t, root := m.proxyConfigs(), m.Settings.RootNamespace()
	add(firstProxyConfig(t[root], nil))
	if p.Namespace != root {
		add(firstProxyConfig(t[p.Namespace], nil))
	}
	if p.Labels != nil {
		add(firstProxyConfig(t[p.Namespace], p.Labels))
	}
	if text := p.Annotations[proxyConfigAnnotation]; text != "" {
		if doc, _ := document.Parse("", 1, []byte(text), document.Limits{}); doc != nil {
			given, root := &meshconfig.ProxyConfig{}, contentOf(doc.Root)
			m.decoder.Settings(doc, root, diag.Resource{}, "", given)
			source := p.AnnotationSource(proxyConfigAnnotation)
			layers = append(layers, ProxyConfigLayer{
				Given: given, In: source.Resource, Annotation: true, node: root, source: func(string) resource.Source { return source },
			})
		}
	}
	return layers
}

// ProxyConfigLayerOf is what a ProxyConfig resource says, in the words of MeshConfig, whatever proxies it is for.
func ProxyConfigLayerOf(r *resource.Of[*networkingv1beta1.ProxyConfig]) ProxyConfigLayer {
	given := &meshconfig.ProxyConfig{
		Concurrency: r.Spec.GetConcurrency(), Image: r.Spec.GetImage(), ProxyMetadata: r.Spec.GetEnvironmentVariables(),
	}
	return ProxyConfigLayer{Given: given, In: r.Resource, source: func(field string) resource.Source {
		if field == "proxyMetadata" {
			field = "environmentVariables"
		}
		return r.At(resource.Key("spec", field))
	}}
}

// ProxyConfigSource tells which place decides over a field of the proxy's ProxyConfig; nothing where Istio's default stands.
func (m *Mesh) ProxyConfigSource(p *Proxy, field string) resource.Source {
	layers := m.ProxyConfigLayers(p)
	fd := (&meshconfig.ProxyConfig{}).ProtoReflect().Descriptor().Fields().ByJSONName(field)
	for _, layer := range slices.Backward(layers) {
		if fd != nil && layer.Given.ProtoReflect().Has(fd) {
			return layer.Source(field)
		}
	}
	return m.Settings.Source("defaultConfig." + field)
}

// AnnotationSource tells where an annotation of the proxy's pod stands: in the pod's template or on the proxy's resource itself.
func (p *Proxy) AnnotationSource(name string) resource.Source {
	r := p.Source.Resource
	if r == nil {
		return resource.Source{}
	}
	for _, metadata := range []string{"spec.template.metadata", "spec.jobTemplate.spec.template.metadata", "metadata"} {
		path := resource.Key(metadata+".annotations", name)
		if _, ok := r.NodeAt(path); ok {
			return r.At(path)
		}
	}
	return p.Source
}

// proxyConfigTable holds ProxyConfig resources by namespace, oldest first.
type proxyConfigTable map[string][]resource.Of[*networkingv1beta1.ProxyConfig]

func (m *Mesh) buildProxyConfigs() proxyConfigTable {
	return groupBy(byAge(All[*networkingv1beta1.ProxyConfig](m)), func(r resource.Of[*networkingv1beta1.ProxyConfig]) string {
		return r.Namespace
	})
}

// firstProxyConfig returns the oldest resource for the whole namespace, or with labels the oldest whose selector picks them.
func firstProxyConfig(all []resource.Of[*networkingv1beta1.ProxyConfig], labels map[string]string) *resource.Of[*networkingv1beta1.ProxyConfig] {
	for i := range all {
		selector := all[i].Spec.GetSelector()
		if labels == nil && selector == nil || labels != nil && len(selector.GetMatchLabels()) > 0 && Selects(selector.GetMatchLabels(), labels) {
			return &all[i]
		}
	}
	return nil
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
