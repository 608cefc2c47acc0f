package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newProxies(s Streams) *cobra.Command {
	var in inputFlags
	var output string
	cmd := &cobra.Command{
		Use:   "proxies PATH…",
		Short: "List the proxies that the manifests describe: sidecars (one a workload) and gateways",
		Example: `  meshc proxies deploy/
  meshc proxies deploy/ -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return usageError("-o %s: proxies are printed as text or json", output)
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			proxies := mesh.Proxies()
			if output == "json" {
				enc := json.NewEncoder(s.Out)
				enc.SetIndent("", "  ")
				if err := enc.Encode(struct {
					Proxies any `json:"proxies"`
				}{orEmpty(proxies)}); err != nil {
					return inputError(err)
				}
				return loadStatus(s, mesh)
			}
			w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PROXY\tTYPE\tADDRESS\tFROM")
			for _, p := range proxies {
				from := p.Assumed
				if l := p.Source.Location(); from == "" && !l.IsZero() {
					from = fmt.Sprintf("%s:%d", l.File, l.Line)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.ID(), p.Type, p.IP, from)
			}
			if err := w.Flush(); err != nil {
				return inputError(err)
			}
			return loadStatus(s, mesh)
		},
	}
	in.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// orEmpty keeps null out of JSON where a list is meant.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
