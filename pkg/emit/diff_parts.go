package emit

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// part is one resource of a bootstrap.
type part struct {
	kind, name string
	// pointer is where it stands in the bootstrap.
	pointer string
	tree    any
}

// partSet is a bootstrap taken apart. Routes and endpoints are taken out of the listeners and clusters that they stand in, so that a
// changed route is not reported as a changed listener.
type partSet struct {
	byKey map[string]part
}

func parts(d *Document) (*partSet, error) {
	decoder := json.NewDecoder(bytes.NewReader(d.Bootstrap))
	decoder.UseNumber()
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("the bootstrap of %s is no JSON object: %w", d.ID, err)
	}
	set := &partSet{byKey: map[string]part{}}
	for member, value := range root {
		if member != "static_resources" {
			set.add(part{kind: member, pointer: "/" + member, tree: value})
		}
	}
	static, _ := root["static_resources"].(map[string]any)
	for member, kind := range map[string]string{"listeners": kindListener, "clusters": kindCluster, "secrets": kindSecret} {
		list, _ := static[member].([]any)
		for i, value := range list {
			set.resource(part{kind: kind, name: nameOf(value), pointer: "/static_resources/" + member + "/" + strconv.Itoa(i), tree: value})
		}
		delete(static, member)
	}
	for member, value := range static {
		set.add(part{kind: member, pointer: "/static_resources/" + member, tree: value})
	}
	return set, nil
}

func (s *partSet) resource(p part) {
	switch p.kind {
	case kindListener:
		s.takeRoutes(p.name, p.pointer, p.tree)
	case kindCluster:
		if c, ok := p.tree.(map[string]any); ok && c["load_assignment"] != nil {
			s.add(part{kind: kindEndpoints, name: p.name, pointer: p.pointer + "/load_assignment", tree: c["load_assignment"]})
			delete(c, "load_assignment")
		}
	}
	s.add(p)
}

// takeRoutes moves the route configurations out of the connection managers below v and leaves their names there.
func (s *partSet) takeRoutes(listener, pointer string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if kind, _ := v["@type"].(string); strings.HasSuffix(kind, ".HttpConnectionManager") {
			if routes, ok := v["route_config"].(map[string]any); ok {
				s.route(listener, part{kind: kindRoute, name: nameOf(routes), pointer: pointer + "/route_config", tree: routes})
				v["route_config"] = nameOf(routes)
			}
		}
		for _, k := range sortedKeys(v) {
			s.takeRoutes(listener, pointer+"/"+strings.ReplaceAll(strings.ReplaceAll(k, "~", "~0"), "/", "~1"), v[k])
		}
	case []any:
		for i, e := range v {
			s.takeRoutes(listener, pointer+"/"+strconv.Itoa(i), e)
		}
	}
}

// route adds a route configuration once, however many connection managers hold it. Others of the same name that say something
// else are told apart by their listener.
func (s *partSet) route(listener string, p part) {
	have, ok := s.byKey[p.kind+"\n"+p.name]
	if ok && same(have.tree, p.tree) {
		return
	}
	if ok {
		p.name += " (listener " + listener + ")"
		if have, ok := s.byKey[p.kind+"\n"+p.name]; ok && same(have.tree, p.tree) {
			return
		}
	}
	s.add(p)
}

// add keeps a part under its name; further ones of the same name are numbered.
func (s *partSet) add(p part) {
	name := p.name
	for n := 2; ; n++ {
		key := p.kind + "\n" + p.name
		if _, taken := s.byKey[key]; !taken {
			s.byKey[key] = p
			return
		}
		p.name = name + " #" + strconv.Itoa(n)
	}
}

func nameOf(v any) string {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	return name
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }

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
