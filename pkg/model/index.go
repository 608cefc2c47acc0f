package model

import "context"

// index holds what the mesh's questions need, computed once by Load.
type index struct{}

// loadSettings merges the mesh-wide settings from the resources and the options' files; an error means a bad option file.
func (m *Mesh) loadSettings(ctx context.Context, opts Options) error { return nil }

// buildIndex computes what the questions need. It runs last in Load, once resources and settings are there.
func (m *Mesh) buildIndex() {}
