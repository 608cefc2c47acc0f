package diag_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/diag"
)

func TestSortOrdersByPlaceAndDropsRepetitions(t *testing.T) {
	at := func(file string, line, column int, rule, message string) diag.Finding {
		return diag.Finding{Rule: rule, Message: message, Location: diag.Location{File: file, Line: line, Column: column}}
	}
	want := []diag.Finding{
		at("a.yaml", 1, 2, "x/a", "m"), at("a.yaml", 1, 2, "x/b", "m"), at("a.yaml", 1, 2, "x/b", "n"),
		at("a.yaml", 1, 10, "x/a", "m"), at("a.yaml", 2, 1, "x/a", "m"), at("b.yaml", 1, 1, "x/a", "m"),
	}
	got := diag.Sort([]diag.Finding{want[5], want[2], want[1], want[4], want[1], want[0], want[3], want[5]})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAtLeast(t *testing.T) {
	order := []diag.Severity{"", diag.Info, diag.Warning, diag.Error}
	for i, s := range order {
		for j, threshold := range order {
			if got := s.AtLeast(threshold); got != (i >= j) {
				t.Errorf("%q at least %q: %v", s, threshold, got)
			}
		}
	}
}

func TestCount(t *testing.T) {
	errors, warnings, infos := diag.Count([]diag.Finding{{Severity: diag.Error}, {Severity: diag.Info}, {Severity: diag.Error}, {Severity: diag.Warning}})
	if errors != 2 || warnings != 1 || infos != 1 {
		t.Errorf("%d errors, %d warnings, %d infos", errors, warnings, infos)
	}
}
