package emit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/emit"
)

func TestSourceMap(t *testing.T) {
	cfg := world{weights: []uint32{90, 10}}.configuration(t, "productpage-v1")
	plain, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	bootstrap, sourceMap, err := emit.BootstrapWithSourceMap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(plain), string(bootstrap)); diff != "" {
		t.Errorf("the source map changed the bootstrap:\n%s", diff)
	}
	golden.Compare(t, "productpage-v1.default.json", bootstrap)
	golden.Compare(t, "productpage-v1.default.json.map", sourceMap)
}

func TestWhy(t *testing.T) {
	_, sourceMap, err := emit.BootstrapWithSourceMap(world{weights: []uint32{90, 10}}.configuration(t, "productpage-v1"))
	if err != nil {
		t.Fatal(err)
	}
	const routes = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/1/routes"
	// Each answer as: exact or not; the parts around with their lines; the parts inside.
	tests := []struct{ pointer, want string }{
		{routes + "/0", "exact; 0 reviews.yaml:7; inside: 2 of VirtualService"},
		{routes + "/0/", "exact; 0 reviews.yaml:7; inside: 2 of VirtualService"},
		{"#" + routes + "/0/route/weighted_clusters/clusters/1/weight", "near; 0/route/weighted_clusters/clusters/1 reviews.yaml:11; 0 reviews.yaml:7"},
		{strings.TrimPrefix(routes, "/"), "near; inside: 3 of VirtualService"},
		{"", "near; inside: 3 of VirtualService"},
		{"/node", `no YAML shaped "/node": it is the same in every mesh, or the pointer leads nowhere`},
	}
	for _, test := range tests {
		t.Run(test.pointer, func(t *testing.T) {
			a, err := emit.Why(sourceMap, test.pointer)
			if err != nil {
				if diff := cmp.Diff(test.want, err.Error()); diff != "" {
					t.Error(diff)
				}
				return
			}
			words := []string{"near"}
			if a.Exact {
				words[0] = "exact"
			}
			for _, s := range a.Within {
				words = append(words, strings.TrimPrefix(s.Pointer, routes+"/")+" "+s.Origins[0].String())
			}
			for _, i := range a.Inside {
				words = append(words, "inside: "+string(rune('0'+i.Parts))+" of "+i.Resource.Kind)
			}
			if diff := cmp.Diff(test.want, strings.Join(words, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzWhy(f *testing.F) {
	_, sourceMap, err := emit.BootstrapWithSourceMap(world{weights: []uint32{90, 10}}.configuration(f, "productpage-v1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sourceMap, "/static_resources")
	f.Add([]byte(`{"meshcSourceMap":1,"sources":[],"pointers":{"/a":[0]}}`), "/a")
	f.Add([]byte(`{"meshcSourceMap":2}`), "#/")
	f.Fuzz(func(t *testing.T, text []byte, pointer string) {
		a, err := emit.Why(text, pointer)
		if err != nil {
			return
		}
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
		if len(a.Within) == 0 && len(a.Inside) == 0 {
			t.Error("an answer that says nothing")
		}
	})
}
