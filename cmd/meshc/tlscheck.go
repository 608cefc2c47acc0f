package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/report"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// tlsPrinters are the formats of tls-check.
var tlsPrinters = map[string]func(io.Writer, *tlscheck.Report, report.Options) error{
	"text": report.TLSCheckText, "json": report.TLSCheckJSON, "markdown": report.TLSCheckMarkdown,
}

func newTLSCheck(s Streams) *cobra.Command {
	var (
		in     inputFlags
		query  tlscheck.Query
		output string
		failOn string
	)
	cmd := &cobra.Command{
		Use:   "tls-check PATH…",
		Short: "Tell which clients and servers disagree on TLS, and by whose policy",
		Long: `For every proxy as a client and every port of a service that it sees: what the client sends (by the
DestinationRule that counts, or automatically), what the server takes (by the PeerAuthentication that
counts), and whether that goes together. Clients that meet the same share a row.

  OK        the server takes what the client sends
  CONFLICT  it does not: no connection comes about
  UNKNOWN   the mesh lets it through; what answers is outside the mesh, a gateway, or an application that has
            to speak TLS itself

A client's mode is that of the DestinationRule (DISABLE, SIMPLE, MUTUAL, ISTIO_MUTUAL) or AUTO where no rule says
anything; a server's is STRICT, PERMISSIVE or DISABLE, NO SIDECAR, OUTSIDE the mesh or a GATEWAY.

Exit status: 0 fine; 1 conflicts (--fail-on none: never; unknown: also where the answer is not known);
2 wrong usage or configuration; 3 input that could not be read.`,
		Example: `  meshc tls-check deploy/
  meshc tls-check deploy/ --conflicts                      # only what does not work
  meshc tls-check deploy/ --from web.shop --to cart.shop   # one client, one service
  meshc tls-check deploy/ --from outside --fail-on none    # what a client without a sidecar meets
  meshc tls-check deploy/ -o markdown >> "$GITHUB_STEP_SUMMARY"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			print := tlsPrinters[output]
			switch {
			case print == nil:
				return usageError("-o %s: a TLS check is printed as text, json or markdown", output)
			case !slices.Contains([]string{"conflict", "unknown", "none"}, failOn):
				return usageError("--fail-on %s: it is conflict, unknown or none", failOn)
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			result, err := tlscheck.New(mesh).Report(query)
			var wrong *tlscheck.QueryError
			if errors.As(err, &wrong) {
				return usageError("%v", wrong)
			} else if err != nil {
				return inputError(err)
			}
			if err := print(s.Out, result, report.Options{Color: useColor(cmd, s)}); err != nil {
				return inputError(err)
			}
			if err := loadStatus(s, mesh); err != nil {
				return err
			}
			if failOn != "none" && result.Summary.Conflicts > 0 || failOn == "unknown" && result.Summary.Unknown > 0 {
				return &exitError{status: exitFindings}
			}
			return nil
		},
	}
	in.register(cmd)
	cmd.Flags().StringArrayVar(&query.From, "from", nil, "only this `client`: a workload NAME.NAMESPACE, a namespace, or outside (no sidecar); may be repeated")
	cmd.Flags().StringArrayVar(&query.To, "to", nil, "only this `service`: a host, NAME.NAMESPACE or a namespace; may be repeated")
	cmd.Flags().BoolVar(&query.ConflictsOnly, "conflicts", false, "only what does not go together")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or markdown")
	cmd.Flags().StringVar(&failOn, "fail-on", "conflict", "exit with 1 from this `status` on: conflict, unknown or none")
	return cmd
}
