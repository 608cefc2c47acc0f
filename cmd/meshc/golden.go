package main

import "github.com/spf13/cobra"

func newGolden(s Streams) *cobra.Command { return &cobra.Command{Use: "golden"} }
