package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// compileFlags are the flags of every command that compiles.
type compileFlags struct {
	target     string
	secretsDir string
	proxies    []string
}

func (f *compileFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.target, "target", string(compile.Envoy), "envoy (stock Envoy runs it) or istio-proxy (with the filters that only Istio's build has)")
	cmd.Flags().StringVar(&f.secretsDir, "secrets-dir", "", "`directory` in which the running Envoy finds certificates (NAME/cert-chain.pem, key.pem, root-cert.pem)")
	cmd.Flags().StringArrayVar(&f.proxies, "proxy", nil, "only this proxy, `NAME.NAMESPACE`; may be repeated")
}

func (f *compileFlags) options() (compile.Options, error) {
	target := compile.Target(f.target)
	if target != compile.Envoy && target != compile.IstioProxy {
		return compile.Options{}, usageError("--target %s: the targets are %s and %s", f.target, compile.Envoy, compile.IstioProxy)
	}
	return compile.Options{Target: target, SecretsDir: f.secretsDir}, nil
}

func newCompile(s Streams) *cobra.Command {
	var (
		in     inputFlags
		flags  compileFlags
		output string
	)
	cmd := &cobra.Command{
		Use:   "compile PATH… -o DIR",
		Short: "Write one Envoy bootstrap a proxy",
		Long: `Compile the mesh into what istiod would tell each Envoy, as a static bootstrap NAME.NAMESPACE.json, with a
source map beside it (NAME.NAMESPACE.json.map) that 'meshc why' reads.

Addresses that only a cluster knows are made up, always the same for the same input, from 198.18.0.0/15.`,
		Example: `  meshc compile deploy/ -o out/
  meshc compile deploy/ --proxy reviews-v1.default -o -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := flags.options()
			if err != nil {
				return err
			}
			if output == "" {
				return usageError("-o is missing: name the directory to write to, or - for standard output")
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			proxies, err := proxiesOf(mesh, flags.proxies)
			if err != nil {
				return err
			}
			if output == "-" {
				if len(proxies) != 1 {
					return usageError("-o - prints one bootstrap and the input describes %d proxies: choose one with --proxy%s", len(proxies), proxyHint(proxies))
				}
				cfg := compile.Compile(mesh, proxies[0], opts)
				text, err := emit.Bootstrap(cfg)
				if err != nil {
					return inputError(err)
				}
				if err := emit.Validate(cfg); err != nil {
					return inputError(err)
				}
				if _, err := s.Out.Write(text); err != nil {
					return inputError(err)
				}
				return loadStatus(s, mesh, compile.NotCompiled(mesh, opts.Target)...)
			}
			if err := os.MkdirAll(output, 0o755); err != nil {
				return inputError(err)
			}
			compiler := compile.New(mesh, opts)
			written, patches, err := writeBootstraps(cmd.Context(), s, output, compiler, proxies)
			for _, line := range written {
				fmt.Fprint(s.Out, line)
			}
			if err != nil {
				return inputError(err)
			}
			if len(proxies) == 0 {
				fmt.Fprintln(s.Err, "meshc: the input describes no proxies, so nothing was written")
			}
			findings := compile.NotCompiled(mesh, opts.Target)
			if len(flags.proxies) == 0 {
				// Only all proxies together can tell that a patch has no effect.
				external := loaded(cmd).Lint.External
				report := compiler.JudgePatches(func(host string) bool { return external.HoldsHost(mesh, host) }, patches...)
				findings = append(findings, report.Findings...)
				for _, why := range report.Unchecked() {
					fmt.Fprintf(s.Err, "meshc: not checked: %s: %s\n", compile.MatchedNothing, why)
				}
			}
			return loadStatus(s, mesh, diag.Sort(findings)...)
		},
	}
	in.register(cmd)
	flags.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`directory` to write to (made if missing), or - for standard output")
	return cmd
}

// writeBootstraps compiles the proxies and writes what comes out, and returns a line for each file that it wrote and what became of the
// EnvoyFilters' patches, in the order of the proxies.
func writeBootstraps(ctx context.Context, s Streams, dir string, compiler *compile.Compiler, proxies []*model.Proxy) (lines []string, patches [][]compile.PatchUse, err error) {
	lines, patches = make([]string, len(proxies)), make([][]compile.PatchUse, len(proxies))
	bar := newProgress(s, "compiled", len(proxies))
	defer bar.end()
	err = eachProxy(ctx, proxies, func(i int, p *model.Proxy) error {
		defer bar.step()
		cfg := compiler.Compile(p)
		patches[i] = cfg.Patches
		name, err := writeBootstrap(dir, cfg)
		if name != "" {
			lines[i] = fmt.Sprintf("%s: listeners %d, route configurations %d, clusters %d\n",
				filepath.ToSlash(name), len(cfg.Listeners), len(cfg.Routes), len(cfg.Clusters))
		}
		return err
	})
	return lines, patches, err
}

// writeBootstrap writes a bootstrap with its source map and returns the file's name. One that Envoy's own rules refuse is written too,
// since it is what has to be looked at, and is an error.
func writeBootstrap(dir string, cfg *compile.Configuration) (string, error) {
	text, sourceMap, err := emit.BootstrapWithSourceMap(cfg)
	if err != nil {
		return "", err
	}
	file, err := emit.FileName(cfg.Proxy.ID())
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, file)
	if err := emit.WriteFile(name, text); err != nil {
		return "", err
	}
	if err := emit.WriteFile(name+emit.SourceMapSuffix, sourceMap); err != nil {
		return "", err
	}
	return name, emit.Validate(cfg)
}

// eachProxy calls fn for every proxy with its place in the list, on all cores, until one fails.
func eachProxy(ctx context.Context, proxies []*model.Proxy, fn func(int, *model.Proxy) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range proxies {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(i, p)
		})
	}
	return group.Wait()
}
