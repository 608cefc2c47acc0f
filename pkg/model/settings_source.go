package model

import (
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Source tells which document gave a field of MeshConfig its value: a field's name (accessLogFile), one below defaultConfig or
// defaultProviders (defaultConfig.tracing), or a provider by its name (extensionProviders.zipkin). Without a resource where only Istio's
// defaults speak.
func (s Settings) Source(field string) resource.Source { return s.fields[field] }

// noteFields remembers where the fields of a MeshConfig stand; prefix is the path to root in r.
func (s *Settings) noteFields(r *resource.Resource, prefix string, root *yaml.Node) {
	if s.fields == nil {
		s.fields = map[string]resource.Source{}
	}
	note := func(field, path string) {
		if prefix != "" {
			path = prefix + "." + path
		}
		s.fields[field] = r.At(path)
	}
	for key, value := range entries(root) {
		note(key, key)
		switch key {
		case "defaultConfig", "defaultProviders":
			for inner := range entries(value) {
				note(key+"."+inner, resource.Key(key, inner))
			}
		case "extensionProviders":
			if value.Kind != yaml.SequenceNode {
				continue
			}
			for i, provider := range value.Content {
				if name := child(resolved(provider), "name"); name != nil {
					note(key+"."+name.Value, resource.Index(key, i))
				}
			}
		}
	}
}

// settingsResource stands for a document of settings that is no resource of its own: a string inside a ConfigMap, or an option's file.
func settingsResource(doc *document.Document, root *yaml.Node, ref diag.Resource) *resource.Resource {
	r := &resource.Resource{
		APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, NamespaceGiven: ref.Namespace != "", Name: ref.Name,
		Document: doc, Node: root,
	}
	if r.Kind == "" {
		r.Kind, r.Name = "MeshConfig", filepath.Base(doc.File)
	}
	return r
}
