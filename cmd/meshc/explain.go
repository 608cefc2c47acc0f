package main

import "github.com/spf13/cobra"

func newExplain(s Streams) *cobra.Command { return &cobra.Command{Use: "explain"} }
