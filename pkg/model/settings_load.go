package model

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	meshconfig "istio.io/api/mesh/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
)

// loadSettings merges the mesh-wide settings, lowest precedence first: IstioOperator, ConfigMaps, the options' files. What the input holds
// and cannot be decoded becomes a finding; an error means that an option's file is bad.
func (m *Mesh) loadSettings(ctx context.Context, opts Options) error {
	m.Settings = Settings{
		Mesh:         DefaultMeshConfig(),
		Networks:     &meshconfig.MeshNetworks{},
		DomainSuffix: defaultDomain,
		ClusterID:    defaultCluster,
	}
	for _, r := range m.OfKind("IstioOperator", "install.istio.io") {
		m.settingsOfOperator(r)
	}
	for _, cm := range m.settingsConfigMaps() {
		m.settingsOfConfigMap(cm)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if opts.MeshConfigFile != "" {
		text, err := m.optionSettings(opts, opts.MeshConfigFile, &meshconfig.MeshConfig{})
		if err != nil {
			return err
		}
		if err := applyMeshYAML(m.Settings.Mesh, text); err != nil {
			return fmt.Errorf("%s: not a MeshConfig: %w", opts.MeshConfigFile, err)
		}
	}
	if opts.MeshNetworksFile != "" {
		text, err := m.optionSettings(opts, opts.MeshNetworksFile, &meshconfig.MeshNetworks{})
		if err != nil {
			return err
		}
		if err := applyNetworksYAML(m.Settings.Networks, text); err != nil {
			return fmt.Errorf("%s: not MeshNetworks: %w", opts.MeshNetworksFile, err)
		}
	}
	if opts.ProxiesFile != "" {
		proxies, err := opts.readProxies(opts.ProxiesFile)
		if err != nil {
			return err
		}
		m.givenProxies, m.proxiesGiven = proxies, true
	}
	return nil
}

// settingsConfigMaps returns the ConfigMaps that istiod and the injector read: istio and istio-REVISION, istio-sidecar-injector, in
// istio-system or in a namespace that the input names as the control plane's. Plain names come before revisions.
func (m *Mesh) settingsConfigMaps() []resource.Of[*corev1.ConfigMap] {
	var out []resource.Of[*corev1.ConfigMap]
	for _, cm := range All[*corev1.ConfigMap](m) {
		_, mesh := cm.Spec.Data["mesh"]
		_, networks := cm.Spec.Data["meshNetworks"]
		_, values := cm.Spec.Data["values"]
		isMesh := (cm.Name == "istio" || strings.HasPrefix(cm.Name, "istio-")) && (mesh || networks)
		isInjector := strings.HasPrefix(cm.Name, "istio-sidecar-injector") && values
		if (isMesh || isInjector) && (cm.Namespace == systemNamespace || !cm.NamespaceGiven || m.isControlPlane(cm.Namespace)) {
			out = append(out, cm)
		}
	}
	slices.SortStableFunc(out, func(a, b resource.Of[*corev1.ConfigMap]) int { return len(a.Name) - len(b.Name) })
	return out
}

// isControlPlane tells whether istiod runs in the namespace, by what IstioOperator documents or an istiod Deployment say.
func (m *Mesh) isControlPlane(ns string) bool {
	for _, r := range m.OfKind("IstioOperator", "install.istio.io") {
		if text, ok := scalarAt(r, "spec.values.global.istioNamespace"); ok && text == ns {
			return true
		}
	}
	for _, r := range m.OfKind("Deployment", "apps") {
		if r.Namespace == ns && (r.Name == "istiod" || r.Labels["app"] == "istiod") {
			return true
		}
	}
	return false
}

func (m *Mesh) settingsOfConfigMap(cm resource.Of[*corev1.ConfigMap]) {
	if text, ok := cm.Spec.Data["mesh"]; ok {
		m.Findings = append(m.Findings, embeddedSettings(cm.At("data.mesh"), &meshconfig.MeshConfig{})...)
		m.applySource(cm.At("data.mesh"), "MeshConfig", func() error { return applyMeshYAML(m.Settings.Mesh, []byte(text)) })
	}
	if text, ok := cm.Spec.Data["meshNetworks"]; ok {
		m.Findings = append(m.Findings, embeddedSettings(cm.At("data.meshNetworks"), &meshconfig.MeshNetworks{})...)
		m.applySource(cm.At("data.meshNetworks"), "MeshNetworks", func() error { return applyNetworksYAML(m.Settings.Networks, []byte(text)) })
	}
	if text, ok := cm.Spec.Data["values"]; ok && strings.HasPrefix(cm.Name, "istio-sidecar-injector") {
		m.applySource(cm.At("data.values"), "injection values", func() error {
			raw, err := objectFromYAML([]byte(text))
			if err != nil {
				return err
			}
			return m.applyValues(raw)
		})
	}
}

func (m *Mesh) settingsOfOperator(r *resource.Resource) {
	// meshConfig at the top of the spec wins over values.meshConfig, as in istioctl's translation.
	for _, path := range []string{"spec.values", "spec.values.meshConfig", "spec.meshConfig"} {
		node, ok := r.NodeAt(path)
		if !ok || node.Kind != yaml.MappingNode {
			continue
		}
		m.applySource(r.At(path), "MeshConfig", func() error {
			raw, err := objectFromNode(node)
			if err != nil {
				return err
			}
			if path == "spec.values" {
				return m.applyValues(raw)
			}
			return applyMesh(m.Settings.Mesh, raw)
		})
	}
}

// applySource records the source, or reports why it cannot be used where nothing more precise was said of it.
func (m *Mesh) applySource(src resource.Source, what string, apply func() error) {
	if err := apply(); err != nil {
		if m.complained(src) {
			return
		}
		m.Findings = append(m.Findings, diag.Finding{
			Rule: "schema/mesh-settings", Severity: diag.Error,
			Message:  fmt.Sprintf("this is no %s that istiod could read: %v", what, err),
			Resource: src.Resource.Ref(), Path: src.Path, Location: src.Location(),
		})
		return
	}
	m.Settings.Sources = append(m.Settings.Sources, src)
}

// values are those of the charts that bear on what proxies are told.
type values struct {
	Global struct {
		MeshID       string `json:"meshID"`
		Network      string `json:"network"`
		TrustDomain  string `json:"trustDomain"`
		MultiCluster struct {
			ClusterName string `json:"clusterName"`
		} `json:"multiCluster"`
		Proxy struct {
			ClusterDomain string `json:"clusterDomain"`
		} `json:"proxy"`
		MeshNetworks json.RawMessage `json:"meshNetworks"`
	} `json:"global"`
	SidecarInjectorWebhook struct {
		EnableNamespacesByDefault bool `json:"enableNamespacesByDefault"`
	} `json:"sidecarInjectorWebhook"`
}

func (m *Mesh) applyValues(raw map[string]json.RawMessage) error {
	var v values
	for key, into := range map[string]any{"global": &v.Global, "sidecarInjectorWebhook": &v.SidecarInjectorWebhook} {
		if text, ok := raw[key]; ok {
			if err := json.Unmarshal(text, into); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	s := &m.Settings
	s.EnableNamespacesByDefault = s.EnableNamespacesByDefault || v.SidecarInjectorWebhook.EnableNamespacesByDefault
	set := func(to *string, value string) {
		if value != "" {
			*to = value
		}
	}
	set(&s.MeshID, v.Global.MeshID)
	set(&s.Network, v.Global.Network)
	set(&s.ClusterID, v.Global.MultiCluster.ClusterName)
	set(&s.DomainSuffix, v.Global.Proxy.ClusterDomain)
	set(&s.Mesh.TrustDomain, v.Global.TrustDomain)
	if len(v.Global.MeshNetworks) > 0 && string(v.Global.MeshNetworks) != "null" && string(v.Global.MeshNetworks) != "{}" {
		return applyNetworksYAML(s.Networks, append(append([]byte(`{"networks":`), v.Global.MeshNetworks...), '}'))
	}
	return nil
}

// applyNetworksYAML replaces the networks by those of the document.
func applyNetworksYAML(into *meshconfig.MeshNetworks, text []byte) error {
	raw, err := objectFromYAML(text)
	if err != nil {
		return err
	}
	return overlay(into, &meshconfig.MeshNetworks{}, raw)
}

// objectFromNode turns a YAML mapping of the input into JSON.
func objectFromNode(n *yaml.Node) (map[string]json.RawMessage, error) {
	var value map[string]any
	if err := n.Decode(&value); err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return objectFromJSON(text)
}

// scalarAt returns the text of a scalar field.
func scalarAt(r *resource.Resource, path string) (string, bool) {
	n, ok := r.NodeAt(path)
	if !ok || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}
