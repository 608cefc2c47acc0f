package model

import (
	"context"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// loadSettings merges the mesh-wide settings, lowest precedence first: IstioOperator, ConfigMaps, the options' files. What the input holds
// and cannot be decoded becomes a finding; an error means that an option's file is bad.
func (m *Mesh) loadSettings(ctx context.Context, opts Options) error {
	m.decoder = &resource.Decoder{}
	m.Settings = Settings{
		Mesh:         DefaultMeshConfig(),
		Networks:     &meshconfig.MeshNetworks{},
		DomainSuffix: defaultDomain,
		ClusterID:    defaultCluster,
	}
	for _, r := range All[*resource.IstioOperator](m) {
		m.settingsOfOperator(r)
	}
	for _, cm := range m.settingsConfigMaps() {
		m.settingsOfConfigMap(cm)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.optionSettings(opts, opts.MeshConfigFile, m.applyMeshDocument); err != nil {
		return err
	}
	if err := m.optionSettings(opts, opts.MeshNetworksFile, m.applyNetworksDocument); err != nil {
		return err
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

// applyMeshDocument lays the MeshConfig of a document over the settings.
func (m *Mesh) applyMeshDocument(doc *document.Document, root *yaml.Node, ref diag.Resource, path string) []diag.Finding {
	given := &meshconfig.MeshConfig{}
	findings := m.decoder.Settings(doc, root, ref, path, given)
	applyMesh(m.Settings.Mesh, given, root)
	m.Settings.noteFields(settingsResource(doc, root, ref), "", root)
	return findings
}

// applyNetworksDocument replaces the networks by those of a document.
func (m *Mesh) applyNetworksDocument(doc *document.Document, root *yaml.Node, ref diag.Resource, path string) []diag.Finding {
	given := &meshconfig.MeshNetworks{}
	findings := m.decoder.Settings(doc, root, ref, path, given)
	overlay(m.Settings.Networks, given, root)
	return findings
}

// applyDocument decodes a node of a document and lays it over the settings.
type applyDocument func(doc *document.Document, root *yaml.Node, ref diag.Resource, path string) []diag.Finding

// optionSettings applies a file of mesh-wide settings. Whatever istiod would not read is an error, with its place; what it would pass
// over, such as fields that it does not know, becomes a finding.
func (m *Mesh) optionSettings(opts Options, name string, apply applyDocument) error {
	if name == "" {
		return nil
	}
	doc, err := opts.parseOptionFile(name)
	if err != nil || doc == nil {
		return err
	}
	findings := apply(doc, contentOf(doc.Root), diag.Resource{}, "")
	if err := firstError(findings); err != nil {
		return err
	}
	m.Findings = append(m.Findings, findings...)
	return nil
}

// contentOf returns the node inside a document node.
func contentOf(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil
		}
		n = n.Content[0]
	}
	return resolved(n)
}

// settingsConfigMaps returns the ConfigMaps that istiod and the injector read, istio and istio-sidecar-injector, in istio-system or in a
// namespace that the input shows to be the control plane's. Where only revisions of one stand in the input (istio-REVISION), the first
// counts: each belongs to a control plane of its own.
func (m *Mesh) settingsConfigMaps() []resource.Of[*corev1.ConfigMap] {
	chosen := map[string]resource.Of[*corev1.ConfigMap]{}
	for _, cm := range All[*corev1.ConfigMap](m) {
		family := configMapFamily(cm)
		if family == "" || cm.NamespaceGiven && cm.Namespace != systemNamespace && !m.isControlPlane(cm.Namespace) {
			continue
		}
		if have, ok := chosen[family]; !ok || have.Name != family && cm.Name == family {
			chosen[family] = cm
		}
	}
	var out []resource.Of[*corev1.ConfigMap]
	for _, family := range sortedKeys(chosen) {
		out = append(out, chosen[family])
	}
	return out
}

// configMapFamily is the name without a revision of a ConfigMap that holds mesh settings, "" for any other.
func configMapFamily(cm resource.Of[*corev1.ConfigMap]) string {
	switch {
	case resource.IsInjectorConfigMap(cm.Resource):
		return "istio-sidecar-injector"
	case resource.IsMeshConfigMap(cm.Resource):
		return "istio"
	}
	return ""
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
	if resource.IsInjectorConfigMap(cm.Resource) {
		m.embedded(cm.Resource, "data.values", m.applyValuesDocument)
		return
	}
	m.embedded(cm.Resource, "data.mesh", m.applyMeshDocument)
	m.embedded(cm.Resource, "data.meshNetworks", m.applyNetworksDocument)
}

// embedded applies the YAML inside a string of a ConfigMap.
func (m *Mesh) embedded(r *resource.Resource, path string, apply applyDocument) {
	doc, findings := resource.Embedded(r, path)
	m.Findings = append(m.Findings, findings...)
	if doc == nil {
		return
	}
	m.Findings = append(m.Findings, apply(doc, contentOf(doc.Root), r.Ref(), path)...)
	m.Settings.Sources = append(m.Settings.Sources, r.At(path))
}

func (m *Mesh) settingsOfOperator(r resource.Of[*resource.IstioOperator]) {
	if node, ok := r.NodeAt("spec.values"); ok {
		m.Findings = append(m.Findings, m.applyValuesDocument(r.Document, resolved(node), r.Ref(), "spec.values")...)
		m.Settings.Sources = append(m.Settings.Sources, r.At("spec.values"))
	}
	if node, ok := r.NodeAt("spec.values.meshConfig"); ok {
		m.Findings = append(m.Findings, m.applyMeshDocument(r.Document, resolved(node), r.Ref(), "spec.values.meshConfig")...)
	}
	// meshConfig at the top of the spec wins over that of the values, as in istioctl's translation.
	if node, ok := r.NodeAt("spec.meshConfig"); ok && r.Spec.MeshConfig != nil {
		applyMesh(m.Settings.Mesh, proto.CloneOf(r.Spec.MeshConfig), resolved(node))
		m.Settings.noteFields(r.Resource, "spec.meshConfig", resolved(node))
		m.Settings.Sources = append(m.Settings.Sources, r.At("spec.meshConfig"))
	}
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
	} `json:"global"`
	SidecarInjectorWebhook struct {
		EnableNamespacesByDefault bool `json:"enableNamespacesByDefault"`
	} `json:"sidecarInjectorWebhook"`
}

// applyValuesDocument takes over what the charts' values say of proxies; values of other types than the charts know are left alone.
func (m *Mesh) applyValuesDocument(doc *document.Document, root *yaml.Node, ref diag.Resource, path string) []diag.Finding {
	var v values
	for key, into := range map[string]any{"global": &v.Global, "sidecarInjectorWebhook": &v.SidecarInjectorWebhook} {
		if err := decodeLoosely(child(root, key), into); err != nil {
			return []diag.Finding{{
				Rule: "schema/wrong-type", Severity: diag.Error, Resource: ref, Path: resource.Key(path, key),
				Location: doc.Location(root), Message: fmt.Sprintf("%s: no values that the charts could read: %v", resource.Key(path, key), err),
			}}
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
	networks := child(child(root, "global"), "meshNetworks")
	if networks == nil || len(networks.Content) == 0 {
		return nil
	}
	given := &meshconfig.MeshNetworks{}
	wrapped := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: networks.Line, Column: networks.Column, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: "networks", Line: networks.Line, Column: networks.Column}, networks,
	}}
	findings := m.decoder.Settings(doc, wrapped, ref, path+".global", given)
	overlay(s.Networks, given, wrapped)
	return findings
}

// decodeLoosely decodes a node into a Go value with json tags, passing over what the value has no place for.
func decodeLoosely(n *yaml.Node, into any) error {
	if n == nil {
		return nil
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// scalarAt returns the text of a scalar field.
func scalarAt(r *resource.Resource, path string) (string, bool) {
	n, ok := r.NodeAt(path)
	if !ok || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}
