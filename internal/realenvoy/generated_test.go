package realenvoy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// generatedMeshes is how many random meshes Envoy looks at: seeds 0 to 499.
const generatedMeshes = 500

// TestEnvoyAcceptsGeneratedMeshes gives Envoy every bootstrap of many random meshes. Of those of one mesh that differ in nothing but
// which of the mesh's pods is which it gets one.
func TestEnvoyAcceptsGeneratedMeshes(t *testing.T) {
	var proxies, given atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d meshes, %d proxies, %d different bootstraps", generatedMeshes, proxies.Load(), given.Load())
	})
	for seed := range uint64(generatedMeshes) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			mesh := generated(t, seed)
			compiler := compile.New(mesh, compile.Options{})
			pods := withoutPods(mesh)
			seen := map[[sha256.Size]byte]bool{}
			for _, p := range mesh.Proxies() {
				proxies.Add(1)
				cfg := compiler.Compile(p)
				text, err := emit.Bootstrap(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if key := digest(text, pods); !seen[key] {
					seen[key] = true
					given.Add(1)
					if err := emit.Validate(cfg); err != nil {
						t.Errorf("%s: %v", p.ID(), err)
					}
					if err := envoytest.Validate(t, text); err != nil {
						t.Errorf("%s: %v", p.ID(), err)
					}
				}
			}
			if len(seen) == 0 {
				t.Error("no proxy comes of it")
			}
		})
	}
}

// generated draws a mesh and loads its YAML.
func generated(t *testing.T, seed uint64) *model.Mesh {
	t.Helper()
	tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(seed, meshgen.Small).Text()}}
	mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// withoutPods replaces what tells one pod of the mesh from another: address, name and revision, wherever they stand, since a pod is among its own
// service's endpoints too. Which pod it is that a listener, an endpoint or a label is about is nothing that Envoy could refuse.
func withoutPods(mesh *model.Mesh) *strings.Replacer {
	var pairs []string
	for _, p := range mesh.Proxies() {
		version := p.Labels["version"]
		pairs = append(pairs, p.IP, "IP", p.ID(), "ID", p.Name, "NAME", fmt.Sprintf(`"value": %q`, version), "REVISION", ";"+version+";", ";REVISION;")
	}
	return strings.NewReplacer(pairs...)
}

// digest is that of a bootstrap's resources. Where others follow them in the text they count too, which at worst has Envoy judge the same twice.
func digest(bootstrap []byte, pods *strings.Replacer) [sha256.Size]byte {
	_, resources, _ := bytes.Cut(bootstrap, []byte(`"static_resources"`))
	return sha256.Sum256([]byte(pods.Replace(string(resources))))
}
