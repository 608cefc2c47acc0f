package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/model"
)

// inputFlags are the flags of every command that loads a mesh.
type inputFlags struct {
	proxies      string
	meshConfig   string
	meshNetworks string
	exclude      []string
}

func (f *inputFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.proxies, "proxies", "", "JSON or YAML `file` of proxies that the manifests lack or whose addresses are known")
	cmd.Flags().StringVar(&f.meshConfig, "mesh-config", "", "MeshConfig `file`, over what the manifests hold")
	cmd.Flags().StringVar(&f.meshNetworks, "mesh-networks", "", "MeshNetworks `file`")
	cmd.Flags().StringArrayVar(&f.exclude, "exclude", []string{"**/goldens"}, "`pattern` of files and directories below the paths to pass over, ** for any directories; may be repeated")
}

func (f *inputFlags) options(s Streams) model.Options {
	return model.Options{Stdin: s.In, ProxiesFile: f.proxies, MeshConfigFile: f.meshConfig, MeshNetworksFile: f.meshNetworks, Exclude: f.exclude}
}

// load reads the mesh. Findings of loading stay in it.
func (f *inputFlags) load(ctx context.Context, s Streams, paths []string) (*model.Mesh, error) {
	if len(paths) == 0 {
		return nil, usageError("no PATH given: name the files or directories that hold the mesh YAML, or - for standard input (or set paths in .meshc.yaml)")
	}
	mesh, err := model.Load(ctx, f.options(s), paths...)
	if err != nil {
		return nil, inputError(err)
	}
	return mesh, nil
}

// proxiesOf returns the proxies that --proxy names, all of them where it names none.
func proxiesOf(mesh *model.Mesh, names []string) ([]*model.Proxy, error) {
	all := mesh.Proxies()
	if len(names) == 0 {
		return all, nil
	}
	var picked []*model.Proxy
	for _, name := range names {
		found := false
		for _, p := range all {
			if p.ID() == name {
				picked, found = append(picked, p), true
			}
		}
		if !found {
			return nil, usageError("no proxy %q in the input%s", name, proxyHint(all))
		}
	}
	return picked, nil
}

func proxyHint(all []*model.Proxy) string {
	if len(all) == 0 {
		return ": it describes no proxies"
	}
	hint := "; there are"
	for i, p := range all {
		if i == 8 {
			return hint + fmt.Sprintf(" and %d more ('meshc proxies' lists them)", len(all)-i)
		}
		hint += " " + p.ID()
	}
	return hint
}
