// Package model is the mesh that a tree of YAML describes: its resources, typed and with positions, and the answers to the mesh's own
// questions. Which services exist, which workloads a selector picks, what a short host name means in a namespace, what exportTo and a
// Sidecar let a proxy see: each is answered here, once, for the linter, the compiler and the simulator alike.
//
// The model knows neither lint nor Envoy.
package model

import (
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Mesh is everything that was loaded. It is immutable once Load has returned and safe for concurrent use.
type Mesh struct {
	// Settings are the mesh-wide ones: MeshConfig, MeshNetworks, injection.
	Settings Settings
	// Findings are what loading had to say: unreadable files, malformed documents, unknown fields, wrong types.
	Findings []diag.Finding
	// Stats counts what was read.
	Stats Stats

	resources []*resource.Resource
	byKind    map[string][]*resource.Resource // key: Kind.group
	sources   map[string][]byte               // file → its bytes, for excerpts
	index                                     // what the questions need, built once by Load
}

// Stats counts what was read.
type Stats struct {
	Files     int
	Documents int
	Resources int
	// Skipped counts documents of kinds that meshc does not know, by "apiVersion kind".
	Skipped map[string]int
	// Unread lists what was passed over with its reason: Helm templates, links.
	Unread []Unread
	// Unreadable counts files that could not be read at all (missing, no permission, too large, no text), Malformed documents that are no
	// YAML. Each has a finding.
	Unreadable int
	Malformed  int
}

// Unread is something that was not looked at, and why.
type Unread struct {
	File string
	Why  string
}

// Resources returns every resource, ordered by group, kind, namespace, name, file and line.
func (m *Mesh) Resources() []*resource.Resource { return m.resources }

// SourceText returns the bytes of a file that was loaded, nil for one that was not.
func (m *Mesh) SourceText(file string) []byte { return m.sources[file] }
