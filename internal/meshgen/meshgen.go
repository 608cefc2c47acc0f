// Package meshgen draws random meshes that are valid: Kubernetes YAML as a Git repository holds it, with names, hosts, ports and selectors
// that overlap on purpose, so that features meet which nobody would have thought of testing together.
//
// A mesh is drawn from a seed: the same seed gives the same bytes. What can be drawn is listed in features; each is one function, which
// sees what the ones before it have drawn and refers to it.
package meshgen

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"sigs.k8s.io/yaml"
)

// Size bounds how much is drawn: at most so many of a thing, and at least one where the number is above 0.
type Size struct {
	Namespaces, Services, ServiceEntries, Gateways, VirtualServices, DestinationRules, Sidecars int
	// Policies bounds PeerAuthentications, Access each of RequestAuthentication and AuthorizationPolicy.
	Policies, Access int
	// Settings has MeshConfig, ProxyConfig and Telemetry drawn.
	Settings bool
	// Steady leaves out what depends on chance, on how fast a machine is or on servers of a special kind: faults, short timeouts, tunnels. Such
	// a mesh can be run with plain servers behind it.
	Steady bool
}

// Small is a mesh of a few services in which much meets.
var Small = Size{Namespaces: 3, Services: 6, ServiceEntries: 4, Gateways: 3, VirtualServices: 8, DestinationRules: 6, Sidecars: 2, Policies: 2, Access: 2, Settings: true}

// Document is one resource of a mesh.
type Document struct {
	Kind, Namespace, Name string
	// YAML is the resource's text, ending in a line feed.
	YAML string
}

// Mesh is what was drawn.
type Mesh struct {
	Seed      uint64
	Documents []Document
}

// Text returns the documents as one YAML stream.
func (m *Mesh) Text() []byte {
	var b bytes.Buffer
	for _, d := range m.Documents {
		b.WriteString("---\n" + d.YAML)
	}
	return b.Bytes()
}

// Shuffled returns the same documents in another order, which the seed decides.
func (m *Mesh) Shuffled(seed uint64) *Mesh {
	documents := slices.Clone(m.Documents)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	return &Mesh{Seed: m.Seed, Documents: documents}
}

// Generate draws a mesh.
func Generate(seed uint64, size Size) *Mesh {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0x6d657368)), size: size}
	for _, draw := range features {
		draw(g)
	}
	return &Mesh{Seed: seed, Documents: g.documents}
}

// features are what a mesh is made of, in the order in which they are drawn.
var features = []func(*generator){
	(*generator).namespaces,
	(*generator).meshConfig,
	(*generator).services,
	(*generator).serviceEntries,
	(*generator).ingress,
	(*generator).gateways,
	(*generator).delegates,
	(*generator).virtualServices,
	(*generator).destinationRules,
	(*generator).sidecars,
	(*generator).peerAuthentications,
	(*generator).requestAuthentications,
	(*generator).authorizationPolicies,
	(*generator).telemetry,
}

type object = map[string]any

// generator holds what has been drawn and can be referred to.
type generator struct {
	rand      *rand.Rand
	size      Size
	documents []Document
	// keys are those with which tokens are verified, "" for a key of nobody's.
	keys string

	names     []string
	in        []service
	external  []service
	entrances []entrance
	delegated []reference
}

// service is something that requests can go to.
type service struct {
	namespace, name, host string
	ports                 []port
	versions              []string
	// external services are outside of the mesh; a wildcard has a host that begins with *.
	external, wildcard bool
}

type port struct {
	number   int
	name     string
	protocol string
}

// entrance is a Gateway that VirtualServices can be bound to.
type entrance struct {
	namespace, name string
	hosts           []string
	// passthrough tells that VirtualServices with tls routes make sense.
	passthrough bool
}

type reference struct{ namespace, name string }

// add appends a resource, unless one of its kind and name is there.
func (g *generator) add(apiVersion, kind, namespace, name string, more object) {
	if slices.ContainsFunc(g.documents, func(d Document) bool { return d.Kind == kind && d.Namespace == namespace && d.Name == name }) {
		return
	}
	metadata, _ := more["metadata"].(object)
	if metadata == nil {
		metadata = object{}
	}
	metadata["name"] = name
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	document := object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	for key, value := range more {
		if key != "metadata" {
			document[key] = value
		}
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		// Whatever is drawn consists of maps, lists, strings and numbers.
		panic(fmt.Sprintf("%s %s/%s: %v", kind, namespace, name, err))
	}
	g.documents = append(g.documents, Document{Kind: kind, Namespace: namespace, Name: name, YAML: string(text)})
}

const (
	networking = "networking.istio.io/v1"
	security   = "security.istio.io/v1"
)
