package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/report"
)

func newLint(s Streams) *cobra.Command {
	var (
		in              inputFlags
		outputs         []string
		failOn          string
		requireComplete bool
	)
	cmd := &cobra.Command{
		Use:   "lint PATH…",
		Short: "Say what is wrong with the mesh configuration",
		Long: `Check the manifests against Istio's schemas and admission rules, and against one another.

Exit status: 0 no finding at or above the threshold; 1 findings; 2 wrong usage or configuration;
3 input that could not be read. A finding can be accepted where it stands, with a reason:

  host: payments   # meshc:ignore virtualservice/unknown-host created by the payments operator`,
		Example: `  meshc lint deploy/
  kustomize build overlays/prod | meshc lint -
  meshc lint deploy/ -o github -o sarif=meshc.sarif --fail-on warning`,
		RunE: func(cmd *cobra.Command, args []string) error {
			threshold := diag.Severity(failOn)
			if !slices.Contains([]diag.Severity{diag.Error, diag.Warning, diag.Info}, threshold) {
				return usageError("--fail-on %s: the threshold is error, warning or info", failOn)
			}
			for _, o := range outputs {
				if format, _, _ := strings.Cut(o, "="); !slices.Contains(report.Formats(), format) {
					return usageError("-o %s: there is no format %q; choose %s", o, format, strings.Join(report.Formats(), ", "))
				}
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			result, err := lint.Run(cmd.Context(), mesh, lint.Options{Config: loaded(cmd).Lint})
			if err != nil {
				return &exitError{exitUsage, err}
			}
			opts := report.Options{Color: useColor(cmd, s), Source: mesh.SourceText, Version: versionString()}
			if err := printReport(s, loaded(cmd).Lint, result, outputs, opts); err != nil {
				return err
			}
			if mesh.Stats.Resources == 0 {
				fmt.Fprintln(s.Err, "meshc: there was nothing to check: no resource of a kind that meshc knows in", strings.Join(pathsOr(cmd, args), ", "))
			}
			switch {
			case mesh.Stats.Unreadable > 0:
				return &exitError{status: exitInput}
			case slices.ContainsFunc(result.Findings, func(f diag.Finding) bool { return f.Severity.AtLeast(threshold) }):
				return &exitError{status: exitFindings}
			case requireComplete && len(result.Summary.Unchecked) > 0:
				return &exitError{exitFindings, fmt.Errorf("--require-complete: %d rules were not checked", len(result.Summary.Unchecked))}
			}
			return nil
		},
	}
	in.register(cmd)
	cmd.Flags().StringArrayVarP(&outputs, "output", "o", []string{"text"}, "`format`: text, json, sarif, junit, github or markdown; FORMAT=FILE writes to a file; may be repeated")
	cmd.Flags().StringVar(&failOn, "fail-on", "error", "exit with 1 from this `severity` on: error, warning or info")
	cmd.Flags().BoolVar(&requireComplete, "require-complete", false, "exit with 1 also when something could not be checked")
	return cmd
}

// printReport prints the report in every format asked for, to standard output or the file behind "FORMAT=FILE".
func printReport(s Streams, cfg lint.Config, result *lint.Report, outputs []string, opts report.Options) error {
	for _, o := range outputs {
		format, file, toFile := strings.Cut(o, "=")
		if format == "sarif" {
			rules, err := lint.Rules(cfg)
			if err != nil {
				return inputError(err)
			}
			opts.Rules = rules
		}
		if !toFile {
			if err := report.Print(s.Out, format, result, opts); err != nil {
				return inputError(err)
			}
			continue
		}
		plain := opts
		plain.Color = false
		var b strings.Builder
		if err := report.Print(&b, format, result, plain); err != nil {
			return inputError(err)
		}
		if err := emit.WriteFile(file, []byte(b.String())); err != nil {
			return inputError(err)
		}
	}
	return nil
}
