package compile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/pkg/compile"
)

// TestTryPatches holds which proxies are compiled to judge patches: few where patches have an effect, more where they have none, and never more
// than a bound, however large the mesh.
func TestTryPatches(t *testing.T) {
	mesh := func(pods int, patches ...string) string {
		var b strings.Builder
		for i := range pods {
			fmt.Fprintf(&b, `apiVersion: v1
kind: Pod
metadata: {name: app-%04d, namespace: shop, labels: {app: a, number: "%d", sidecar.istio.io/inject: "true"}, annotations: {sidecar.istio.io/status: "{}"}}
spec: {containers: [{name: app, image: app}, {name: istio-proxy, image: proxyv2}]}
---
`, i, i)
		}
		for i, p := range patches {
			fmt.Fprintf(&b, "---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: p%d, namespace: shop}\nspec: {%s}\n", i, p)
		}
		return b.String()
	}
	const (
		fits   = `configPatches: [{applyTo: CLUSTER, match: {cluster: {name: PassthroughCluster}}, patch: {operation: MERGE, value: {connect_timeout: 1s}}}]`
		misses = `configPatches: [{applyTo: CLUSTER, match: {cluster: {name: none}}, patch: {operation: REMOVE}}]`
		one    = `workloadSelector: {labels: {number: "7"}}, ` + fits
		oneNot = `workloadSelector: {labels: {number: "7"}}, ` + misses
	)
	// each patches a proxy of its own, in vain.
	each := func(n int) (patches []string) {
		for i := range n {
			patches = append(patches, fmt.Sprintf(`workloadSelector: {labels: {number: "%d"}}, %s`, i, misses))
		}
		return patches
	}
	for name, tt := range map[string]struct {
		text                       string
		tried, findings, undecided int
	}{
		"no EnvoyFilter":                  {mesh(8), 0, 0, 0},
		"all of a small mesh":             {mesh(8, fits), 8, 0, 0},
		"only the proxies selected":       {mesh(8, one), 1, 0, 0},
		"some of a large one":             {mesh(100, fits), 16, 0, 0},
		"all where there is no effect":    {mesh(100, fits, misses), 100, 1, 0},
		"not for what selects another":    {mesh(100, fits, oneNot), 17, 1, 0},
		"bounded, and then not decided":   {mesh(600, misses), 512, 0, 1},
		"bounded for all patches":         {mesh(600, each(600)...), 512, 512, 88},
		"few where there are many":        {mesh(600, slices.Repeat([]string{fits}, 100)...), 5, 0, 0},
		"nothing for what does nothing":   {mesh(8, `configPatches: [{applyTo: CLUSTER, patch: {operation: REPLACE, value: {name: x}}}]`), 0, 1, 0},
		"nothing for what cannot be read": {mesh(8, `configPatches: [{applyTo: CLUSTER, patch: {operation: ADD, value: {name: 1}}}]`), 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			compiler := compile.New(loadText(t, tt.text), compile.Options{Target: compile.IstioProxy})
			uses, err := compiler.TryPatches(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			report := compiler.JudgePatches(nil, uses...)
			if len(uses) != tt.tried || len(report.Findings) != tt.findings || len(report.Undecided) != tt.undecided {
				t.Errorf("%d proxies tried, %d findings, %d undecided; want %d, %d, %d\n%+v",
					len(uses), len(report.Findings), len(report.Undecided), tt.tried, tt.findings, tt.undecided, report)
			}
		})
	}
	t.Run("the context ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := compile.New(loadText(t, mesh(8, fits)), compile.Options{}).TryPatches(ctx); err == nil {
			t.Error("there is no error")
		}
	})
}
