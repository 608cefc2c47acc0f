package model

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// readOptionFile parses the one document of a file that an option names. The file is looked up in the working directory even where the mesh
// itself comes from elsewhere: options belong to the run, not to what is looked at.
func readOptionFile(name string) (*document.Document, error) {
	limits := document.Limits{}
	text, err := os.ReadFile(name)
	if err != nil {
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	doc, findings := document.Parse(name, 1, text, limits)
	if err := firstError(findings); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, fmt.Errorf("%s: the file is empty", name)
	}
	return doc, nil
}

// firstError turns the first finding that is an error into a Go error with its place.
func firstError(findings []diag.Finding) error {
	for _, f := range diag.Sort(findings) {
		if f.Severity == diag.Error {
			return fmt.Errorf("%s:%d:%d: %s", f.Location.File, f.Location.Line, f.Location.Column, f.Message)
		}
	}
	return nil
}

// decodeMeshConfig reads MeshConfig fields of a mapping over those that into already has: scalars, lists and messages are replaced as a whole.
// The paths of findings begin with prefix ("data.mesh", "spec.meshConfig").
func decodeMeshConfig(doc *document.Document, n *yaml.Node, ref diag.Resource, prefix string, into *meshconfig.MeshConfig) []diag.Finding {
	return decodeSettings(doc, n, ref, prefix, into)
}

// decodeProxyConfig does the same for the ProxyConfig of a mesh (defaultConfig) or a proxy.istio.io/config annotation.
func decodeProxyConfig(doc *document.Document, n *yaml.Node, ref diag.Resource, prefix string, into *meshconfig.ProxyConfig) []diag.Finding {
	return decodeSettings(doc, n, ref, prefix, into)
}

// decodeMeshNetworks does the same for MeshNetworks.
func decodeMeshNetworks(doc *document.Document, n *yaml.Node, ref diag.Resource, prefix string, into *meshconfig.MeshNetworks) []diag.Finding {
	return decodeSettings(doc, n, ref, prefix, into)
}

func decodeSettings(doc *document.Document, n *yaml.Node, ref diag.Resource, prefix string, into proto.Message) []diag.Finding {
	return new(resource.Decoder).Message(doc, n, ref, prefix, into)
}

// readProxiesFile reads the file behind --proxies: a list of proxies.
func readProxiesFile(name string) ([]*Proxy, error) {
	doc, err := readOptionFile(name)
	if err != nil {
		return nil, err
	}
	var proxies []*Proxy
	if err := firstError(new(resource.Decoder).Struct(doc, doc.Root, &proxies)); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, p := range proxies {
		if why := p.complaint(seen); why != "" {
			at := doc.Location(doc.Root.Content[i])
			return nil, fmt.Errorf("%s:%d:%d: [%d]: %s", at.File, at.Line, at.Column, i, why)
		}
		seen[p.ID()] = true
	}
	return proxies, nil
}

// complaint tells what is wrong with an entry of the proxies file, "" for nothing.
func (p *Proxy) complaint(seen map[string]bool) string {
	switch {
	case p.Name == "":
		return "the proxy has no name"
	case p.Namespace == "":
		return "the proxy has no namespace"
	case p.Type != Sidecar && p.Type != Router:
		return fmt.Sprintf("the type of proxy %s is %q; it must be sidecar or router", p.ID(), p.Type)
	case seen[p.ID()]:
		return fmt.Sprintf("the proxy %s is listed twice", p.ID())
	}
	if _, err := netip.ParseAddr(p.IP); p.IP != "" && err != nil {
		return fmt.Sprintf("the ip of proxy %s is %q, which is no IP address", p.ID(), p.IP)
	}
	return ""
}
