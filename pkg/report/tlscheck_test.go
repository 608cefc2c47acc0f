package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/report"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// tlsRow is a row with policies on both sides.
func tlsRow(port uint32, status tlscheck.Status, workloads ...string) tlscheck.Row {
	policy := func(kind string, line int) *tlscheck.Policy {
		return &tlscheck.Policy{Resource: diag.Resource{Kind: kind, Namespace: "shop", Name: "p"}, Path: "spec.x", Location: diag.Location{File: "a|b.yaml", Line: line}}
	}
	row := tlscheck.Row{Host: "cart.shop.svc.cluster.local", Namespace: "shop", Port: port, Clients: "all", Verdict: tlscheck.Verdict{
		Client: tlscheck.Client{Mode: "DISABLE", Sends: tlscheck.Plaintext, Policy: policy("DestinationRule", 3)},
		Server: tlscheck.Server{Mode: "STRICT", Policy: policy("PeerAuthentication", 9)}, Workloads: workloads, Status: status,
	}}
	if status == tlscheck.Conflict {
		row.Reason, row.Fix = "they <do not> agree\x1b[2J", "mend it"
	}
	return row
}

func TestTLSCheck(t *testing.T) {
	bare := tlsRow(90, tlscheck.OK, "old.shop")
	bare.Client.Policy, bare.Server = nil, tlscheck.Server{Mode: tlscheck.NoSidecar}
	sample := &tlscheck.Report{
		Rows: []tlscheck.Row{
			tlsRow(80, tlscheck.Conflict, "a.shop"), tlsRow(81, tlscheck.Conflict, "a.shop", "b.shop", "c.shop", "d.shop"),
			tlsRow(90, tlscheck.Unknown, "cart.shop"), bare,
		},
		Clients: []tlscheck.ClientSet{{Name: "all", Clients: []string{"web.shop"}}},
		Summary: tlscheck.Summary{Clients: 1, Services: 1, Ports: 3, OK: 1, Conflicts: 2, Unknown: 1, WithoutSidecar: 2},
	}
	for _, format := range []struct {
		name  string
		print func(*bytes.Buffer) error
	}{
		{"tlscheck.txt", func(b *bytes.Buffer) error { return report.TLSCheckText(b, sample, report.Options{}) }},
		{"tlscheck-color.txt", func(b *bytes.Buffer) error { return report.TLSCheckText(b, sample, report.Options{Color: true}) }},
		{"tlscheck.md", func(b *bytes.Buffer) error { return report.TLSCheckMarkdown(b, sample, report.Options{}) }},
	} {
		t.Run(format.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := format.print(&b); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, format.name, b.Bytes())
		})
	}
}

func TestTLSCheckMarkdownIsBounded(t *testing.T) {
	var big tlscheck.Report
	for i := range uint32(1000) {
		big.Rows = append(big.Rows, tlsRow(i, tlscheck.Conflict), tlsRow(i, tlscheck.OK))
	}
	var b bytes.Buffer
	if err := report.TLSCheckMarkdown(&b, &big, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "cart.shop.svc"); n != 200 || !strings.HasSuffix(b.String(), "\n200 of 2000 rows shown.\n") {
		t.Error(fmt.Sprint(n, " rows, want 200 and how many there are:\n"), b.String()[max(0, b.Len()-200):])
	}
}
