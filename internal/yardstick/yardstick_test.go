package yardstick

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/internal/golden"
)

const (
	intendedFile = "intended.yaml"
	floorFile    = "testdata/floor.json"
)

// floor is the share of resources of a kind that were as they should be when the score was last recorded.
type floor struct {
	Good  int `json:"good"`
	Total int `json:"total"`
}

// TestWorlds holds that the worlds which come with the repository compile to exactly what istiod generated, but for what is intended.
func TestWorlds(t *testing.T) {
	results := scoreSuite(t, Worlds(filepath.Join(root(t), "testdata", "worlds")))
	if len(results) == 0 {
		t.Fatal("there are no worlds in testdata/worlds")
	}
	report(t, "testdata/worlds", results)
	for _, r := range results {
		if r.Verdict != Equal && r.Verdict != Meant {
			t.Error(r)
		}
	}
}

// TestConformance holds that the score on the conformance suite does not fall.
func TestConformance(t *testing.T) {
	suite := conformanceSuite(t)
	worlds := Worlds(suite)
	if len(worlds) == 0 {
		message := fmt.Sprintf("no conformance suite at %s: nothing but testdata/worlds was held against istiod (MESHC_CONFORMANCE names the folder)", suite)
		t.Log(message)
		fmt.Fprintln(os.Stderr, message)
		return
	}
	results := scoreSuite(t, worlds)
	report(t, suite, results)
	if golden.Update() {
		record(t, results)
		return
	}
	floors := map[Kind]floor{}
	text, err := os.ReadFile(floorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &floors); err != nil {
		t.Fatalf("%s: %v", floorFile, err)
	}
	for kind, tally := range Tallies(results) {
		if f := floors[kind]; tally.Good()*f.Total < f.Good*tally.Total() {
			t.Errorf("%s: %d of %d as they should be, and %d of %d when %s was recorded; the log says which are not",
				kind, tally.Good(), tally.Total(), f.Good, f.Total, floorFile)
		}
	}
}

// conformanceSuite is where the worlds of the conformance suites are: below the folder that MESHC_CONFORMANCE names, or else the one that
// lies beside the repository.
func conformanceSuite(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("MESHC_CONFORMANCE")
	if folder == "" {
		folder = filepath.Join(filepath.Dir(root(t)), "shared", "conformance")
	}
	if below := filepath.Join(folder, "xds"); exists(below) {
		return below
	}
	return folder
}

// root is the folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func scoreSuite(t *testing.T, worlds []string) []Result {
	t.Helper()
	intended, err := ReadIntended(intendedFile)
	if err != nil {
		t.Fatal(err)
	}
	scores := make([][]Result, len(worlds))
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, world := range worlds {
		group.Go(func() (err error) {
			if scores[i], err = Score(ctx, world, intended); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(world), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var out []Result
	for _, s := range scores {
		out = append(out, s...)
	}
	return out
}

// report logs a line a kind, the reasons for what is meant to differ, and the first of what is not.
func report(t *testing.T, suite string, results []Result) {
	t.Helper()
	tallies := Tallies(results)
	t.Logf("%s:", suite)
	for _, kind := range Kinds() {
		t.Logf("%-9s %s", kind, tallies[kind])
	}
	intended, err := ReadIntended(intendedFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range intended {
		t.Logf("intended: %s: %s", in.Path, in.Reason)
	}
	const most = 40
	shown := 0
	for _, r := range results {
		if r.Verdict != Equal && r.Verdict != Meant && shown < most {
			t.Log(r)
			shown++
		}
	}
}

func record(t *testing.T, results []Result) {
	t.Helper()
	floors := map[Kind]floor{}
	for kind, tally := range Tallies(results) {
		floors[kind] = floor{Good: tally.Good(), Total: tally.Total()}
	}
	text, err := json.MarshalIndent(floors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(floorFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCompare(t *testing.T) {
	parse := func(s string) any {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		return folded(v, "")
	}
	want := resources{Listeners: {
		"same":    parse(`{"useOriginalDst": true, "match": {"headers": [{"name": "a"}, {"name": "b"}]}}`),
		"other":   parse(`{"chains": [{"port": 1}, {"port": 2}], "name": "x"}`),
		"missing": parse(`{}`),
		"meant":   parse(`{"keys": "inline"}`),
	}}
	got := resources{Listeners: {
		"same":  parse(`{"use_original_dst": true, "nothing": null, "match": {"headers": [{"name": "b"}, {"name": "a"}]}}`),
		"other": parse(`{"chains": [{"port": 3}], "more": 1}`),
		"meant": parse(`{"keys": "remote"}`),
		"extra": parse(`{}`),
	}}
	path := filepath.Join(t.TempDir(), intendedFile)
	if err := os.WriteFile(path, []byte("- {path: 'listeners\\.keys', reason: fetched at run time}"), 0o600); err != nil {
		t.Fatal(err)
	}
	intended, err := ReadIntended(path)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []Result{
		{Kind: Listeners, Name: "extra", Verdict: Extra},
		{Kind: Listeners, Name: "meant", Verdict: Meant, Paths: []string{"listeners.keys"}, Reasons: []string{"fetched at run time"}},
		{Kind: Listeners, Name: "missing", Verdict: Missing},
		{Kind: Listeners, Name: "other", Verdict: Differs, Paths: []string{
			"listeners.chains[] has 1, not 2", "listeners.chains[].port", "listeners.more extra", "listeners.name missing",
		}},
		{Kind: Listeners, Name: "same", Verdict: Equal},
	}
	if diff := cmp.Diff(wanted, compare(want, got, intended)); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
}
