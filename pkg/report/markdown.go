package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/meshc/meshc/pkg/lint"
)

// most findings that a Markdown table shows: GitHub cuts a job summary at 1 MiB and a comment at 65,536 characters.
const mostRows = 200

// Markdown prints a table, for job summaries and comments. When there are too many findings it keeps room for the most severe and says so.
func Markdown(w io.Writer, r *lint.Report, _ Options) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### Mesh configuration\n\n%s\n", summaryLine(r.Summary))
	shown := mostSevere(r.Findings, mostRows)
	if len(shown) > 0 {
		fmt.Fprint(out, "\n| | Where | What | Rule |\n| --- | --- | --- | --- |\n")
	}
	for _, f := range shown {
		message := f.Message
		if f.Fix != nil && f.Fix.Description != "" {
			message += " Fix: " + f.Fix.Description
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", f.Severity, codeSpan(strings.TrimSuffix(where(f.Location), ":0:0")), cell(message), codeSpan(code(f)))
	}
	if len(shown) < len(r.Findings) {
		fmt.Fprintf(out, "\n%d of %d findings shown.\n", len(shown), len(r.Findings))
	}
	reasons, rules := uncheckedByReason(r.Summary)
	for _, why := range reasons {
		fmt.Fprintf(out, "\nNot checked: %s (%s)\n", cell(strings.Join(rules[why], ", ")), cell(why))
	}
	return out.Flush()
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", "", "<", "&lt;", ">", "&gt;").Replace(printable(s))
}

func codeSpan(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`, "\n", " ").Replace(printable(s)) + "`"
}
