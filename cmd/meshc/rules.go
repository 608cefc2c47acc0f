package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/lint"
)

func newRules(s Streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules, with the codes that istioctl (IST) and Kiali (KIA) know them by",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usageError("-o %s: rules are printed as text or json", output)
			}
			rules, err := lint.Rules(loaded(cmd).Lint)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if output == "json" {
				return encodeRules(s, rules)
			}
			w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
			for _, r := range rules {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, r.Severity, strings.Join(r.Aliases, " "), r.Title)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// encodeRules prints what rule.yaml says, with the name that is the folder's.
func encodeRules(s Streams, rules []lint.Rule) error {
	type named struct {
		Name string `json:"name"`
		lint.Rule
	}
	list := make([]named, len(rules))
	for i, r := range rules {
		list[i] = named{r.Name, r}
	}
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Rules []named `json:"rules"`
	}{list})
}
