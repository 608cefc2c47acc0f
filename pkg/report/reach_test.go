package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/reach"
	"github.com/meshc/meshc/pkg/report"
)

// wideMatrix has as many columns as asked for, and names and values that somebody chose with care.
func wideMatrix(columns int) *reach.Matrix {
	m := &reach.Matrix{TrustDomain: "cluster.local", Callers: []reach.CallerGroup{
		{Callers: []*reach.Caller{{Kind: reach.Workload, Principal: "cluster.local/ns/shop/sa/a|b\x1b[2J"}}}, {Callers: []*reach.Caller{{Kind: reach.Outside}}},
	}}
	for i := range columns {
		m.Destinations = append(m.Destinations, reach.DestinationGroup{Destinations: []*reach.Destination{
			{Workload: fmt.Sprintf("store-%d.shop", i), Port: 80, Protocol: "http", MTLS: "STRICT"},
		}})
		allowed := &reach.Answer{Verdict: reach.Conditional, Transport: reach.MTLS, Steps: []reach.Step{{Action: reach.ActionAllow, Rules: []reach.Rule{{
			Resource: diag.Resource{Kind: "AuthorizationPolicy", Namespace: "shop", Name: "p"}, Path: "spec.rules[0]",
			Location: diag.Location{File: "mesh.yaml", Line: 3, Column: 5},
			When: &reach.Condition{Test: &reach.Test{Field: reach.Path, Values: []reach.Value{
				{Match: reach.Exact, Value: "/<img src=x>|`x`\n# " + strings.Repeat("x", 200)},
			}}},
		}}}}}
		denied := &reach.Answer{Verdict: reach.Denied, Transport: reach.Plaintext, Steps: []reach.Step{{Action: reach.ActionTLS, Refuses: true, Why: "no"}}}
		m.Rows = append(m.Rows, reach.Row{Answer: allowed, ToGroup: i}, reach.Row{Answer: denied, FromGroup: 1, ToGroup: i})
	}
	return m
}

// TestReachTextGoesOnBelow: a wide matrix is several tables, and no name can command a terminal.
func TestReachTextGoesOnBelow(t *testing.T) {
	var out bytes.Buffer
	if err := report.ReachText(&out, wideMatrix(40), report.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nFROM "); n != 3 {
		t.Errorf("%d tables; want 3 of at most 16 columns", n)
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		t.Errorf("control characters get through:\n%q", out.String()[:600])
	}
	for i := range 40 {
		if !strings.Contains(out.String(), fmt.Sprintf("\n%d  store-%d.shop:80/http (STRICT)\n   if   ", i+1, i)) {
			t.Errorf("column %d is not explained", i+1)
		}
	}
}

// TestReachMarkdownFitsIntoAComment: however much there is, and whatever it holds.
func TestReachMarkdownFitsIntoAComment(t *testing.T) {
	for _, columns := range []int{3, 150, 5000} {
		var out bytes.Buffer
		if err := report.ReachMarkdown(&out, wideMatrix(columns), report.Options{}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if len(text) > 65_536 {
			t.Errorf("%d columns: %d bytes", columns, len(text))
		}
		if strings.Contains(text, "<img") || strings.Contains(text, "\n# ") || strings.Contains(text, "a|b") {
			t.Errorf("%d columns: what a policy says is read as markup", columns)
		}
		if cut := strings.Contains(text, fmt.Sprintf(" of %d columns are explained", columns)); cut != (columns > 3) {
			t.Errorf("%d columns: says that some are left out: %v", columns, cut)
		}
		if open, closed := strings.Count(text, "<details>"), strings.Count(text, "</details>"); open != closed {
			t.Errorf("%d columns: %d details opened, %d closed", columns, open, closed)
		}
	}
}
