package realenvoy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/model"
)

// generatedMeshes is how many random meshes Envoy looks at: seeds 0 to 499.
const generatedMeshes = 500

// TestEnvoyAcceptsGeneratedMeshes gives Envoy every bootstrap of many random meshes. Of those of one mesh that differ in nothing but the
// proxy's own name, revision and address it gets one.
func TestEnvoyAcceptsGeneratedMeshes(t *testing.T) {
	var proxies, given atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d meshes, %d proxies, %d different bootstraps", generatedMeshes, proxies.Load(), given.Load())
	})
	for seed := range uint64(generatedMeshes) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			mesh := generated(t, seed)
			seen := map[[sha256.Size]byte]bool{}
			for _, p := range mesh.Proxies() {
				proxies.Add(1)
				text := bootstrap(t, mesh, p)
				if key := withoutName(t, text, p); !seen[key] {
					seen[key] = true
					given.Add(1)
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

// withoutName is the digest of a bootstrap without what tells one replica from the next.
func withoutName(t *testing.T, bootstrap []byte, p *model.Proxy) [sha256.Size]byte {
	t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(bootstrap, &parts); err != nil {
		t.Fatal(err)
	}
	revision := fmt.Sprintf(`"value": %q`, p.Labels["version"])
	resources := strings.NewReplacer(p.IP, "IP", p.ID(), "ID", p.Name, "NAME", revision, "REVISION").Replace(string(parts["static_resources"]))
	return sha256.Sum256([]byte(resources))
}
