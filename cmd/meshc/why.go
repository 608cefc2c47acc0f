package main

import "github.com/spf13/cobra"

func newWhy(s Streams) *cobra.Command { return &cobra.Command{Use: "why"} }
