package meshgen_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/model"
)

func load(t testing.TB, m *meshgen.Mesh) *model.Mesh {
	t.Helper()
	tree := fstest.MapFS{"mesh.yaml": {Data: m.Text()}}
	mesh, err := model.Load(context.Background(), model.Options{FS: tree}, ".")
	if err != nil {
		t.Fatalf("seed %d: %v", m.Seed, err)
	}
	return mesh
}

// bootstraps compiles every proxy, and holds each against Envoy's rules on the way.
func bootstraps(t testing.TB, mesh *model.Mesh) map[string][]byte {
	t.Helper()
	c := compile.New(mesh, compile.Options{})
	out := map[string][]byte{}
	for _, p := range mesh.Proxies() {
		cfg := c.Compile(p)
		if err := emit.Validate(cfg); err != nil {
			t.Errorf("%s: %v", p.ID(), err)
		}
		text, err := emit.Bootstrap(cfg)
		if err != nil {
			t.Fatalf("%s: %v", p.ID(), err)
		}
		out[p.ID()] = text
	}
	return out
}

func TestSeedDecides(t *testing.T) {
	a, b := meshgen.Generate(7, meshgen.Small), meshgen.Generate(7, meshgen.Small)
	if !bytes.Equal(a.Text(), b.Text()) {
		t.Error("the same seed gave two meshes")
	}
	if bytes.Equal(a.Text(), meshgen.Generate(8, meshgen.Small).Text()) {
		t.Error("two seeds gave the same mesh")
	}
}

// TestMeshesAreValid: whatever is drawn passes the schema stage, so that what fails later is no fault of the mesh's.
func TestMeshesAreValid(t *testing.T) {
	for seed := range uint64(30) {
		m := meshgen.Generate(seed, meshgen.Small)
		report, err := lint.Run(t.Context(), load(t, m), lint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			if f.Severity == diag.Error && strings.HasPrefix(f.Rule, "schema/") {
				t.Errorf("seed %d: %s %s %s: %s", seed, f.Rule, f.Resource, f.Path, f.Message)
			}
		}
	}
}

// TestEveryFeatureIsDrawn: the meshes of the tests hold every kind and the fields that are drawn least.
func TestEveryFeatureIsDrawn(t *testing.T) {
	var all strings.Builder
	for seed := range uint64(60) {
		all.Write(meshgen.Generate(seed, meshgen.Small).Text())
	}
	for _, want := range []string{
		"kind: Sidecar", "kind: WorkloadEntry", "kind: Telemetry", "kind: RequestAuthentication", "kind: StatefulSet", "type: ExternalName", "delegate:", "mirrors:",
		"AUTO_PASSTHROUGH", "OPTIONAL_MUTUAL", "DYNAMIC_DNS", "DNS_ROUND_ROBIN", "tunnel:", "proxyProtocol:", "retryBudget:", "distribute:", "portLevelMtls:", "unix://",
		"uriRegexRewrite:", "grpcStatus:", "derivePort:", "unmatchedPreflights:", "credentialNames:", "captureMode:", "httpsRedirect:", "sourceNamespace:",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no mesh holds %q", want)
		}
	}
}

// TestOrderDoesNotMatter: the same documents in another order, and a second run, give the same bytes.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(12) {
		m := meshgen.Generate(seed, meshgen.Small)
		mesh := load(t, m)
		want := bootstraps(t, mesh)
		again, shuffled := bootstraps(t, mesh), bootstraps(t, load(t, m.Shuffled(seed)))
		for id, text := range want {
			if !bytes.Equal(text, again[id]) {
				t.Errorf("seed %d: %s differs from run to run", seed, id)
			}
			if !bytes.Equal(text, shuffled[id]) {
				t.Errorf("seed %d: %s differs with the order of the documents", seed, id)
			}
		}
		if len(want) != len(shuffled) || len(want) == 0 {
			t.Errorf("seed %d: %d proxies, in another order %d", seed, len(want), len(shuffled))
		}
	}
}

// TestTogetherAsAlone: what proxies share does not show. Each comes out of one compiler for all, whoever came before it and however often, as
// it does out of a compiler of its own.
func TestTogetherAsAlone(t *testing.T) {
	write := func(cfg *compile.Configuration) []byte {
		text, sourceMap, err := emit.BootstrapWithSourceMap(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return append(text, sourceMap...)
	}
	for seed := range uint64(8) {
		mesh := load(t, meshgen.Generate(seed, meshgen.Small))
		together := compile.New(mesh, compile.Options{SecretsDir: "/secrets"})
		alone := map[string][]byte{}
		for _, p := range mesh.Proxies() {
			alone[p.ID()] = write(compile.Compile(mesh, p, compile.Options{SecretsDir: "/secrets"}))
		}
		for range 3 {
			for _, p := range slices.Backward(mesh.Proxies()) {
				if !bytes.Equal(alone[p.ID()], write(together.Compile(p))) {
					t.Errorf("seed %d: %s is not what it is alone", seed, p.ID())
				}
			}
		}
	}
}
