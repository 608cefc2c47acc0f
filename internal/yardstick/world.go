// Package yardstick holds what meshc compiles against what istiod generated for the same mesh, resource by resource.
//
// A world is a folder with the mesh (input/), its proxies (proxies.json), mesh.yaml and meshnetworks.yaml where they are set, and for each
// proxy what istiod sent it: istio/NAME.NAMESPACE/{listeners,routes,clusters,endpoints}.json. A folder of worlds is a suite.
package yardstick

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// Worlds returns the folders of a suite's worlds, ordered by name, and none where there is no such suite.
func Worlds(suite string) []string {
	// The pattern is well-formed, the only thing that Glob complains of.
	found, _ := filepath.Glob(filepath.Join(suite, "*", "istio"))
	for i, folder := range found {
		found[i] = filepath.Dir(folder)
	}
	return found
}

// Score compiles a world for Istio's build of Envoy and holds every resource of each proxy against istiod's. An error means that the world
// cannot be read.
func Score(ctx context.Context, world string, intended Intended) ([]Result, error) {
	mesh, err := model.Load(ctx, options(world), filepath.Join(world, "input"))
	if err != nil {
		return nil, err
	}
	proxies := map[string]*model.Proxy{}
	for _, p := range mesh.Proxies() {
		proxies[p.ID()] = p
	}
	folders, err := os.ReadDir(filepath.Join(world, "istio"))
	if err != nil {
		return nil, err
	}
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	var results []Result
	for _, folder := range folders {
		want, err := recorded(filepath.Join(world, "istio", folder.Name()))
		if err != nil {
			return nil, err
		}
		got := resources{}
		if p := proxies[folder.Name()]; p != nil {
			if got, err = compiled(compiler.Compile(p)); err != nil {
				return nil, err
			}
		}
		for _, r := range compare(want, got, intended) {
			r.World, r.Proxy = filepath.Base(world), folder.Name()
			results = append(results, r)
		}
	}
	return results, nil
}

func options(world string) model.Options {
	opts := model.Options{ProxiesFile: filepath.Join(world, "proxies.json")}
	for name, file := range map[string]*string{"mesh.yaml": &opts.MeshConfigFile, "meshnetworks.yaml": &opts.MeshNetworksFile} {
		if path := filepath.Join(world, name); exists(path) {
			*file = path
		}
	}
	return opts
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// resources are those of one proxy by kind and name.
type resources map[Kind]map[string]any

// recorded reads what istiod sent a proxy.
func recorded(folder string) (resources, error) {
	lists := map[Kind][]any{}
	for _, kind := range Kinds() {
		path := filepath.Join(folder, string(kind)+".json")
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var list []any
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		lists[kind] = folded(list, "").([]any)
	}
	takeRoutes(lists[Listeners])
	out := byName(lists[Listeners], lists[Clusters])
	for _, r := range lists[Routes] {
		out[Routes][text(r, "name")] = r
	}
	for _, e := range lists[Endpoints] {
		if field(e, "endpoints") != nil {
			out[Endpoints][text(e, "clusterName")] = e
		}
	}
	return out, nil
}

// compiled takes a bootstrap apart again into what xDS would have sent.
func compiled(cfg *compile.Configuration) (resources, error) {
	bootstrap, err := emit.Bootstrap(cfg)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(bootstrap, &tree); err != nil {
		return nil, err
	}
	static := field(folded(tree, ""), "staticResources")
	listeners, _ := field(static, "listeners").([]any)
	clusters, _ := field(static, "clusters").([]any)
	routes := takeRoutes(listeners)
	out := byName(listeners, clusters)
	out[Routes] = routes
	for _, name := range ownClusters() {
		delete(out[Clusters], name)
		delete(out[Endpoints], name)
	}
	return out, nil
}

// ownClusters belong to the bootstrap of a proxy and not to what istiod sends.
func ownClusters() []string {
	return []string{"prometheus_stats", "agent", "sds-grpc", "xds-grpc", "zipkin"}
}

func byName(listeners, clusters []any) resources {
	out := resources{Listeners: {}, Routes: {}, Clusters: {}, Endpoints: {}}
	for _, l := range listeners {
		out[Listeners][text(l, "name")] = l
	}
	for _, c := range clusters {
		if assignment := takeEndpoints(c); field(assignment, "endpoints") != nil {
			out[Endpoints][text(c, "name")] = assignment
		}
		out[Clusters][text(c, "name")] = c
	}
	return out
}

// takeEndpoints removes from a cluster what EDS would send, and how it is told, and returns the endpoints.
func takeEndpoints(cluster any) any {
	c, ok := cluster.(map[string]any)
	if !ok {
		return nil
	}
	assignment := c["loadAssignment"]
	for _, key := range []string{"type", "edsClusterConfig", "clusterType", "loadAssignment"} {
		delete(c, key)
	}
	return assignment
}

// takeRoutes removes from listeners the route configurations that RDS would send and returns them by name. Inbound tables stay: istiod too
// sends them inline.
func takeRoutes(listeners []any) map[string]any {
	routes := map[string]any{}
	for manager := range connectionManagers(listeners) {
		name := text(manager["routeConfig"], "name")
		if name != "" && !strings.HasPrefix(name, "inbound|") && name != "InboundPassthroughCluster" {
			routes[name] = manager["routeConfig"]
			delete(manager, "routeConfig")
		}
		delete(manager, "rds")
	}
	return routes
}
