// Package resource gives documents their types: Istio's own API types, Kubernetes' and the Gateway API's.
//
// A resource keeps the YAML node it was decoded from, so that any field path can be turned into a line and a column without the
// typed value carrying positions.
package resource

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
)

// Resource is one Kubernetes object of the input.
type Resource struct {
	APIVersion string
	Kind       string
	// Namespace is "default" where the document names none and the kind is namespaced.
	Namespace string
	// NamespaceGiven tells whether the document itself named the namespace.
	NamespaceGiven bool
	Name           string
	Labels         map[string]string
	Annotations    map[string]string
	// Created is metadata.creationTimestamp, zero where the document has none.
	Created time.Time
	// Object is the typed value. For Istio's kinds it is the message of `spec` (*networkingv1alpha3.VirtualService…, shared by
	// all served versions); for Kubernetes and Gateway API kinds the whole object (*corev1.Service, *gatewayv1.HTTPRoute…).
	Object any

	// Document and Node say where the resource stands: Node is its mapping, which in a List is one of the items.
	Document *document.Document
	Node     *yaml.Node

	// Origin is set for a resource that no document holds but that was made from others (a VirtualService from routes of the Gateway API): it
	// leads from a field path to the place of the input that the field came from.
	Origin func(path string) Source
}

// Of is a resource together with its object's static type.
type Of[T any] struct {
	*Resource
	Spec T
}

// Group returns the API group, "" for Kubernetes' core.
func (r *Resource) Group() string {
	group, _, ok := strings.Cut(r.APIVersion, "/")
	if !ok {
		return ""
	}
	return group
}

// Ref names the resource in findings.
func (r *Resource) Ref() diag.Resource {
	ref := diag.Resource{APIVersion: r.APIVersion, Kind: r.Kind, Name: r.Name}
	if r.NamespaceGiven || r.Namespace != "" {
		ref.Namespace = r.Namespace
	}
	return ref
}

// ID is kind, namespace and name in one string, for messages: "VirtualService shop/cart".
func (r *Resource) ID() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Locate turns a field path (spec.http[0].route[1].weight) into a range. Where the path leads to nothing, the nearest ancestor that
// stands in the YAML is given: a missing field is reported on the object that lacks it. The empty path is the resource itself.
func (r *Resource) Locate(path string) diag.Location {
	if r.Origin != nil {
		return r.Origin(path).Location()
	}
	if r.Document == nil {
		return diag.Location{}
	}
	return r.Document.Location(r.nearest(path))
}

// NodeAt returns the value node at the path and whether it is there.
func (r *Resource) NodeAt(path string) (*yaml.Node, bool) {
	if r.Origin != nil {
		from := r.Origin(path)
		return from.Resource.NodeAt(from.Path)
	}
	n := r.Node
	for _, step := range Steps(path) {
		_, next := step.follow(n)
		if next == nil {
			return nil, false
		}
		n = next
	}
	return n, n != nil
}

func (r *Resource) nearest(path string) *yaml.Node {
	n, best := r.Node, r.Node
	for _, step := range Steps(path) {
		key, next := step.follow(n)
		if next == nil {
			break
		}
		n, best = next, next
		// A block mapping or sequence begins below its key; the key is what a reader looks for.
		if key != nil && next.Kind != yaml.ScalarNode {
			best = key
		}
	}
	return best
}

// Step is one step of a field path: a key or an index.
type Step struct {
	Key   string
	Index int
	// IsIndex tells the two apart.
	IsIndex bool
}

// Steps splits a field path. Keys that hold dots or brackets are written in brackets and quotes: metadata.labels["app.kubernetes.io/name"].
func Steps(path string) []Step {
	var steps []Step
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			if strings.HasPrefix(path, `["`) {
				quoted, err := strconv.QuotedPrefix(path[1:])
				if err != nil {
					return append(steps, Step{Key: path})
				}
				key, _ := strconv.Unquote(quoted)
				steps = append(steps, Step{Key: key})
				path = strings.TrimPrefix(path[1+len(quoted):], "]")
				continue
			}
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return append(steps, Step{Key: path})
			}
			i, err := strconv.Atoi(path[1:end])
			if err != nil {
				steps = append(steps, Step{Key: path[1:end]})
			} else {
				steps = append(steps, Step{Index: i, IsIndex: true})
			}
			path = path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps = append(steps, Step{Key: path[:end]})
			path = path[end:]
		}
	}
	return steps
}

// Key appends a key to a field path, quoting it where it holds characters that a path uses itself.
func Key(path, key string) string {
	if key == "" || strings.ContainsAny(key, `.[]"`) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index appends an index to a field path.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// follow returns the key node (nil for an index) and the value node that the step leads to.
func (s Step) follow(n *yaml.Node) (key, value *yaml.Node) {
	if n = deref(n); n == nil {
		return nil, nil
	}
	if s.IsIndex {
		if n.Kind == yaml.SequenceNode && s.Index >= 0 && s.Index < len(n.Content) {
			return nil, deref(n.Content[s.Index])
		}
		return nil, nil
	}
	key, value = lookup(n, s.Key)
	return key, deref(value)
}

// Source is a place in a resource that shaped something: a resource and a field path in it.
type Source struct {
	Resource *Resource
	Path     string
}

// At names a place in a resource.
func (r *Resource) At(path string) Source { return Source{Resource: r, Path: path} }

// Given returns the place of the input that the source amounts to: itself, unless its resource was made from others.
func (s Source) Given() Source {
	if s.Resource != nil && s.Resource.Origin != nil {
		return s.Resource.Origin(s.Path)
	}
	return s
}

// Location returns where the source stands.
func (s Source) Location() diag.Location {
	if s.Resource == nil {
		return diag.Location{}
	}
	return s.Resource.Locate(s.Path)
}
