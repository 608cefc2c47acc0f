package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocumentedConfigurationIsAccepted reads the first example of docs/configuration.md as meshc would.
func TestDocumentedConfigurationIsAccepted(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("docs/configuration.md shows no configuration")
	}
	name := filepath.Join(t.TempDir(), configName)
	if err := os.WriteFile(name, example[1], 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(name, newRoot(Streams{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Paths) != 1 || len(cfg.Lint.Ignore) != 1 || len(cfg.Lint.External.Gateways) != 1 || cfg.flags["lint.fail-on"][0] != "warning" {
		t.Errorf("read as %+v", cfg)
	}
}
