package realenvoy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/simulate"
)

// auditLine is what the access log of testdata/audit.yaml says of a request.
type auditLine struct {
	Path         string
	Code         int
	Audited      bool
	DryRun       string `json:"dry_run"`
	DryRunPolicy string `json:"dry_run_policy"`
}

// TestAuditedRequestsAreLogged: Envoy leaves in a request's metadata that an AUDIT policy matched and what a policy on dry run would have
// decided, where a log's format and its filter find it. Neither keeps a request from anything.
func TestAuditedRequestsAreLogged(t *testing.T) {
	t.Run("the format tells", func(t *testing.T) {
		t.Parallel()
		want := []auditLine{
			{Path: "/sales", Code: 200, DryRun: "allowed"},
			{Path: "/refunds/1", Code: 200, Audited: true, DryRun: "allowed"},
			{Path: "/refunds/2", Code: 200, Audited: true, DryRun: "denied", DryRunPolicy: "ns[shop]-policy[soon-no-deletes]-rule[0]"},
		}
		if diff := cmp.Diff(want, auditLog(t, len(want), "internal/realenvoy/testdata/audit.yaml")); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
	t.Run("the filter chooses", func(t *testing.T) {
		t.Parallel()
		lines := auditLog(t, 2, "internal/realenvoy/testdata/audit.yaml", "internal/realenvoy/testdata/audit-only.yaml")
		var paths []string
		for _, l := range lines {
			paths = append(paths, l.Path)
		}
		if diff := cmp.Diff([]string{"/refunds/1", "/refunds/2"}, paths); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
	})
}

// auditLog makes three calls to the workload and returns what its sidecar logged of them, once these are as many lines as wanted.
func auditLog(t *testing.T, lines int, paths ...string) []auditLine {
	t.Helper()
	mesh := world(t, paths...)
	p := proxy(t, mesh, "till.shop")
	g := &guarded{t: t, ca: newAuthority(t), cfg: compile.Compile(mesh, p, compile.Options{}), network: envoytest.NewNamespace(t, p.IP)}
	g.network.AddAddresses(t, callers...)
	log := filepath.Join(t.TempDir(), "access.log")
	text := bytes.ReplaceAll(bootstrap(t, mesh, p), []byte(`"/dev/stdout"`), []byte(`"`+log+`"`))
	envoytest.Start(t, text, envoytest.Options{Network: g.network, Upstream: g.serve})
	for _, c := range []simulate.Call{{Method: http.MethodGet, Path: "/sales"}, {Method: http.MethodGet, Path: "/refunds/1"}, {Method: http.MethodDelete, Path: "/refunds/2"}} {
		c.Protocol, c.TLS, c.Host, c.SourceIP, c.Address, c.Port = simulate.HTTP, simulate.Plaintext, "till", callers[0], p.IP, 8080
		if r := g.send(c); r.status != http.StatusOK {
			t.Errorf("%s %s: status %d, want 200", c.Method, c.Path, r.status)
		}
	}
	written := eventually(t, "access log", func() ([]byte, bool) {
		written, err := os.ReadFile(log)
		return written, err == nil && bytes.Count(written, []byte("\n")) >= lines
	})
	var out []auditLine
	for line := range strings.Lines(string(written)) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, l)
	}
	return out
}
