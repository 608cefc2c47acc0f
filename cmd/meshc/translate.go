package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/emit"
)

func newTranslate(s Streams) *cobra.Command {
	var in inputFlags
	var output string
	cmd := &cobra.Command{
		Use:   "translate PATH…",
		Short: "Show the Gateway API resources as the Istio configuration they amount to, and the status each would get",
		Long: `Translate the Kubernetes Gateway API (Gateway, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, ListenerSet,
BackendTLSPolicy) and Ingress into the Gateways, VirtualServices and DestinationRules that istiod makes
of them, and tell the status that each resource would get: whether a route is attached, its backends
are found, a listener is programmed, and if not, why.`,
		Example: `  meshc translate deploy/
  meshc translate deploy/ -o yaml
  meshc translate deploy/ -o json | jq '.status[]'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(emit.TranslationFormats(), output) {
				return usageError("-o %s: a translation is printed as text, json or yaml", output)
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			t, err := emit.Translate(mesh)
			if err != nil {
				return inputError(err)
			}
			if err := t.Write(s.Out, output); err != nil {
				return inputError(err)
			}
			return loadStatus(s, mesh)
		},
	}
	in.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	return cmd
}
