// Package architecture holds the arrows between packages that docs/architecture.md draws.
package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/meshc/meshc/"

// ladder names the stages from the bottom to the top. A package may import its own stage and those that its stage lists, nothing else of ours.
var ladder = []struct {
	stage string
	may   []string
}{
	{"pkg/diag", nil},
	{"pkg/revision", nil},
	{"schemas", nil},
	{"pkg/model/document", []string{"pkg/diag"}},
	{"pkg/model/resource", []string{"pkg/diag", "pkg/model/document"}},
	{"pkg/model/gatewayapi", []string{"pkg/diag", "pkg/model/resource"}},
	{"pkg/model/ingress", []string{"pkg/diag", "pkg/model/resource"}},
	{"pkg/model", []string{"pkg/diag", "pkg/model/document", "pkg/model/resource", "pkg/model/gatewayapi", "pkg/model/ingress"}},
	{"pkg/compile", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/model/document"}},
	{"pkg/lint", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/model/gatewayapi", "pkg/model/document", "pkg/compile", "schemas"}},
	{"pkg/simulate", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/model/document", "pkg/compile"}},
	{"pkg/tlscheck", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/compile"}},
	{"pkg/reach", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/compile", "pkg/simulate", "pkg/tlscheck"}},
	{"pkg/emit", []string{"pkg/diag", "pkg/model", "pkg/model/resource", "pkg/model/gatewayapi", "pkg/compile"}},
	{"pkg/report", []string{"pkg/diag", "pkg/lint", "pkg/tlscheck", "pkg/reach", "pkg/emit"}},
	{"cmd/meshc", []string{"pkg/diag", "pkg/revision", "pkg/model", "pkg/compile", "pkg/lint", "pkg/simulate", "pkg/tlscheck", "pkg/reach", "pkg/emit", "pkg/report"}},
}

// forbidden are dependencies that nothing below may bring in: Istio's control plane is a yardstick, not a library, and no stage talks to
// a cluster.
var forbidden = []string{"istio.io/istio", "k8s.io/client-go", "github.com/envoyproxy/go-control-plane/pkg"}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// stageOf returns the most specific stage that holds the package, -1 if none does.
func stageOf(path string) int {
	best := -1
	for i, s := range ladder {
		if path == module+s.stage || strings.HasPrefix(path, module+s.stage+"/") {
			if best < 0 || len(s.stage) > len(ladder[best].stage) {
				best = i
			}
		}
	}
	return best
}

func TestImportsFollowTheLadder(t *testing.T) {
	seen := map[int]bool{}
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, module+"internal/") {
			continue // what only tests use
		}
		from := stageOf(p.ImportPath)
		if from < 0 {
			t.Errorf("%s belongs to no stage: add it to the ladder and to docs/architecture.md", p.ImportPath)
			continue
		}
		seen[from] = true
		for _, imported := range p.Imports {
			to := stageOf(imported)
			if to < 0 {
				if strings.HasPrefix(imported, module+"internal/") {
					t.Errorf("%s imports %s, which is for tests", p.ImportPath, imported)
				}
				continue
			}
			if to != from && !slices.Contains(ladder[from].may, ladder[to].stage) {
				t.Errorf("%s imports %s: %s may import only %v", p.ImportPath, imported, ladder[from].stage, ladder[from].may)
			}
		}
		for _, dep := range p.Deps {
			for _, bad := range forbidden {
				if dep == bad || strings.HasPrefix(dep, bad+"/") {
					t.Errorf("%s depends on %s", p.ImportPath, dep)
				}
			}
		}
	}
	for i, s := range ladder {
		if !seen[i] {
			t.Errorf("the ladder names %s, which has no package", s.stage)
		}
	}
}
