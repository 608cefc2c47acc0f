package main

import "github.com/spf13/cobra"

func newRules(s Streams) *cobra.Command { return &cobra.Command{Use: "rules"} }
