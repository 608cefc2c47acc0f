package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/reach"
	"github.com/meshc/meshc/pkg/report"
)

// reachPrinters are the formats of reach.
var reachPrinters = map[string]func(io.Writer, *reach.Matrix, report.Options) error{
	"text": report.ReachText, "json": report.ReachJSON, "markdown": report.ReachMarkdown,
}

func newReach(s Streams) *cobra.Command {
	var (
		in         inputFlags
		opts       reach.Options
		output     string
		allowed    bool
		denied     bool
		conditions bool
	)
	cmd := &cobra.Command{
		Use:   "reach PATH…",
		Short: "Tell who may call whom, over what, and on which conditions",
		Long: `Print the matrix of who may call whom: for every identity of the mesh and every port of a workload whether calls get
through, over mTLS or not, on which conditions (methods, paths, hosts, headers, claims, addresses), and the policy and
line that decide. It is read from the RBAC and JWT filters that each proxy would be told, so AuthorizationPolicies,
RequestAuthentications, PeerAuthentications, DestinationRules and EnvoyFilters all count as they do in Istio.

Beside the workloads of the input, three kinds of callers have rows of their own: another identity of the mesh's trust
domain (whoever the input does not describe), another trust domain, and callers outside the mesh, who have no identity
and speak plaintext.

--from takes a workload NAME.NAMESPACE, a namespace, a principal, or outside, other, other-trust-domain.
--to takes a workload or service NAME.NAMESPACE, a host name, a namespace or a principal, with :PORT for one port only.

That a caller's sidecar knows no route to a port (a Sidecar's egress, exportTo) keeps nobody out: it is a note.`,
		Example: `  meshc reach deploy/                                # everybody and everything
  meshc reach deploy/ --to payments.shop             # who may call this, and on which conditions?
  meshc reach deploy/ --from outside --allowed --if  # what can be reached without an identity?
  meshc reach deploy/ --from shop --to ledger.bank:8080 -o json
  meshc reach deploy/ -o markdown                    # for a comment on a pull request`,
		RunE: func(cmd *cobra.Command, args []string) error {
			print := reachPrinters[output]
			if print == nil {
				return usageError("-o %s: the matrix is printed as text, json or markdown", output)
			}
			for _, v := range []struct {
				wanted  bool
				verdict reach.Verdict
			}{{allowed, reach.Allowed}, {conditions, reach.Conditional}, {denied, reach.Denied}} {
				if v.wanted {
					opts.Verdicts = append(opts.Verdicts, v.verdict)
				}
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			matrix, err := reach.Of(cmd.Context(), mesh, opts)
			var unknown *reach.UnknownName
			if errors.As(err, &unknown) {
				return &exitError{exitUsage, err}
			} else if err != nil {
				return inputError(err)
			}
			if err := print(s.Out, matrix, report.Options{Color: useColor(cmd, s)}); err != nil {
				return inputError(err)
			}
			return loadStatus(s, mesh, compile.NotCompiled(mesh, compile.IstioProxy)...)
		},
	}
	in.register(cmd)
	cmd.Flags().StringArrayVar(&opts.From, "from", nil, "keep these `callers`: a workload, namespace or principal, or outside, other, other-trust-domain; may be repeated")
	cmd.Flags().StringArrayVar(&opts.To, "to", nil, "keep these `destinations`: a workload, service, host name, namespace or principal, with :PORT or without; may be repeated")
	cmd.Flags().BoolVar(&allowed, "allowed", false, "keep what is allowed")
	cmd.Flags().BoolVar(&conditions, "if", false, "keep what is allowed on conditions")
	cmd.Flags().BoolVar(&denied, "denied", false, "keep what is denied")
	cmd.Flags().BoolVar(&opts.Undeclared, "undeclared", false, "add the ports of workloads that no service declares, which sidecars take in as well")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or markdown")
	return cmd
}
