package emit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Kinds of resources in a bootstrap, in the words of Envoy's admin interface and istioctl.
const (
	kindListener  = "listener"
	kindRoute     = "route"
	kindCluster   = "cluster"
	kindEndpoints = "endpoints"
	kindSecret    = "secret"
)

// part is a resource decoded, or a resource inside it that counts as one of its own.
type part struct {
	kind, name string
	// pointer is where it stands in the resource that it was decoded from.
	pointer string
	tree    any
}

// partSet is a resource taken apart, by kind and name. Routes and endpoints are taken out of the listener or cluster that they stand in,
// so that a changed route is not reported as a changed listener.
type partSet map[string]part

func decodeParts(raw rawPart) (partSet, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw.text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	set := partSet{}
	switch raw.kind {
	case kindListener:
		set.takeRoutes("", tree)
	case kindCluster:
		if c := object(tree); c["load_assignment"] != nil {
			set.add(part{kind: kindEndpoints, name: raw.name, pointer: "/load_assignment", tree: c["load_assignment"]})
			delete(c, "load_assignment")
		}
	}
	set.add(part{kind: raw.kind, name: raw.name, tree: tree})
	return set, nil
}

// takeRoutes moves the route configurations out of the connection managers below v and leaves their names there.
func (s partSet) takeRoutes(pointer string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if strings.HasSuffix(text(v["@type"]), ".HttpConnectionManager") {
			if routes, ok := v["route_config"].(map[string]any); ok {
				s.route(part{kind: kindRoute, name: byName(routes), pointer: pointer + "/route_config", tree: routes})
				v["route_config"] = byName(routes)
			}
		}
		for _, k := range sortedKeys(v) {
			s.takeRoutes(pointer+"/"+escapePointer(k), v[k])
		}
	case []any:
		for i, e := range v {
			s.takeRoutes(pointer+"/"+strconv.Itoa(i), e)
		}
	}
}

// route adds a route configuration once, however many connection managers hold it.
func (s partSet) route(p part) {
	if have, ok := s[p.kind+"\n"+p.name]; !ok || !same(have.tree, p.tree) {
		s.add(p)
	}
}

// add keeps a part under its name; further ones of the same name are numbered.
func (s partSet) add(p part) {
	name := p.name
	for n := 2; ; n++ {
		key := p.kind + "\n" + p.name
		if _, taken := s[key]; !taken {
			s[key] = p
			return
		}
		p.name = name + " #" + strconv.Itoa(n)
	}
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }

func escapePointer(step string) string {
	return strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1")
}

// compact is a value as JSON in one line, keys sorted.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only what JSON has decoded is encoded here.
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
