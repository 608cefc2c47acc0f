package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/report"
)

// change is a difference of one field in one cluster.
func change(f emit.FieldChange) *emit.Difference {
	return &emit.Difference{Changed: []string{"a.b"}, Groups: []emit.Group{{Proxies: []string{"a.b"}, Resources: []emit.ResourceChange{
		{Kind: "cluster", Name: "c", Op: emit.Changed, Fields: []emit.FieldChange{f}},
	}}}}
}

// TestDiffTextWords shows how each kind of change reads.
func TestDiffTextWords(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	long := `{"name":"x","a":1,"nested":{"b":` + strings.Repeat("1", 200) + `},"z":[]}`
	tests := []struct {
		name string
		f    emit.FieldChange
		want string
	}{
		{"a field", emit.FieldChange{Path: []emit.Step{{Field: "lb_policy"}}, Op: emit.Changed, Old: raw(`"RANDOM"`), New: raw(`"MAGLEV"`)},
			"cluster c: lb_policy changed RANDOM → MAGLEV"},
		{"text that needs its quotes", emit.FieldChange{Path: []emit.Step{{Field: "alt_stat_name"}}, Op: emit.Changed, Old: raw(`""`), New: raw(`" x"`)},
			`cluster c: alt_stat_name changed "" → " x"`},
		{"a field that came", emit.FieldChange{Path: []emit.Step{{Field: "outlier_detection"}, {Field: "interval"}}, Op: emit.Added, New: raw(`"10s"`)},
			"cluster c: outlier_detection.interval added: 10s"},
		{"a field that went", emit.FieldChange{Path: []emit.Step{{Field: "outlier_detection"}}, Op: emit.Removed, Old: raw(`{}`)},
			"cluster c: outlier_detection removed, was {}"},
		{"a plain value in a list", emit.FieldChange{Path: []emit.Step{{Field: "domains", Item: "x.y"}}, Op: emit.Added, New: raw(`"x.y"`)},
			"cluster c: domain x.y added"},
		{"an item that moved", emit.FieldChange{Path: []emit.Step{{Field: "http_filters", Item: "envoy.filters.http.cors"}}, Op: emit.Moved, Old: raw("3"), New: raw("1")},
			"cluster c: HTTP filter cors moved from place 3 to 1"},
		{"a long value", emit.FieldChange{Path: []emit.Step{{Field: "transport_socket"}}, Op: emit.Added, New: raw(long)},
			"cluster c: transport_socket added: {name: x, a: 1, … 2 more}"},
		{"the weight of a subset", emit.FieldChange{Path: []emit.Step{{Field: "routes", Item: "default"}, {Field: "route"}, {Field: "weighted_clusters"},
			{Field: "clusters", Item: "outbound|80|v2|h"}, {Field: "weight"}}, Op: emit.Changed, Old: raw("1"), New: raw("2")},
			"cluster c · route default: weight of v2 changed 1 → 2"},
		{"a name that would clear the screen", emit.FieldChange{Path: []emit.Step{{Field: "domains", Item: "\x1b[2J"}}, Op: emit.Removed, Old: raw(`"x"`)},
			"cluster c: domain \uFFFD[2J removed, was x"},
		{"both sides' YAML", emit.FieldChange{Path: []emit.Step{{Field: "type"}}, Op: emit.Changed, Old: raw("1"), New: raw("2"),
			From: []emit.Origin{{File: "a.yaml", Line: 3}}, To: []emit.Origin{{File: "a.yaml", Line: 4}, {File: "a.yaml", Line: 4}, {File: "b.yaml", Line: 1}}},
			"cluster c: type changed 1 → 2 (a.yaml:4, b.yaml:1; was a.yaml:3)"},
		{"the resource as a whole", emit.FieldChange{Op: emit.Changed, Old: raw("1"), New: raw("2")}, "cluster c: changed 1 → 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := report.DiffText(&out, change(test.f)); err != nil {
				t.Fatal(err)
			}
			want := "proxy a.b\n  " + test.want + "\n\n1 proxy changed.\n"
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiffMarkdownIsBounded(t *testing.T) {
	d := &emit.Difference{}
	for i := range 300 {
		d.Groups = append(d.Groups, emit.Group{Proxies: []string{fmt.Sprintf("<b>%d", i)}, Resources: []emit.ResourceChange{{Kind: "cluster", Name: "`|", Op: emit.Added}}})
	}
	var out bytes.Buffer
	if err := report.DiffMarkdown(&out, d); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{"<summary>proxy &lt;b&gt;199</summary>", "- `cluster '|` added\n", "200 of 300 changes shown."} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(got, "200</summary>") {
		t.Error("shows more than it says")
	}
}
