package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
	"github.com/meshc/meshc/pkg/report"
)

// files are the input that the findings are about.
var files = map[string]string{
	"shop/reviews.yaml": `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: revuews}   # an escape sequence: ` + "\x1b" + `[2J
`,
	"shop/tls.yaml": `apiVersion: v1
kind: Secret
metadata: {name: tls}
data: {tls.key: c2VjcmV0}
`,
}

// sample has a finding of each severity, one with all that a finding can have, one without a place, and one in a Secret.
var sample = &lint.Report{
	Findings: []diag.Finding{
		{Rule: "compile/gateway-conflict", Severity: diag.Info, Message: "nothing in particular, 50% of it | said: twice"},
		{
			Rule: "virtualservice/unknown-host", Aliases: []string{"IST0101", "KIA1101"}, Severity: diag.Error,
			Message:  "no Service or ServiceEntry has the host revuews",
			Resource: diag.Resource{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Namespace: "shop", Name: "reviews"},
			Path:     "spec.http[0].route[0].destination.host",
			Location: diag.Location{File: "shop/reviews.yaml", Line: 8, Column: 27, EndLine: 8, EndColumn: 34},
			Related: []diag.Related{{
				Resource: diag.Resource{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Namespace: "shop", Name: "reviews"},
				Location: diag.Location{File: "shop/reviews.yaml", Line: 5, Column: 11}, Message: "the host of the VirtualService",
			}},
			Fix: &diag.Fix{Description: "did you mean reviews?", Edits: []diag.Edit{{
				Location: diag.Location{File: "shop/reviews.yaml", Line: 8, Column: 27, EndLine: 8, EndColumn: 34}, NewText: "reviews",
			}}},
		},
		{
			Rule: "schema/wrong-type", Severity: diag.Warning, Message: "a bad \x1b[2Jmessage",
			Resource: diag.Resource{APIVersion: "v1", Kind: "Secret", Namespace: "default", Name: "tls"}, Path: "data",
			Location: diag.Location{File: "shop/tls.yaml", Line: 4, Column: 17},
		},
	},
	Summary: lint.Summary{
		Files: 2, Documents: 3, Resources: 2, Skipped: 1, Errors: 1, Warnings: 1, Infos: 1, Assumed: 2,
		Unchecked: []lint.Unchecked{{Rule: "gateway/no-workload", Why: "the input has no Pod"}, {Rule: "sidecar/selector", Why: "the input has no Pod"}},
	},
}

var options = report.Options{
	Source:  func(file string) []byte { return []byte(files[file]) },
	Version: "v1.2.3",
	Rules: []lint.Rule{{
		Name: "virtualservice/unknown-host", Title: "A route leads to a host that does not exist", Description: "What is reported.",
		Why: "Requests get 503.", Fix: "Mend the name.",
	}},
}

func render(t *testing.T, format string, r *lint.Report, opts report.Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Print(&out, format, r, opts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestFormats shows each format of one report.
func TestFormats(t *testing.T) {
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			got := render(t, format, sample, options)
			golden.Compare(t, "formats/"+format, []byte(got))
		})
	}
}

// TestNothingSecretOrControlling: whatever the format, neither the data of a Secret nor an escape sequence gets out as it is.
func TestNothingSecretOrControlling(t *testing.T) {
	for _, format := range report.Formats() {
		got := render(t, format, sample, options)
		if strings.Contains(got, "c2VjcmV0") {
			t.Errorf("%s shows the data of a Secret", format)
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("%s passes an escape sequence on", format)
		}
	}
	if colored := render(t, "text", sample, report.Options{Color: true}); !strings.Contains(colored, "\x1b[1;31merror\x1b[0m") {
		t.Errorf("no colours in %q", colored)
	}
}

// TestSARIFIsValid holds the output against the standard's own schema.
func TestSARIFIsValid(t *testing.T) {
	for name, r := range map[string]*lint.Report{"sample": sample, "empty": {}} {
		parsed, err := sarif.FromString(render(t, "sarif", r, options), sarif.WithStrictValidation())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := parsed.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEmptyListsAreNoNulls: consumers of JSON iterate without asking.
func TestEmptyListsAreNoNulls(t *testing.T) {
	r := &lint.Report{Findings: []diag.Finding{{Rule: "a/b", Fix: &diag.Fix{Description: "x"}}}}
	for _, r := range []*lint.Report{r, {}} {
		if got := render(t, "json", r, report.Options{}); strings.Contains(got, "null") {
			t.Errorf("null in %s", got)
		}
	}
}

// TestMarkdownKeepsRoomForErrors: when rows are cut, the last to go are errors, and it is said.
func TestMarkdownKeepsRoomForErrors(t *testing.T) {
	r := &lint.Report{}
	for range 500 {
		r.Findings = append(r.Findings, diag.Finding{Rule: "a/info", Severity: diag.Info})
	}
	r.Findings = append(r.Findings, diag.Finding{Rule: "a/error", Severity: diag.Error, Message: "the one that matters"})
	got := render(t, "markdown", r, report.Options{})
	if !strings.Contains(got, "the one that matters") || !strings.Contains(got, "200 of 501 findings shown") {
		t.Errorf("got %s", got)
	}
}
