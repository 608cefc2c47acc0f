package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/lint"
)

func newExplain(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE",
		Short: "Tell what a rule means, why it matters, and show a bad and a good example",
		Example: `  meshc explain virtualservice/unknown-host
  meshc explain IST0101`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			rules, _ := lint.Rules(lint.Config{})
			for _, r := range rules {
				names = append(names, r.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rules, err := lint.Rules(loaded(cmd).Lint)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			found := false
			for _, r := range rules {
				if r.Name == args[0] || slices.Contains(r.Aliases, strings.ToUpper(args[0])) {
					if found {
						fmt.Fprintln(s.Out)
					}
					found = true
					explain(s, r)
				}
			}
			if !found {
				return usageError("there is no rule %q; 'meshc rules' lists them", args[0])
			}
			return nil
		},
	}
}

func explain(s Streams, r lint.Rule) {
	fmt.Fprintf(s.Out, "%s (%s", r.Name, r.Severity)
	if len(r.Aliases) > 0 {
		fmt.Fprintf(s.Out, "; known as %s", strings.Join(r.Aliases, ", "))
	}
	fmt.Fprintf(s.Out, ")\n%s\n", r.Title)
	for _, part := range []struct{ head, text string }{
		{"", r.Description}, {"Why it matters", r.Why}, {"How to mend it", r.Fix}, {"Bad", r.Bad}, {"Good", r.Good}, {"See", strings.Join(r.Links, "\n")},
	} {
		text := strings.TrimRight(part.text, "\n ")
		if text == "" {
			continue
		}
		fmt.Fprintln(s.Out)
		if part.head == "" {
			fmt.Fprintln(s.Out, text)
			continue
		}
		fmt.Fprintf(s.Out, "%s:\n", part.head)
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintln(s.Out, strings.TrimRight("  "+line, " "))
		}
	}
}
