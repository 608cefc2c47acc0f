package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

func newGolden(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "golden",
		Short: "Keep the compiled bootstraps in the repository, and say in words what a change does to them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError("golden update writes the goldens, golden verify compares them")
		},
	}
	cmd.AddCommand(newGoldenUpdate(s), newGoldenVerify(s))
	return cmd
}

// goldenFlags are those of both golden commands.
type goldenFlags struct {
	in      inputFlags
	compile compileFlags
	dir     string
}

func (f *goldenFlags) register(cmd *cobra.Command) {
	f.in.register(cmd)
	f.compile.register(cmd)
	cmd.Flags().StringVar(&f.dir, "goldens", "goldens", "`directory` of the goldens")
}

func (f *goldenFlags) store() emit.Goldens {
	return emit.Goldens{Dir: f.dir, Partial: len(f.compile.proxies) > 0}
}

// documents loads and compiles what the goldens are about.
func (f *goldenFlags) documents(cmd *cobra.Command, s Streams, args []string) (*model.Mesh, []emit.Document, error) {
	opts, err := f.compile.options()
	if err != nil {
		return nil, nil, err
	}
	mesh, err := f.in.load(cmd.Context(), s, pathsOr(cmd, args))
	if err != nil {
		return nil, nil, err
	}
	proxies, err := proxiesOf(mesh, f.compile.proxies)
	if err != nil {
		return nil, nil, err
	}
	docs, err := compileDocuments(cmd.Context(), s, mesh, proxies, opts)
	return mesh, docs, err
}

// compileDocuments writes the bootstraps of proxies on all cores, in the order of the proxies.
func compileDocuments(ctx context.Context, s Streams, mesh *model.Mesh, proxies []*model.Proxy, opts compile.Options) ([]emit.Document, error) {
	compiler := compile.New(mesh, opts)
	docs := make([]emit.Document, len(proxies))
	bar := newProgress(s, "compiled", len(proxies))
	defer bar.end()
	err := eachProxy(ctx, proxies, func(i int, p *model.Proxy) error {
		defer bar.step()
		doc, err := emit.CompileDocument(func() *compile.Configuration { return compiler.Compile(p) })
		docs[i] = doc
		return err
	})
	if err != nil {
		return nil, inputError(err)
	}
	return docs, nil
}

func newGoldenUpdate(s Streams) *cobra.Command {
	var flags goldenFlags
	cmd := &cobra.Command{
		Use:   "update PATH…",
		Short: "Write the goldens, and remove those of proxies that are gone",
		Example: `  meshc golden update deploy/
  meshc golden update deploy/ --goldens deploy/goldens`,
		RunE: func(cmd *cobra.Command, args []string) error {
			mesh, docs, err := flags.documents(cmd, s, args)
			if err != nil {
				return err
			}
			done, err := flags.store().Update(docs)
			if err != nil {
				return inputError(err)
			}
			fmt.Fprintf(s.Out, "%s: %d written, %d removed, %d unchanged\n", flags.dir, len(done.Written), len(done.Removed), len(done.Unchanged))
			return loadStatus(s, mesh)
		},
	}
	flags.register(cmd)
	return cmd
}

func newGoldenVerify(s Streams) *cobra.Command {
	var flags goldenFlags
	var output string
	cmd := &cobra.Command{
		Use:   "verify PATH…",
		Short: "Compare the goldens with what the YAML compiles to now",
		Long: `Compare the goldens with what the YAML compiles to now, and tell each difference with the YAML line behind it.
Exit status 1 when they differ.`,
		Example: `  meshc golden verify deploy/
  meshc golden verify deploy/ -o markdown`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkDifferenceFormat(output); err != nil {
				return err
			}
			mesh, docs, err := flags.documents(cmd, s, args)
			if err != nil {
				return err
			}
			difference, err := flags.store().Verify(docs)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return &exitError{exitFindings, fmt.Errorf("there are no goldens in %s: 'meshc golden update' writes them", flags.dir)}
			case err != nil:
				return inputError(err)
			}
			if err := differencePrinters[output](s.Out, difference); err != nil {
				return inputError(err)
			}
			if err := loadStatus(s, mesh); err != nil {
				return err
			}
			if !difference.Equal() {
				return &exitError{exitFindings, fmt.Errorf("the goldens in %s differ: if that is what you meant, run 'meshc golden update' and commit them", flags.dir)}
			}
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or markdown")
	return cmd
}
