package model

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// maxOptionFile bounds the files behind --proxies, --mesh-config and --mesh-networks.
const maxOptionFile = 64 << 20

// readFile reads a file that an option names: from the working directory, or from the options' file system where that has it.
func (o Options) readFile(name string) ([]byte, error) {
	if o.FS != nil && fs.ValidPath(name) {
		if text, err := fs.ReadFile(o.FS, name); err == nil {
			return text, nil
		}
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxOptionFile {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxOptionFile>>20)
	}
	text, err := os.ReadFile(name)
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return nil, fmt.Errorf("%s: %w", name, pathError.Err)
	}
	return text, err
}

// parseOptionFile parses the one document of a file that an option names.
func (o Options) parseOptionFile(name string) (*document.Document, error) {
	text, err := o.readFile(name)
	if err != nil {
		return nil, err
	}
	doc, findings, err := document.ParseFile(name, text, o.Limits)
	if err == nil {
		err = firstError(findings)
	}
	if err != nil {
		return nil, err
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

// readProxies reads the file behind --proxies: a list of proxies, whose namespace, type and service account may be left out.
func (o Options) readProxies(name string) ([]*Proxy, error) {
	doc, err := o.parseOptionFile(name)
	if err != nil {
		return nil, err
	}
	var proxies []*Proxy
	if doc != nil {
		if err := firstError(new(resource.Decoder).Struct(doc, doc.Root, &proxies)); err != nil {
			return nil, err
		}
	}
	if len(proxies) == 0 {
		return nil, fmt.Errorf("%s: the list of proxies is empty", name)
	}
	seen := map[string]bool{}
	for i, p := range proxies {
		p.setDefaults()
		if why := p.complaint(seen); why != "" {
			at := doc.Location(doc.Root.Content[i])
			return nil, fmt.Errorf("%s:%d:%d: %s", at.File, at.Line, at.Column, why)
		}
		seen[p.ID()] = true
	}
	return proxies, nil
}

func (p *Proxy) setDefaults() {
	if p.Namespace == "" {
		p.Namespace = "default"
	}
	if p.Type == "" {
		p.Type = Sidecar
	}
	if p.ServiceAccount == "" {
		p.ServiceAccount = "default"
	}
}

// complaint tells what is wrong with an entry of the proxies file, "" for nothing.
func (p *Proxy) complaint(seen map[string]bool) string {
	switch {
	case p.Name == "":
		return "the proxy has no name"
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
