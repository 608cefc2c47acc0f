package emit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/compile"
)

// Document is the bootstrap of one proxy, compiled or read from a file.
type Document struct {
	// ID is the proxy, NAME.NAMESPACE.
	ID string
	// Bootstrap is its JSON.
	Bootstrap []byte
	// SourceMap leads to the YAML behind it; nil where that is not known. For a compiled document it is made when first needed.
	SourceMap *SourceMap

	compile func() *compile.Configuration
}

// NewDocument writes the bootstrap of a configuration, and keeps the configuration.
func NewDocument(cfg *compile.Configuration) (Document, error) {
	return CompileDocument(func() *compile.Configuration { return cfg })
}

// CompileDocument writes the bootstrap of the configuration that the function returns, and keeps the function alone: a mesh of a thousand
// proxies is compared without its thousand configurations in memory, and the few whose YAML lines are asked for are compiled again.
func CompileDocument(compile func() *compile.Configuration) (Document, error) {
	cfg := compile()
	text, err := Bootstrap(cfg)
	if err != nil {
		return Document{}, err
	}
	return Document{ID: cfg.Proxy.ID(), Bootstrap: text, compile: compile}, nil
}

// Documents writes the bootstraps of several configurations, ordered by proxy.
func Documents(cfgs []*compile.Configuration) ([]Document, error) {
	docs := make([]Document, 0, len(cfgs))
	for _, cfg := range cfgs {
		d, err := NewDocument(cfg)
		if err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	sortDocuments(docs)
	return docs, nil
}

func sortDocuments(docs []Document) {
	slices.SortStableFunc(docs, func(a, b Document) int { return strings.Compare(a.ID, b.ID) })
}

// sources returns the source map, nil where there is none.
func (d *Document) sources() (*SourceMap, error) {
	if d.SourceMap == nil && d.compile != nil {
		_, m, err := bootstrapAndMap(d.compile())
		if err != nil {
			return nil, err
		}
		d.SourceMap = m
	}
	return d.SourceMap, nil
}

// SourceMapText returns the text of the document's source map, nil where there is none.
func (d *Document) SourceMapText() ([]byte, error) {
	m, err := d.sources()
	if err != nil || m == nil {
		return nil, err
	}
	return m.marshal(), nil
}

// FileName returns the name of the proxy's bootstrap file, NAME.NAMESPACE.json. It fails for an ID that is no plain file name: proxies
// come from files that anybody may have written, and nothing is to be written elsewhere than in the directory asked for.
func FileName(id string) (string, error) {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._", c)
	}
	if id == "" || id[0] == '.' || len(id) > 240 || strings.ContainsFunc(id, func(c rune) bool { return !plain(c) }) {
		return "", fmt.Errorf("the proxy %q cannot have a file: a name may hold letters, digits, hyphens, dots and underscores, at most 240", id)
	}
	return id + ".json", nil
}
