package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/lint"
)

// configName is looked for in the working directory and above, up to the root of the repository.
const configName = ".meshc.yaml"

// config is what a configuration file holds. Flags may stand at the top level, where they hold for every command that has them, or below
// the command's name:
//
//	paths: [deploy/]
//	proxies: proxies.yaml
//	lint:
//	  fail-on: warning
//	external:            # and the other keys of lint.Config
//	  namespaces: [payments]
type config struct {
	file  string
	Paths []string
	Lint  lint.Config
	// flags maps "NAME" and "COMMAND.NAME" to values.
	flags map[string][]string
}

type configKey struct{}

// loaded returns the configuration that applyConfig found for the command; the zero configuration if there is none.
func loaded(cmd *cobra.Command) *config {
	if c, ok := cmd.Context().Value(configKey{}).(*config); ok {
		return c
	}
	return &config{}
}

// pathsOr returns the arguments, or the configured paths where there are none.
func pathsOr(cmd *cobra.Command, args []string) []string {
	if len(args) > 0 {
		return args
	}
	return loaded(cmd).Paths
}

// applyConfig finds the configuration file and sets every flag that the command line leaves alone.
func applyConfig(cmd *cobra.Command) error {
	name, _ := cmd.Flags().GetString("config")
	if name == "" {
		name = findConfig()
	}
	if name == "" {
		return nil
	}
	cfg, err := readConfig(name, cmd.Root())
	if err != nil {
		return &exitError{exitUsage, err}
	}
	cmd.SetContext(context.WithValue(cmd.Context(), configKey{}, cfg))
	var bad error
	command := commandName(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		values, ok := cfg.flags[command+"."+f.Name]
		if !ok {
			values, ok = cfg.flags[f.Name]
		}
		if !ok || f.Changed || bad != nil {
			return
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = usageError("%s: %s: %v", name, f.Name, err)
				return
			}
		}
	})
	return bad
}

// commandName is the path below the root, joined by a blank: "golden verify".
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

// findConfig looks upwards from the working directory and stops at the root of the repository (the folder that holds .git).
func findConfig() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	up := ""
	for {
		name := filepath.Join(up, configName)
		if _, err := os.Stat(name); err == nil {
			return name
		}
		if _, err := os.Stat(filepath.Join(up, ".git")); err == nil {
			return ""
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir, up = parent, filepath.Join(up, "..")
	}
}

// readConfig reads a configuration file strictly: an unknown key is wrong usage, told with its line.
func readConfig(name string, root *cobra.Command) (*config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, fmt.Errorf("configuration file %s: %w", filepath.ToSlash(name), err)
	}
	var top yaml.Node
	if err := yaml.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", filepath.ToSlash(name), err)
	}
	cfg := &config{file: name, flags: map[string][]string{}}
	if len(top.Content) == 0 {
		return cfg, nil
	}
	doc := top.Content[0]
	if doc.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("configuration file %s:%d: a mapping of settings is expected", filepath.ToSlash(name), doc.Line)
	}
	r := configReader{cfg: cfg, name: filepath.ToSlash(name), dir: filepath.Dir(name), flags: flagsByCommand(root)}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if err := r.entry(doc.Content[i], doc.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

type configReader struct {
	cfg   *config
	name  string
	dir   string
	flags map[string]map[string]*pflag.Flag
}

func (r *configReader) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("configuration file %s:%d: %s", r.name, n.Line, fmt.Sprintf(format, args...))
}

func (r *configReader) entry(key, value *yaml.Node) error {
	if key.Value == "paths" {
		var paths []string
		if err := value.Decode(&paths); err != nil {
			return r.errorf(value, "paths: a list of files and directories is expected")
		}
		for _, p := range paths {
			r.cfg.Paths = append(r.cfg.Paths, r.path(p))
		}
		return nil
	}
	if slices.Contains(lintSettings, key.Value) && !(key.Value == "rules" && value.Kind == yaml.MappingNode) {
		return r.lintSetting(key, value)
	}
	if value.Kind == yaml.MappingNode {
		if _, ok := r.flags[key.Value]; !ok {
			return r.errorf(key, "there is no command %q", key.Value)
		}
		return r.command(key.Value, value)
	}
	for _, flags := range r.flags {
		if f := flags[key.Value]; f != nil {
			return r.flag(key.Value, f, value)
		}
	}
	return r.errorf(key, "unknown setting %q; settings are paths, the long names of flags, and sections named for a command (lint, compile…)", key.Value)
}

// lintSettings are the keys of lint.Config; they stand at the top level, since more than one command reads them.
var lintSettings = []string{"rules", "severity", "ignore", "external"}

func (r *configReader) lintSetting(key, value *yaml.Node) error {
	// By way of JSON, since the strict decoder would take the plain word off for a boolean.
	var plain any
	if err := value.Decode(&plain); err != nil {
		return r.errorf(key, "%s: %v", key.Value, err)
	}
	text, err := json.Marshal(map[string]any{key.Value: plain})
	if err != nil {
		return r.errorf(key, "%s: %v", key.Value, err)
	}
	if err := sigsyaml.UnmarshalStrict(text, &r.cfg.Lint); err != nil {
		return r.errorf(key, "%s: %v", key.Value, err)
	}
	if key.Value == "rules" {
		for i, dir := range r.cfg.Lint.Rules {
			r.cfg.Lint.Rules[i] = r.path(dir)
		}
	}
	return nil
}

// command reads a section of flags.
func (r *configReader) command(command string, section *yaml.Node) error {
	for i := 0; i+1 < len(section.Content); i += 2 {
		key, value := section.Content[i], section.Content[i+1]
		sub := command + " " + key.Value
		switch f := r.flags[command][key.Value]; {
		case f != nil:
			if err := r.flag(command+"."+key.Value, f, value); err != nil {
				return err
			}
		case value.Kind == yaml.MappingNode && r.flags[sub] != nil:
			if err := r.command(sub, value); err != nil {
				return err
			}
		default:
			return r.errorf(key, "meshc %s has no flag --%s", command, key.Value)
		}
	}
	return nil
}

func (r *configReader) flag(name string, f *pflag.Flag, value *yaml.Node) error {
	var values []string
	switch value.Kind {
	case yaml.ScalarNode:
		values = []string{value.Value}
	case yaml.SequenceNode:
		if err := value.Decode(&values); err != nil {
			return r.errorf(value, "%s: a list of strings is expected", f.Name)
		}
	default:
		return r.errorf(value, "%s: a value is expected", f.Name)
	}
	if slices.Contains([]string{"proxies", "mesh-config", "mesh-networks", "goldens", "calls"}, f.Name) {
		for i := range values {
			values[i] = r.path(values[i])
		}
	}
	r.cfg.flags[name] = values
	return nil
}

// path makes a path of the file relative to the working directory: in the file it is relative to the file.
func (r *configReader) path(p string) string {
	if filepath.IsAbs(p) || p == "-" {
		return p
	}
	joined := filepath.ToSlash(filepath.Join(r.dir, p))
	return joined
}

// flagsByCommand lists the local flags of every command by its name.
func flagsByCommand(root *cobra.Command) map[string]map[string]*pflag.Flag {
	all := map[string]map[string]*pflag.Flag{}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		flags := map[string]*pflag.Flag{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "config" && f.Name != "help" {
				flags[f.Name] = f
			}
		})
		all[commandName(cmd)] = flags
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	for _, cmd := range root.Commands() {
		visit(cmd)
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" {
			all[""] = map[string]*pflag.Flag{f.Name: f}
		}
	})
	return all
}
