package meshgen_test

import (
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/model"
)

// large is a mesh as a big organisation has it: about a thousand services.
var large = meshgen.Size{
	Namespaces: 40, Services: 1000, ServiceEntries: 50, Gateways: 10, VirtualServices: 300, DestinationRules: 300, Sidecars: 20,
	Policies: 40, Access: 40, Settings: true, Steady: true,
}

// BenchmarkLargeMesh times each stage on one mesh of a thousand services, and the stages of one proxy.
func BenchmarkLargeMesh(b *testing.B) {
	tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(1, large).Text()}}
	load := func(b *testing.B) *model.Mesh {
		mesh, err := model.Load(b.Context(), model.Options{FS: tree}, ".")
		if err != nil {
			b.Fatal(err)
		}
		return mesh
	}
	b.Run("load", func(b *testing.B) {
		b.SetBytes(int64(len(tree["mesh.yaml"].Data)))
		for b.Loop() {
			load(b)
		}
	})
	b.Run("lint", func(b *testing.B) {
		mesh := load(b)
		for b.Loop() {
			if _, err := lint.Run(b.Context(), mesh, lint.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compile the first proxy", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			mesh := load(b)
			b.StartTimer()
			compile.Compile(mesh, mesh.Proxies()[0], compile.Options{})
		}
	})
	mesh := load(b)
	compiler := compile.New(mesh, compile.Options{})
	proxies := mesh.Proxies()
	b.Run("compile another proxy", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			compiler.Compile(proxies[i%len(proxies)])
		}
	})
	b.Run("write a bootstrap", func(b *testing.B) {
		cfg := compiler.Compile(proxies[0])
		for b.Loop() {
			if _, _, err := emit.BootstrapWithSourceMap(cfg); err != nil {
				b.Fatal(err)
			}
		}
	})
}
