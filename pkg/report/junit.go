package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/lint"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Line      int           `xml:"line,attr,omitempty"`
	Failure   *junitMessage `xml:"failure"`
	SystemOut string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit prints a suite a file and a test case a finding, which Jenkins, GitLab and others show. Errors and warnings are failures, infos pass and
// say their words on standard output; a report without findings is one passing case.
func JUnit(w io.Writer, r *lint.Report, _ Options) error {
	out := junitSuites{Name: "meshc"}
	at := map[string]int{}
	for _, f := range r.Findings {
		i, ok := at[f.Location.File]
		if !ok {
			i = len(out.Suites)
			at[f.Location.File] = i
			out.Suites = append(out.Suites, junitSuite{Name: f.Location.File})
		}
		s := &out.Suites[i]
		c := junitCase{Name: f.Rule, ClassName: className(f.Resource), File: f.Location.File, Line: f.Location.Line}
		text := where(f.Location) + ": " + f.Message
		for _, rel := range f.Related {
			text += "\n" + where(rel.Location) + ": " + rel.Message
		}
		if f.Fix != nil && f.Fix.Description != "" {
			text += "\nfix: " + f.Fix.Description
		}
		if f.Severity == diag.Info {
			c.SystemOut = text
		} else {
			c.Failure = &junitMessage{Message: f.Message, Type: string(f.Severity), Text: text}
			s.Failures++
			out.Failures++
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
		out.Tests++
	}
	if len(out.Suites) == 0 {
		out.Tests = 1
		out.Suites = []junitSuite{{Name: "meshc", Tests: 1, Cases: []junitCase{{Name: "lint", ClassName: "meshc", SystemOut: summaryLine(r.Summary)}}}}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func className(r diag.Resource) string {
	var parts []string
	for _, p := range []string{r.Kind, r.Namespace, r.Name} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "input"
	}
	return strings.Join(parts, ".")
}
