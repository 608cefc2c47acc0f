package emit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/emit/canonical"
	"github.com/meshc/meshc/pkg/model/resource"
)

// SourceMapSuffix is appended to the name of a bootstrap's file for its source map: NAME.NAMESPACE.json.map. It is no .json, so that
// whoever lists *.json in a directory of bootstraps finds bootstraps alone.
const SourceMapSuffix = ".map"

// sourceMapVersion is that of the file's form, described in docs/source-map.md.
const sourceMapVersion = 1

// Origin is a place in the YAML that shaped a part of a bootstrap.
type Origin struct {
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Column   int           `json:"column"`
	Resource diag.Resource `json:"resource"`
	// Path is the field in the resource: spec.http[0].route[1].
	Path string `json:"path"`
}

func (o Origin) String() string {
	if o.File == "" {
		return strings.TrimSpace(o.Resource.Kind + " " + o.Resource.Name)
	}
	return o.File + ":" + strconv.Itoa(o.Line)
}

// SourceMap leads from the parts of one bootstrap to the YAML that shaped them.
type SourceMap struct {
	origins  []Origin
	pointers []string // in the order in which they stand in the bootstrap
	shaped   map[string][]int
	patched  map[string][]patchRecord
}

// patchRecord is what an EnvoyFilter did to a part of the bootstrap.
type patchRecord struct {
	Source    int             `json:"source"`
	Operation string          `json:"operation"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

// BootstrapWithSourceMap returns what Bootstrap does, and beside it the source map as the text of its file. The bootstrap's bytes are the
// same as without the map.
func BootstrapWithSourceMap(cfg *compile.Configuration) (bootstrap, sourceMap []byte, err error) {
	bootstrap, m, err := bootstrapAndMap(cfg)
	if err != nil {
		return nil, nil, err
	}
	return bootstrap, m.marshal(), nil
}

func bootstrapAndMap(cfg *compile.Configuration) ([]byte, *SourceMap, error) {
	a := newAssembly(cfg)
	m := &SourceMap{shaped: map[string][]int{}, patched: map[string][]patchRecord{}}
	known := map[resource.Source]int{}
	visit := func(pointer []byte, msg proto.Message) {
		if original, ok := a.origin[msg]; ok {
			msg = original
		}
		for _, s := range cfg.Sources.Of(msg) {
			m.add(string(pointer), m.index(known, s))
		}
		for _, c := range cfg.Sources.Changes(msg) {
			m.addPatch(string(pointer), m.index(known, c.By), c, cfg)
		}
	}
	for _, r := range cfg.Removed {
		pointer := "/static_resources/" + r.Kind
		m.add(pointer, m.index(known, r.By))
		m.addPatch(pointer, m.index(known, r.By), r.Change, cfg)
	}
	for _, p := range cfg.BootstrapPatches {
		m.add("", m.index(known, p.By))
	}
	out, err := canonical.Marshal(a.bootstrap(), a.options(visit))
	if err != nil {
		return nil, nil, fmt.Errorf("writing the bootstrap of %s: %w", cfg.Proxy.ID(), err)
	}
	return out, m, nil
}

func (m *SourceMap) index(known map[resource.Source]int, s resource.Source) int {
	i, ok := known[s]
	if !ok {
		i = len(m.origins)
		known[s] = i
		at := s.Location()
		m.origins = append(m.origins, Origin{File: at.File, Line: at.Line, Column: at.Column, Resource: s.Resource.Ref(), Path: s.Path})
	}
	return i
}

func (m *SourceMap) add(pointer string, origin int) {
	have, ok := m.shaped[pointer]
	if !ok {
		m.pointers = append(m.pointers, pointer)
	}
	// An Any and the message inside it share a pointer, and often a source.
	if !slices.Contains(have, origin) {
		m.shaped[pointer] = append(have, origin)
	}
}

func (m *SourceMap) addPatch(pointer string, origin int, c provenance.Change, cfg *compile.Configuration) {
	m.patched[pointer] = append(m.patched[pointer], patchRecord{
		Source: origin, Operation: c.Operation, Before: compactJSON(c.Before, cfg), After: compactJSON(c.After, cfg),
	})
}

// compactJSON is a message on one line, nil for none and for what has no JSON form.
func compactJSON(msg proto.Message, cfg *compile.Configuration) json.RawMessage {
	if msg == nil {
		return nil
	}
	text, err := canonical.Marshal(msg, canonical.Options{Unpack: cfg.Sources.Unpack})
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil
	}
	return out.Bytes()
}

// sourceMapFile is the head of the file's form; pointers are written and read apart, to keep their order and a line for each.
type sourceMapFile struct {
	Version  int              `json:"meshcSourceMap"`
	Sources  []Origin         `json:"sources"`
	Pointers map[string][]int `json:"pointers"`
	// Patches are left out of the file where there are none.
	Patches map[string][]patchRecord `json:"patches"`
}

// marshal writes a line for each origin and each pointer, so that the file can be read and compared by lines.
func (m *SourceMap) marshal() []byte {
	out := fmt.Appendf(nil, "{\n  \"meshcSourceMap\": %d,\n  \"sources\": [", sourceMapVersion)
	for i, o := range m.origins {
		out = append(appendItem(out, i), mustJSON(o)...)
	}
	out = append(appendEnd(out, len(m.origins), ']'), ",\n  \"pointers\": {"...)
	for i, p := range m.pointers {
		out = append(appendItem(out, i), mustJSON(p)...)
		out = append(append(out, ": "...), mustJSON(m.shaped[p])...)
	}
	out = appendEnd(out, len(m.pointers), '}')
	if len(m.patched) > 0 {
		out = append(out, ",\n  \"patches\": {"...)
		for i, p := range slices.SortedFunc(maps.Keys(m.patched), comparePointers) {
			out = append(appendItem(out, i), mustJSON(p)...)
			out = append(append(out, ": "...), mustJSON(m.patched[p])...)
		}
		out = appendEnd(out, len(m.patched), '}')
	}
	return append(out, "\n}\n"...)
}

func appendItem(out []byte, i int) []byte {
	if i > 0 {
		out = append(out, ',')
	}
	return append(out, "\n    "...)
}

func appendEnd(out []byte, n int, bracket byte) []byte {
	if n > 0 {
		out = append(out, "\n  "...)
	}
	return append(out, bracket)
}

// mustJSON is for values that cannot fail: text, numbers, and structs and slices of them.
func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// ParseSourceMap reads the text of a source map's file.
func ParseSourceMap(text []byte) (*SourceMap, error) {
	var file sourceMapFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("this is not a source map: %w", err)
	}
	if file.Version != sourceMapVersion {
		return nil, fmt.Errorf("a source map of version %d is wanted, this has %d: compile again", sourceMapVersion, file.Version)
	}
	m := &SourceMap{origins: file.Sources, shaped: file.Pointers, patched: file.Patches}
	for p, list := range file.Pointers {
		m.pointers = append(m.pointers, p)
		for _, i := range list {
			if i < 0 || i >= len(file.Sources) {
				return nil, fmt.Errorf("the source map is damaged: %q names source %d of %d", p, i, len(file.Sources))
			}
		}
	}
	for p, list := range file.Patches {
		for _, r := range list {
			if r.Source < 0 || r.Source >= len(file.Sources) {
				return nil, fmt.Errorf("the source map is damaged: a patch of %q names source %d of %d", p, r.Source, len(file.Sources))
			}
		}
	}
	slices.SortFunc(m.pointers, comparePointers)
	return m, nil
}

// comparePointers orders step by step, indices by number, so that children follow their parent.
func comparePointers(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(x, y string) int {
		i, errX := strconv.Atoi(x)
		j, errY := strconv.Atoi(y)
		if errX == nil && errY == nil {
			return i - j
		}
		return strings.Compare(x, y)
	})
}

// Shaped is a part of a bootstrap with the YAML that shaped it.
type Shaped struct {
	Pointer string   `json:"pointer"`
	Origins []Origin `json:"origins"`
	// Patches are what EnvoyFilters did to the part, in order.
	Patches []Patched `json:"patches,omitempty"`
}

// Patched is what one patch of an EnvoyFilter did to a part of a bootstrap.
type Patched struct {
	Origin    Origin `json:"origin"`
	Operation string `json:"operation"`
	// Before and After are the members that a merge changed, as they were and as the patch left them. Before alone is what the patch replaced
	// or took out of the part; neither stands where the part is new.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Answer is what the source map knows of a part of a bootstrap.
type Answer struct {
	// Pointer is the JSON pointer that was asked for.
	Pointer string `json:"pointer"`
	// Exact tells whether that very part has sources; otherwise they are those of Within[0].
	Exact bool `json:"exact"`
	// Within lists the part itself, where it has sources, and the parts around it, the nearest first.
	Within []Shaped `json:"within"`
	// Inside counts the parts below that have sources, by the resource that shaped them.
	Inside []Inside `json:"inside"`
}

// Inside counts the parts that one resource shaped.
type Inside struct {
	Resource diag.Resource `json:"resource"`
	File     string        `json:"file"`
	Parts    int           `json:"parts"`
}

// Why answers which YAML shaped the part of a bootstrap at a JSON pointer (RFC 6901), given the text of its source map. A pointer without
// its first slash and one in URI form (#/static_resources) are understood. It fails on what is no source map and on a pointer that
// leads nowhere near anything: no part of it, around it or below it has a source.
func Why(sourceMap []byte, pointer string) (*Answer, error) {
	m, err := ParseSourceMap(sourceMap)
	if err != nil {
		return nil, err
	}
	return m.Why(pointer)
}

// Why is the function of that name for a map that was read.
func (m *SourceMap) Why(pointer string) (*Answer, error) {
	pointer = strings.TrimSuffix(strings.TrimPrefix(pointer, "#"), "/")
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		pointer = "/" + pointer
	}
	a := &Answer{Pointer: pointer, Within: []Shaped{}, Inside: m.inside(pointer)}
	for at, ok := pointer, true; ok; at, ok = parent(at) {
		if origins := m.at(at); len(origins) > 0 {
			a.Within = append(a.Within, Shaped{Pointer: at, Origins: origins, Patches: m.patchesAt(at)})
		}
	}
	a.Exact = len(a.Within) > 0 && a.Within[0].Pointer == pointer
	if len(a.Within) == 0 && len(a.Inside) == 0 {
		return nil, errors.New("no YAML shaped " + strconv.Quote(pointer) + ": it is the same in every mesh, or the pointer leads nowhere")
	}
	return a, nil
}

func (m *SourceMap) at(pointer string) []Origin {
	list := m.shaped[pointer]
	origins := make([]Origin, len(list))
	for i, n := range list {
		origins[i] = m.origins[n]
	}
	return origins
}

func (m *SourceMap) patchesAt(pointer string) []Patched {
	var out []Patched
	for _, r := range m.patched[pointer] {
		out = append(out, Patched{Origin: m.origins[r.Source], Operation: r.Operation, Before: r.Before, After: r.After})
	}
	return out
}

// nearest returns the sources of the part or of the nearest part around it, nil for a nil map.
func (m *SourceMap) nearest(pointer string) []Origin {
	if m == nil {
		return nil
	}
	for at, ok := pointer, true; ok; at, ok = parent(at) {
		if len(m.shaped[at]) > 0 {
			return m.at(at)
		}
	}
	return nil
}

func (m *SourceMap) inside(pointer string) []Inside {
	type key struct {
		resource diag.Resource
		file     string
	}
	out := []Inside{}
	index := map[key]int{}
	for _, p := range m.pointers {
		if !strings.HasPrefix(p, pointer+"/") {
			continue
		}
		seen := map[key]bool{}
		for _, n := range m.shaped[p] {
			k := key{m.origins[n].Resource, m.origins[n].File}
			if seen[k] {
				continue
			}
			seen[k] = true
			i, ok := index[k]
			if !ok {
				i = len(out)
				index[k] = i
				out = append(out, Inside{Resource: k.resource, File: k.file})
			}
			out[i].Parts++
		}
	}
	slices.SortStableFunc(out, func(a, b Inside) int { return b.Parts - a.Parts })
	return out
}

func parent(pointer string) (string, bool) {
	i := strings.LastIndexByte(pointer, '/')
	if i < 0 {
		return "", false
	}
	return pointer[:i], true
}
