package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/emit"
)

func newWhy(s Streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "why FILE POINTER",
		Short: "Tell which YAML lines shaped a part of a bootstrap",
		Long: `Tell which YAML lines shaped the part of a bootstrap at a JSON pointer (RFC 6901). The answer comes from the
source map that 'meshc compile' writes beside the bootstrap (FILE.map).`,
		Example: `  meshc why out/reviews-v1.default.json /static_resources/clusters/3
  meshc why out/reviews-v1.default.json /static_resources/clusters/3/outlier_detection -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return usageError("-o %s: the answer is printed as text or json", output)
			}
			sourceMap, err := os.ReadFile(args[0] + emit.SourceMapSuffix)
			if err != nil {
				return inputError(fmt.Errorf("the source map of %s: %w; 'meshc compile -o DIR' writes it beside the bootstrap", args[0], err))
			}
			answer, err := emit.Why(sourceMap, args[1])
			if err != nil {
				return inputError(err)
			}
			if output == "json" {
				enc := json.NewEncoder(s.Out)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				return enc.Encode(answer)
			}
			printAnswer(s.Out, answer)
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printAnswer(w io.Writer, a *emit.Answer) {
	if !a.Exact {
		fmt.Fprintf(w, "%s has no source of its own.\n", a.Pointer)
	}
	for _, part := range a.Within {
		pointer := part.Pointer
		if pointer == "" {
			pointer = "the whole bootstrap"
		}
		fmt.Fprintln(w, pointer)
		for _, o := range part.Origins {
			fmt.Fprintf(w, "  %s:%d:%d  %s %s", o.File, o.Line, o.Column, o.Resource.Kind, qualified(o.Resource.Namespace, o.Resource.Name))
			if o.Path != "" {
				fmt.Fprintf(w, "  %s", o.Path)
			}
			fmt.Fprintln(w)
		}
		for _, p := range part.Patches {
			printPatch(w, p)
		}
	}
	if len(a.Inside) > 0 {
		fmt.Fprintln(w, "below it:")
	}
	for _, in := range a.Inside {
		parts := "parts"
		if in.Parts == 1 {
			parts = "part"
		}
		fmt.Fprintf(w, "  %d %s by %s %s (%s)\n", in.Parts, parts, in.Resource.Kind, qualified(in.Resource.Namespace, in.Resource.Name), in.File)
	}
}

// printPatch tells what a patch did: the members that it changed before and after, or what it put in or took out.
func printPatch(w io.Writer, p emit.Patched) {
	fmt.Fprintf(w, "  %s of %s %s\n", p.Operation, p.Origin.Path, qualified(p.Origin.Resource.Namespace, p.Origin.Resource.Name))
	before := "before"
	if p.Operation == "REMOVE" {
		before = "removed"
	}
	for _, side := range []struct {
		label string
		text  json.RawMessage
	}{{before, p.Before}, {"after", p.After}} {
		if side.text != nil {
			fmt.Fprintf(w, "    %s: %s\n", side.label, side.text)
		}
	}
}

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
