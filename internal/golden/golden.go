// Package golden compares what a test produces with files under testdata, and writes them anew under -update.
package golden

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens of this package anew")

// Update reports whether -update was given.
func Update() bool { return *update }

// Main is a package's TestMain: it refuses -update together with -run, which would leave part of the goldens as they were.
func Main(m *testing.M) {
	flag.Parse()
	if run := flag.Lookup("test.run").Value.String(); *update && run != "" {
		fmt.Fprintln(os.Stderr, "-update writes all goldens and does not go with -run")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// Compare compares text with a file under testdata, or writes that file.
func Compare(t *testing.T, name string, got []byte) {
	t.Helper()
	CompareFile(t, filepath.Join("testdata", filepath.FromSlash(name)), got)
}

// CompareFile is Compare for a file that stands elsewhere, such as beside the rule that it belongs to.
func CompareFile(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got; -update writes it anew):\n%s", path, diff)
	}
}
