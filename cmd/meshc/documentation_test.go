package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/golden"
)

// console is a block of documentation that shows what commands print.
var console = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestDocumentationShowsRealOutput runs every command of every console block in the repository's root and compares what it prints.
func TestDocumentationShowsRealOutput(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := commandOnPath(t)
	files, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join(root, "examples/*/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, file := range slices.Concat(files, examples, []string{filepath.Join(root, "README.md")}) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fresh := console.ReplaceAllStringFunc(string(text), func(block string) string {
			blocks++
			return "```console\n" + replay(t, root, bin, console.FindStringSubmatch(block)[1]) + "```"
		})
		if fresh == string(text) {
			continue
		}
		if !golden.Update() {
			name, _ := filepath.Rel(root, file)
			t.Errorf("%s does not show what the commands print (-want +got; -update rewrites it):\n%s", name, cmp.Diff(string(text), fresh))
		} else if err := os.WriteFile(file, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if blocks == 0 {
		t.Error("no console block found: this test compares nothing")
	}
}

// replay runs the lines of a block that begin with a prompt and returns the block with what they print now.
func replay(t *testing.T, root, bin, block string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.SplitSeq(block, "\n") {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		printed, err := cmd.CombinedOutput()
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatalf("%s: %v", command, err)
		}
		out.WriteString(line + "\n" + string(printed))
	}
	return out.String()
}

// commandOnPath returns a folder in which this test binary is called meshc; TestMain makes it be the command then.
func commandOnPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "meshc")); err != nil {
		t.Fatal(err)
	}
	return bin
}
