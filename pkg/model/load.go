package model

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Options say what else there is besides the paths. The zero value is fine.
type Options struct {
	// Stdin is read where a path is "-".
	Stdin io.Reader
	// FS, where set, is what paths are looked up in, instead of the working directory (a Git revision, a test's files).
	FS fs.FS
	// ProxiesFile, MeshConfigFile and MeshNetworksFile are the files behind --proxies, --mesh-config and --mesh-networks, "" for none. An
	// unreadable or malformed one makes Load fail.
	ProxiesFile      string
	MeshConfigFile   string
	MeshNetworksFile string
	// Exclude are patterns (** for any directories) for files and directories below the paths that are passed over.
	Exclude []string
	// Limits bound what is read; the zero value means the defaults.
	Limits document.Limits
}

// Load reads the mesh from files, directories (recursively), globs and "-". What cannot be read or decoded becomes a finding of the mesh
// while the rest is loaded; an error means that there is no mesh at all (wrong usage, cancelled, an option's file is bad).
func Load(ctx context.Context, opts Options, paths ...string) (*Mesh, error) {
	set, err := document.Read(ctx, document.Options{FS: opts.FS, Stdin: opts.Stdin, Exclude: opts.Exclude, Limits: opts.Limits, Wanted: resource.Wanted}, paths...)
	if err != nil {
		return nil, err
	}
	m := &Mesh{sources: set.Files, Findings: set.Findings}
	m.Stats = Stats{Files: len(set.Files), Documents: set.Total, Skipped: set.Skipped, Unreadable: set.Unreadable, Malformed: set.Malformed}
	for _, u := range set.Unread {
		m.Stats.Unread = append(m.Stats.Unread, Unread(u))
	}
	if err := m.decode(ctx, set.Documents); err != nil {
		return nil, err
	}
	if err := m.loadSettings(ctx, opts); err != nil {
		return nil, err
	}
	m.buildIndex()
	m.Findings = diag.Sort(m.Findings)
	return m, nil
}

// decode gives the documents their types and files the resources under their kinds.
func (m *Mesh) decode(ctx context.Context, documents []*document.Document) error {
	decoder := &resource.Decoder{}
	decoded := make([]resource.Decoded, len(documents))
	err := document.InParallel(ctx, len(documents), func(i int) { decoded[i] = decodeOne(decoder, documents[i]) })
	if err != nil {
		return err
	}
	var all []*resource.Resource
	for _, d := range decoded {
		all = append(all, d.Resources...)
		m.Findings = append(m.Findings, d.Findings...)
		for _, kind := range d.Skipped {
			m.Stats.Skipped[kind]++
		}
	}
	m.Stats.Resources = len(all)
	slices.SortStableFunc(all, compareResources)
	m.resources = m.dropRepeated(all)
	m.byKind = map[string][]*resource.Resource{}
	for _, r := range m.resources {
		key := r.Kind + "." + r.Group()
		m.byKind[key] = append(m.byKind[key], r)
	}
	return nil
}

// decodeOne keeps a mistake in the decoder, or in a library's type that reads itself, to the one document that brought it to light.
func decodeOne(decoder *resource.Decoder, doc *document.Document) (decoded resource.Decoded) {
	defer func() {
		if r := recover(); r != nil {
			decoded = resource.Decoded{Findings: []diag.Finding{{
				Rule: "schema/unreadable", Severity: diag.Error, Location: doc.Location(doc.Root),
				Message: fmt.Sprintf("this document cannot be decoded, by a mistake of meshc: %v", r),
			}}}
		}
	}()
	return decoder.Decode(doc)
}

func compareResources(a, b *resource.Resource) int {
	return cmp.Or(
		compareIdentity(a, b),
		cmp.Compare(a.Document.File, b.Document.File),
		cmp.Compare(a.Node.Line, b.Node.Line),
		cmp.Compare(a.Node.Column, b.Node.Column),
	)
}

func compareIdentity(a, b *resource.Resource) int {
	return cmp.Or(
		cmp.Compare(a.Group(), b.Group()),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}

// dropRepeated keeps the last of several resources with one identity, as applying the files one after the other would, and reports the
// others. Resources without a name of their own, generateName or none, are all kept.
func (m *Mesh) dropRepeated(sorted []*resource.Resource) []*resource.Resource {
	kept := make([]*resource.Resource, 0, len(sorted))
	for i, r := range sorted {
		if i+1 == len(sorted) || r.Name == "" || strings.HasSuffix(r.Name, "-") || compareIdentity(r, sorted[i+1]) != 0 {
			kept = append(kept, r)
			continue
		}
		last := i + 1
		for last+1 < len(sorted) && compareIdentity(r, sorted[last+1]) == 0 {
			last++
		}
		m.Findings = append(m.Findings, diag.Finding{
			Rule: "schema/duplicate-resource", Severity: diag.Warning, Resource: r.Ref(), Path: "metadata.name", Location: r.Locate("metadata.name"),
			Message: fmt.Sprintf("%s is defined again; only the last definition counts", r.ID()),
			Related: []diag.Related{{Resource: sorted[last].Ref(), Location: sorted[last].Locate("metadata.name"), Message: "this one counts"}},
			Fix:     &diag.Fix{Description: "remove one of the definitions, or give it another name"},
		})
	}
	return kept
}
