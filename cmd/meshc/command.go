package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses, the same in every command and output format.
const (
	exitFine     = 0 // the answer was given, nothing at or above the threshold
	exitFindings = 1 // findings at or above the threshold, or goldens differ
	exitUsage    = 2 // wrong usage or configuration file
	exitInput    = 3 // unreadable input or an internal error
)

// Streams are the standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// exitError ends a command with a status. A nil error says that everything was already printed.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func inputError(err error) error { return &exitError{exitInput, err} }

// Main runs the command line and returns the exit status.
func Main(ctx context.Context, args []string, s Streams) (status int) {
	defer func() {
		if r := recover(); r != nil && os.Getenv("MESHC_PANIC") == "" {
			fmt.Fprintf(s.Err, "meshc: internal error: %v\nThis is a bug in meshc. Please report it with the input; MESHC_PANIC=1 shows where it happened.\n", r)
			status = exitInput
		} else if r != nil {
			panic(r)
		}
	}()
	cmd := newRoot(s)
	cmd.SetArgs(args)
	cmd.SetIn(s.In)
	cmd.SetOut(s.Out)
	cmd.SetErr(s.Err)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		// cobra's own complaints: unknown command, wrong number of arguments.
		exit = &exitError{exitUsage, err}
	}
	if exit.err != nil {
		fmt.Fprintln(s.Err, "meshc:", strings.TrimSpace(exit.err.Error()))
		if exit.status == exitUsage {
			fmt.Fprintln(s.Err, "Run 'meshc help' or 'meshc COMMAND --help' for usage.")
		}
	}
	return exit.status
}

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "meshc",
		Short: "Lint, compile and diff service-mesh configuration without a cluster",
		Long: `meshc reads the mesh YAML of a Git repository (Istio, Kubernetes, Gateway API) and says what is
wrong with it, what every Envoy in the mesh would be told, and what a change does to that.
It needs no cluster and no network.`,
		Example: `  meshc lint deploy/                      # what is wrong, with file, line and the mend
  meshc proxies deploy/                   # the Envoys that the manifests describe
  meshc compile deploy/ -o out/           # one Envoy bootstrap a proxy
  meshc golden update deploy/             # keep them in Git, and have CI verify them
  meshc diff main . deploy/               # what this branch changes, down to the YAML line`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().String("config", "", "configuration `file` (default: .meshc.yaml here or in a folder above, up to the repository's root)")
	root.PersistentFlags().String("color", "auto", "colours: auto, always or never; auto also respects NO_COLOR and pipes")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return applyConfig(cmd) }
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	root.AddCommand(
		newLint(s), newCompile(s), newProxies(s), newTranslate(s), newGolden(s), newDiff(s), newWhy(s), newSimulate(s), newTLSCheck(s),
		newReach(s),
		newRules(s), newExplain(s), newVersion(s),
	)
	return root
}
