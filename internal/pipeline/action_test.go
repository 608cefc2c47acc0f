package pipeline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// action is what the test reads of action.yml.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Using string
		Steps []struct {
			ID, Name, Uses, Shell, Run string
			WorkingDirectory           string `json:"working-directory"`
			Env                        map[string]string
		}
	}
}

var expression = regexp.MustCompile(`\$\{\{\s*([^}]*?)\s*\}\}`)

// runAction runs the action's own scripts, in order, as a runner would: bash -eo pipefail, inputs through the environment. It returns what
// was printed, the outputs, the job summary and the exit status of the step that failed, if any.
func runAction(t *testing.T, repo string, inputs map[string]string) (log, outputs, summary string, status int) {
	t.Helper()
	top := strings.TrimSpace(must(t, ".", nil, "git", "rev-parse", "--show-toplevel"))
	text, err := os.ReadFile(filepath.Join(top, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	value := func(s string) string {
		return expression.ReplaceAllStringFunc(s, func(e string) string {
			name := expression.FindStringSubmatch(e)[1]
			if name == "github.action_path" {
				return top
			}
			input, ok := strings.CutPrefix(name, "inputs.")
			def, known := a.Inputs[input]
			if !ok || !known {
				t.Fatalf("action.yml: the test does not know the expression %s", e)
			}
			if v, ok := inputs[input]; ok {
				return v
			}
			return def.Default
		})
	}
	temp := t.TempDir()
	files := []string{"RUNNER_TEMP=" + temp, "GITHUB_OUTPUT=" + filepath.Join(temp, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(temp, "summary")}
	for _, step := range a.Runs.Steps {
		if step.Uses != "" {
			continue // the tools of the runner
		}
		if expression.MatchString(step.Run) {
			t.Errorf("step %q: an expression stands inside the script, where an input could write code", step.Name)
		}
		env := append([]string{}, files...)
		for k, v := range step.Env {
			env = append(env, k+"="+value(v))
		}
		out, exit := run(t, filepath.Join(repo, value(step.WorkingDirectory)), env, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		log += out
		if exit != 0 {
			status = exit
			break
		}
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(temp, name))
		if err != nil {
			t.Errorf("the action wrote no %s", name)
		}
		return string(text)
	}
	return log, read("output"), read("summary"), status
}

func TestAction(t *testing.T) {
	check := func(t *testing.T, what, got string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q:\n%s", what, want, got)
			}
		}
	}
	t.Run("healthy", func(t *testing.T) {
		repo := t.TempDir()
		write(t, repo, "mesh/reviews.yaml", healthy)
		log, outputs, summary, status := runAction(t, repo, map[string]string{"paths": "mesh"})
		if status != 0 {
			t.Errorf("exit status %d\n%s", status, log)
		}
		check(t, "the outputs", outputs, "exit-code=0\n", "errors=0\n")
		check(t, "the summary", summary, "### Mesh configuration", "3 resources")
	})
	t.Run("broken", func(t *testing.T) {
		repo := t.TempDir()
		write(t, repo, "mesh/reviews.yaml", broken)
		log, outputs, summary, status := runAction(t, repo, map[string]string{"paths": "mesh", "sarif-file": "out.sarif"})
		if status != 1 {
			t.Errorf("exit status %d, want 1\n%s", status, log)
		}
		check(t, "the log", log, "::error file=mesh/reviews.yaml,line=24,", "revuews")
		check(t, "the outputs", outputs, "exit-code=1\n", "errors=1\n")
		check(t, "the summary", summary, "| error | `mesh/reviews.yaml:24:")
		if _, err := os.Stat(filepath.Join(repo, "out.sarif")); err != nil {
			t.Error("no SARIF file was written")
		}
	})
	t.Run("goldens", func(t *testing.T) {
		repo := t.TempDir()
		write(t, repo, "mesh/reviews.yaml", healthy)
		must(t, ".", nil, "go", "run", "github.com/meshc/meshc/cmd/meshc", "golden", "update", filepath.Join(repo, "mesh"), "--goldens", filepath.Join(repo, "goldens"))
		write(t, repo, "mesh/reviews.yaml", strings.Replace(healthy, "  - route:", "  - timeout: 3s\n    route:", 1))
		log, outputs, summary, status := runAction(t, repo, map[string]string{"paths": "mesh", "goldens": "goldens"})
		if status != 1 {
			t.Errorf("exit status %d, want 1\n%s", status, log)
		}
		check(t, "the log", log, "::error title=meshc golden::")
		check(t, "the outputs", outputs, "exit-code=1\n", "errors=0\n")
		check(t, "the summary", summary, "reviews-v1.shop", "3s")
	})
}
