package lint

import (
	"context"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint/schema"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// eachResource runs a check over resources on all cores. What the check returns is collected in the order of the resources, whatever the
// order in which they were done.
func eachResource(ctx context.Context, resources []*resource.Resource, check func(*resource.Resource) ([]diag.Finding, error)) ([]diag.Finding, error) {
	found := make([][]diag.Finding, len(resources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range resources {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			found[i], err = check(r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []diag.Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all, nil
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
