package main

import (
	"errors"
	"fmt"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

// loadStatus ends a command that gave its answer: errors of the input go to standard error, and input that could not be read at all
// makes the exit status 3.
func loadStatus(s Streams, mesh *model.Mesh, more ...diag.Finding) error {
	for _, f := range diag.Sort(append(more, mesh.Findings...)) {
		if f.Severity != diag.Info {
			fmt.Fprintf(s.Err, "%s:%d:%d: %s: %s [%s]\n", f.Location.File, f.Location.Line, f.Location.Column, f.Severity, f.Message, f.Rule)
		}
	}
	if mesh.Stats.Unreadable+mesh.Stats.Malformed > 0 {
		return &exitError{exitInput, errors.New("part of the input could not be read; the answer is for the rest")}
	}
	return nil
}
