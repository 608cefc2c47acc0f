package main

import (
	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/report"
)

func newLint(s Streams) *cobra.Command {
	var in inputFlags
	var output string
	cmd := &cobra.Command{Use: "lint PATH…", RunE: func(cmd *cobra.Command, args []string) error {
		mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
		if err != nil {
			return err
		}
		result, err := lint.Run(cmd.Context(), mesh, lint.Options{Config: loaded(cmd).Lint})
		if err != nil {
			return err
		}
		if err := report.Print(s.Out, output, result, report.Options{Source: mesh.SourceText}); err != nil {
			return err
		}
		if result.Summary.Errors > 0 {
			return &exitError{status: exitFindings}
		}
		return nil
	}}
	in.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "")
	return cmd
}
