package main

import "github.com/spf13/cobra"

func newDiff(s Streams) *cobra.Command { return &cobra.Command{Use: "diff"} }
