package model

import (
	"context"
	"io"
	"io/fs"
)

// Options say what else there is besides the paths. The zero value is fine.
type Options struct {
	// Stdin is read where a path is "-".
	Stdin io.Reader
	// FS, where set, is what paths are looked up in, instead of the working directory (a Git revision, a test's files).
	FS fs.FS
	// ProxiesFile, MeshConfigFile and MeshNetworksFile are the files behind --proxies, --mesh-config and --mesh-networks, "" for none. An
	// unreadable or malformed one makes Load fail.
	ProxiesFile      string
	MeshConfigFile   string
	MeshNetworksFile string
}

// Load reads the mesh from files, directories (recursively), globs and "-". What cannot be read or decoded becomes a finding of the mesh
// while the rest is loaded; an error means that there is no mesh at all (wrong usage, cancelled, an option's file is bad).
func Load(ctx context.Context, opts Options, paths ...string) (*Mesh, error) {
	m := &Mesh{}
	if err := m.loadSettings(ctx, opts); err != nil {
		return nil, err
	}
	m.buildIndex()
	return m, nil
}
