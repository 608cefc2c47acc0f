package meshgen_test

import (
	"runtime"
	"testing"
	"testing/fstest"

	"golang.org/x/sync/errgroup"

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
	some := everyTenth(proxies)
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
	b.Run("compile and write a hundred", func(b *testing.B) {
		for b.Loop() {
			compiler := compile.New(mesh, compile.Options{})
			var group errgroup.Group
			group.SetLimit(runtime.GOMAXPROCS(0))
			for _, p := range some {
				group.Go(func() error {
					cfg := compiler.Compile(p)
					if _, _, err := emit.BootstrapWithSourceMap(cfg); err != nil {
						return err
					}
					return emit.Validate(cfg)
				})
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hold a hundred", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			before := heap()
			b.StartTimer()
			compiler := compile.New(mesh, compile.Options{})
			held := make([]*compile.Configuration, len(some))
			for i, p := range some {
				held[i] = compiler.Compile(p)
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/float64(len(some)), "held-B/proxy")
			runtime.KeepAlive(held)
			b.StartTimer()
		}
	})
}

// everyTenth picks proxies of all namespaces.
func everyTenth(proxies []*model.Proxy) []*model.Proxy {
	var some []*model.Proxy
	for i := 0; i < len(proxies); i += 10 {
		some = append(some, proxies[i])
	}
	return some
}

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
