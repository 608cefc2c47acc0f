package simulate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// suite is testdata/*/calls.yaml: calls to a proxy of the world beside it, and what is wanted of each outcome. Fields that are not named may
// be anything.
type suite struct {
	Proxy string `json:"proxy"`
	Calls []struct {
		Call simulate.Call  `json:"call"`
		Want map[string]any `json:"want"`
	} `json:"calls"`
}

// simulator compiles a proxy of a world.
func simulator(t testing.TB, proxy string, paths ...string) *simulate.Simulator {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range mesh.Proxies() {
		if p.ID() == proxy {
			cfg := compile.Compile(mesh, p, compile.Options{Target: compile.IstioProxy})
			return simulate.New(cfg, simulate.Options{Mesh: mesh})
		}
	}
	t.Fatalf("no proxy %s in %v", proxy, paths)
	return nil
}

func TestCalls(t *testing.T) {
	worlds, err := filepath.Glob("testdata/*/calls.yaml")
	if err != nil || len(worlds) == 0 {
		t.Fatalf("%d worlds, %v", len(worlds), err)
	}
	for _, file := range worlds {
		dir := filepath.Dir(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s suite
		if err := yaml.UnmarshalStrict(text, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		sim := simulator(t, s.Proxy, filepath.Join(dir, "world.yaml"))
		for i, c := range s.Calls {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(dir), i+1), func(t *testing.T) {
				got := named(t, sim.Explain(c.Call), c.Want)
				if diff := cmp.Diff(c.Want, got); diff != "" {
					t.Errorf("%+v ends elsewhere (-want +got):\n%s%s", c.Call, diff, trace(sim, c.Call))
				}
			})
		}
	}
}

// named returns those fields of the outcome that want names.
func named(t *testing.T, o simulate.Outcome, want map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if o.Upstream != nil {
		all["upstream"] = map[string]any{"host": o.Upstream.Host, "path": o.Upstream.Path}
	}
	got := map[string]any{}
	for field := range want {
		got[field] = all[field]
	}
	return got
}

func trace(sim *simulate.Simulator, c simulate.Call) (text string) {
	for _, s := range sim.Explain(c).Trace {
		text += fmt.Sprintf("  %-13s %s\n", s.Stage, s.Reason)
	}
	return text
}

// TestExplainNamesTheYAML: the step that finds the route names the lines of the VirtualService.
func TestExplainNamesTheYAML(t *testing.T) {
	sim := simulator(t, "ingress.edge", "testdata/gateway/world.yaml")
	o := sim.Explain(simulate.Call{Port: 8080, Host: "shop.example.com", Path: "/tea"})
	for _, s := range o.Trace {
		if s.Stage != simulate.StageRoute || len(s.Sources) == 0 {
			continue
		}
		last := s.Sources[0]
		if last.Resource.Kind != "VirtualService" || last.Resource.Name != "shop" || last.Location.Line == 0 {
			t.Errorf("route step %q comes of %+v", s.Reason, last)
		}
	}
	if n := len(o.Trace); n < 4 {
		t.Errorf("%d steps, want listener, filter chain, virtual host, route and answer", n)
	}
	if plain := sim.Call(simulate.Call{Port: 8080, Host: "shop.example.com", Path: "/tea"}); plain.Trace != nil {
		t.Error("a call that is not explained has a trace")
	}
}

// BenchmarkCall asks for the tenth route of a virtual host, again and again.
func BenchmarkCall(b *testing.B) {
	sim := simulator(b, "ingress.edge", "testdata/gateway/world.yaml")
	call := simulate.Call{Port: 8080, Host: "shop.example.com", Path: "/shop?x=1", Headers: map[string]string{"x-user": "jason"}}
	for b.Loop() {
		if o := sim.Call(call); o.Route != "shop" {
			b.Fatal(o)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
