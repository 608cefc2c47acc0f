package lint

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint/schema"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// eachResource runs a check over resources on all cores. What the check returns is collected in the order of the resources, whatever the
// order in which they were done.
func eachResource(ctx context.Context, resources []*resource.Resource, check func(*resource.Resource) ([]diag.Finding, error)) ([]diag.Finding, error) {
	found := make([][]diag.Finding, len(resources))
	workers := min(runtime.GOMAXPROCS(0), len(resources))
	var next atomic.Int64
	var once sync.Once
	var failed error
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(resources) || ctx.Err() != nil {
					return
				}
				findings, err := check(resources[i])
				if err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(len(resources)))
					return
				}
				found[i] = findings
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	var all []diag.Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all, ctx.Err()
}

// schemaFindings judges each resource by itself. What the decoder said of a field already is not said again.
func schemaFindings(ctx context.Context, mesh *model.Mesh) ([]diag.Finding, error) {
	var covered []*resource.Resource
	kinds := map[string]bool{}
	for _, r := range mesh.Resources() {
		if schema.Covers(r) {
			covered = append(covered, r)
			kinds[r.Kind] = true
		}
	}
	stage, err := schema.New(kinds)
	if err != nil {
		return nil, err
	}
	said := saidByDecoder(mesh.Findings)
	return eachResource(ctx, covered, func(r *resource.Resource) ([]diag.Finding, error) {
		findings := stage.Check(r)
		if len(said[r.Ref()]) == 0 {
			return findings, nil
		}
		kept := findings[:0]
		for _, f := range findings {
			if !said.covers(f) {
				kept = append(kept, f)
			}
		}
		return kept, nil
	})
}

// decoded holds the paths that the decoder reported, by resource.
type decoded map[diag.Resource][]string

func saidByDecoder(findings []diag.Finding) decoded {
	said := decoded{}
	for _, f := range findings {
		if f.Severity == diag.Error && strings.HasPrefix(f.Rule, "schema/") && f.Path != "" {
			said[f.Resource] = append(said[f.Resource], f.Path)
		}
	}
	return said
}

// covers tells whether the finding is about a place that the decoder could not make sense of, or about what holds that place.
func (d decoded) covers(f diag.Finding) bool {
	for _, path := range d[f.Resource] {
		if within(f.Path, path) || f.Path != "" && f.Path != "spec" && within(path, f.Path) {
			return true
		}
	}
	return false
}

func within(path, holder string) bool {
	rest, ok := strings.CutPrefix(path, holder)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
