package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/report"
	"github.com/meshc/meshc/pkg/revision"
)

func newDiff(s Streams) *cobra.Command {
	var (
		in       inputFlags
		flags    compileFlags
		output   string
		exitCode bool
	)
	cmd := &cobra.Command{
		Use:   "diff BASE HEAD [PATH…]",
		Short: "Tell which proxies, resources and fields differ between two directories or Git revisions",
		Long: `Compile both sides and compare what every Envoy would be told. BASE and HEAD are directories or Git revisions
(branches, tags, commits); of a revision, PATHs say what to read (default: the paths of .meshc.yaml, the other side
where that is a directory, or everything). Nothing is checked out.`,
		Example: `  meshc diff before/ after/
  meshc diff origin/main HEAD deploy/
  meshc diff origin/main deploy/ -o markdown`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkDifferenceFormat(output); err != nil {
				return err
			}
			base, head, paths := args[0], args[1], pathsOr(cmd, args[2:])
			before, err := loadSide(cmd.Context(), s, in, base, head, paths)
			if err != nil {
				return err
			}
			after, err := loadSide(cmd.Context(), s, in, head, base, paths)
			if err != nil {
				return err
			}
			difference, err := compareMeshes(cmd.Context(), s, before, after, flags)
			if err != nil {
				return err
			}
			if err := differencePrinters[output](s.Out, difference); err != nil {
				return inputError(err)
			}
			if err := errors.Join(loadStatus(s, before), loadStatus(s, after)); err != nil {
				return err
			}
			if exitCode && !difference.Equal() {
				return &exitError{status: exitFindings}
			}
			return nil
		},
	}
	in.register(cmd)
	flags.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or markdown")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when anything differs")
	return cmd
}

// differencePrinters are the formats of a difference.
var differencePrinters = map[string]func(io.Writer, *emit.Difference) error{
	"text": report.DiffText, "json": report.DiffJSON, "markdown": report.DiffMarkdown,
}

func checkDifferenceFormat(format string) error {
	if differencePrinters[format] == nil {
		return usageError("-o %s: a difference is printed as text, json or markdown", format)
	}
	return nil
}

// compareMeshes compiles both sides. A proxy that --proxy names may be on one side alone.
func compareMeshes(ctx context.Context, s Streams, before, after *model.Mesh, flags compileFlags) (*emit.Difference, error) {
	opts, err := flags.options()
	if err != nil {
		return nil, err
	}
	var sides [2][]emit.Document
	found := map[string]bool{}
	for i, mesh := range []*model.Mesh{before, after} {
		var proxies []*model.Proxy
		for _, p := range mesh.Proxies() {
			if len(flags.proxies) == 0 || slices.Contains(flags.proxies, p.ID()) {
				found[p.ID()] = true
				proxies = append(proxies, p)
			}
		}
		if sides[i], err = compileDocuments(ctx, s, mesh, proxies, opts); err != nil {
			return nil, err
		}
	}
	for _, name := range flags.proxies {
		if !found[name] {
			return nil, usageError("neither side has a proxy %q", name)
		}
	}
	difference, err := emit.Diff(sides[0], sides[1])
	if err != nil {
		return nil, inputError(err)
	}
	return difference, nil
}

// loadSide loads one side of a comparison: a directory, or paths of a Git revision.
func loadSide(ctx context.Context, s Streams, in inputFlags, side, other string, paths []string) (*model.Mesh, error) {
	if info, err := os.Stat(side); err == nil {
		inside := paths
		if info.IsDir() && len(paths) > 0 && !isDir(other) {
			// diff origin/main . deploy/: the same paths, below the directory
			inside = nil
			for _, p := range paths {
				inside = append(inside, path.Join(filepath.ToSlash(side), p))
			}
			return in.load(ctx, s, inside)
		}
		return in.load(ctx, s, []string{side})
	}
	tree, err := revision.Open(".", side)
	if err != nil {
		return nil, inputError(err)
	}
	switch {
	case len(paths) > 0:
	case isDir(other):
		paths = []string{other}
	default:
		paths = []string{"."}
	}
	opts := in.options(s)
	opts.FS = tree
	var clean []string
	for _, p := range paths {
		clean = append(clean, path.Clean(filepath.ToSlash(p)))
	}
	mesh, err := model.Load(ctx, opts, clean...)
	if err != nil {
		return nil, inputError(err)
	}
	return mesh, nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
