package emit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
)

// wide is a configuration with a thousand weighted clusters and routes.
func wide(changed int) world {
	w := world{target: compile.Envoy, timeout: time.Second, mtls: true}
	for i := range 1000 {
		w.weights = append(w.weights, uint32(i))
		w.paths = append(w.paths, fmt.Sprintf("/%d", i))
	}
	for i := range changed {
		w.weights[i*7] = 12345
	}
	return w
}

func BenchmarkBootstrap(b *testing.B) {
	cfg := wide(0).configuration(b, "a")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := emit.Bootstrap(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBootstrapWithSourceMap(b *testing.B) {
	cfg := wide(0).configuration(b, "a")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := emit.BootstrapWithSourceMap(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	cfg := wide(0).configuration(b, "a")
	b.ReportAllocs()
	for b.Loop() {
		if err := emit.Validate(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	base, head := wide(0).documents(b, "a", "b", "c"), wide(100).documents(b, "a", "b", "c")
	b.ReportAllocs()
	for b.Loop() {
		d, err := emit.Diff(base, head)
		if err != nil || len(d.Changed) != 3 {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkDiffEqual(b *testing.B) {
	base, head := wide(0).documents(b, "a", "b", "c"), wide(0).documents(b, "a", "b", "c")
	b.ReportAllocs()
	for b.Loop() {
		d, err := emit.Diff(base, head)
		if err != nil || !d.Equal() {
			b.Fatal(d, err)
		}
	}
}
