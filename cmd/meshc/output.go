package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// useColor decides about colours: --color, then NO_COLOR (https://no-color.org) and CLICOLOR_FORCE, then whether standard output is a
// terminal.
func useColor(cmd *cobra.Command, s Streams) bool {
	switch mode, _ := cmd.Flags().GetString("color"); mode {
	case "always":
		return true
	case "never":
		return false
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	return isTerminal(s.Out)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
