// Package pipeline tries meshc where users run it: as a hook of the real pre-commit, and as the steps of the GitHub Action.
package pipeline

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/pipinstall"
)

const healthy = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews, version: v1}}
    spec: {containers: [{name: reviews, image: reviews:1}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews}
`

// broken sends requests to a host that is nowhere.
var broken = strings.Replace(healthy, "destination: {host: reviews}", "destination: {host: revuews}", 1)

// run runs a command in a folder and returns what it said and its exit status.
func run(t *testing.T, dir string, env []string, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out), 0
}

func must(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, status := run(t, dir, env, name, args...)
	if status != 0 {
		t.Fatalf("%s %v: exit status %d\n%s", name, args, status, out)
	}
	return out
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// gitEnv keeps the user's own Git configuration out of the scratch repositories.
var gitEnv = []string{
	"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
	"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
}

// hookRepository is this repository as it stands, committed, for pre-commit to clone.
func hookRepository(t *testing.T) (dir, rev string) {
	t.Helper()
	top := strings.TrimSpace(must(t, ".", nil, "git", "rev-parse", "--show-toplevel"))
	dir = t.TempDir()
	for name := range strings.SplitSeq(must(t, top, nil, "git", "ls-files", "-co", "--exclude-standard"), "\n") {
		text, err := os.ReadFile(filepath.Join(top, name))
		if name == "" || err != nil {
			continue // deleted and not yet committed
		}
		write(t, dir, name, string(text))
	}
	must(t, dir, gitEnv, "git", "init", "-q")
	must(t, dir, gitEnv, "git", "add", "-A")
	must(t, dir, gitEnv, "git", "commit", "-q", "-m", "hooks")
	return dir, strings.TrimSpace(must(t, dir, gitEnv, "git", "rev-parse", "HEAD"))
}

// TestPreCommitHook commits to a scratch repository with the hook installed: a healthy mesh goes through, a broken one does not.
func TestPreCommitHook(t *testing.T) {
	packages, err := pipinstall.Dir("pre-commit==4.3.0")
	if err != nil {
		t.Fatal(err)
	}
	hooks, rev := hookRepository(t)
	repo := t.TempDir()
	env := append([]string{
		"PYTHONPATH=" + packages, "PRE_COMMIT_HOME=" + t.TempDir(), "PRE_COMMIT_COLOR=never",
		"GOMODCACHE=" + strings.TrimSpace(must(t, ".", nil, "go", "env", "GOMODCACHE")),
		"GOFLAGS=-buildvcs=false -modcacherw",
	}, gitEnv...)
	write(t, repo, ".pre-commit-config.yaml", "repos:\n- repo: "+hooks+"\n  rev: "+rev+"\n  hooks:\n  - id: meshc-lint\n    args: [mesh]\n  - id: meshc-golden\n    args: [mesh]\n")
	write(t, repo, "mesh/reviews.yaml", healthy)
	must(t, repo, env, "git", "init", "-q")
	must(t, repo, env, "python3", "-m", "pre_commit", "install")
	// The first commit holds the goldens that the second hook compares with; meshc itself comes from the hook's own build.
	must(t, repo, env, "git", "add", "-A")
	out, status := run(t, repo, env, "git", "commit", "-m", "no goldens yet")
	if status == 0 || !strings.Contains(out, "golden update") {
		t.Fatalf("a commit without goldens: exit status %d, want the hook to name golden update\n%s", status, out)
	}
	must(t, repo, env, "sh", "-c", `"$(find "$PRE_COMMIT_HOME" -type f -name meshc -perm -u+x | head -1)" golden update mesh`)
	must(t, repo, env, "git", "add", "-A")
	if out, status := run(t, repo, env, "git", "commit", "-m", "healthy"); status != 0 {
		t.Fatalf("a healthy mesh with goldens was refused:\n%s", out)
	}

	write(t, repo, "mesh/reviews.yaml", broken)
	must(t, repo, env, "git", "add", "-A")
	out, status = run(t, repo, env, "git", "commit", "-m", "broken")
	if status == 0 {
		t.Fatalf("a broken mesh was committed:\n%s", out)
	}
	for _, want := range []string{"mesh/reviews.yaml:24:", "revuews", "virtualservice/unknown-host"} {
		if !strings.Contains(out, want) {
			t.Errorf("the hook does not say %q:\n%s", want, out)
		}
	}
}
