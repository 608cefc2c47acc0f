package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

// GitHub prints workflow commands, which GitHub Actions turns into annotations on the changed lines
// (https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions), and the summary as a plain line.
func GitHub(w io.Writer, r *lint.Report, _ Options) error {
	out := bufio.NewWriter(w)
	for _, f := range r.Findings {
		command := map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning"}[f.Severity]
		if command == "" {
			command = "notice"
		}
		message := printable(f.Message)
		for _, rel := range f.Related {
			message += "\n" + printable(fmt.Sprintf("%s: %s", where(rel.Location), rel.Message))
		}
		if f.Fix != nil && f.Fix.Description != "" {
			message += "\nFix: " + printable(f.Fix.Description)
		}
		fmt.Fprintf(out, "::%s %s::%s\n", command, annotation(f), escapeData(message))
	}
	fmt.Fprintln(out, summaryLine(r.Summary))
	return out.Flush()
}

func annotation(f diag.Finding) string {
	var props []string
	add := func(name string, value any) {
		props = append(props, name+"="+escapeProperty(fmt.Sprint(value)))
	}
	if f.Location.File != "" {
		add("file", f.Location.File)
	}
	if f.Location.Line > 0 {
		add("line", f.Location.Line)
		if f.Location.EndLine > 0 {
			add("endLine", f.Location.EndLine)
		}
		add("col", f.Location.Column)
		if f.Location.EndColumn > 0 {
			add("endColumn", f.Location.EndColumn)
		}
	}
	add("title", "meshc "+code(f))
	return strings.Join(props, ",")
}

func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
