package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/meshc/meshc/internal/golden"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"meshc": func() { os.Exit(run()) }})
}

// TestScripts runs the command as a user would; each script in testdata/script is one story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       golden.Update(),
		RequireExplicitExec: true,
	})
}
