package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/pkg/reach"
)

// reachWidth is how long lines of lists get, reachColumns how many columns a table has before it goes on below.
const (
	reachWidth   = 110
	reachColumns = 16
)

// ReachText prints the matrix of who may call whom at a glance, then for each column who gets through on which conditions, and which rule says so.
func ReachText(w io.Writer, m *reach.Matrix, opts Options) error {
	out := bufio.NewWriter(w)
	t := &reachText{Writer: out, reachOutline: newReachOutline(m), palette: palette{on: opts.Color}}
	if len(m.Rows) == 0 {
		fmt.Fprintln(out, "Nobody calls anything that was asked for.")
		return out.Flush()
	}
	fmt.Fprintf(out, "%s\n\nTO\n", t.bold(printable(t.summary())))
	for i := range m.Destinations {
		t.wrapped(fmt.Sprintf("%4d  ", i+1), legendOf(&m.Destinations[i]))
	}
	for first := 0; first < len(m.Destinations); first += reachColumns {
		t.table(first, min(first+reachColumns, len(m.Destinations)))
	}
	fmt.Fprintf(out, "\n%s\n", t.faint(reachLegend))
	t.members()
	for i := range m.Destinations {
		t.destination(i)
	}
	return out.Flush()
}

// reachText prints to a writer.
type reachText struct {
	*bufio.Writer
	*reachOutline
	palette
}

// verdict paints a cell by what it says.
func (t *reachText) verdict(cell, padded string) string {
	switch strings.TrimSuffix(cell, "~") {
	case "yes":
		return t.paint("32", padded)
	case "if":
		return t.paint("33", padded)
	case "no":
		return t.paint("31", padded)
	}
	return t.faint(padded)
}

// table prints some columns of the matrix.
func (t *reachText) table(first, end int) {
	width := len("FROM")
	for i := range t.m.Callers {
		width = max(width, utf8.RuneCountInString(t.label(&t.m.Callers[i])))
	}
	var header strings.Builder
	header.WriteString(pad("FROM", width))
	for i := first; i < end; i++ {
		header.WriteString("  " + pad(strconv.Itoa(i+1), 4))
	}
	fmt.Fprintf(t, "\n%s\n", strings.TrimRight(header.String(), " "))
	for j := range t.m.Callers {
		fmt.Fprint(t, printable(pad(t.label(&t.m.Callers[j]), width)))
		for i := first; i < end; i++ {
			cell := reachCell(t.rows[i][j])
			padded := cell
			if i < end-1 {
				padded = pad(cell, 4)
			}
			fmt.Fprint(t, "  "+t.verdict(cell, padded))
		}
		fmt.Fprintln(t)
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// members lists callers whom the table names only in part, and the workloads that have no identity.
func (t *reachText) members() {
	for i := range t.m.Callers {
		g := &t.m.Callers[i]
		if strings.HasSuffix(t.label(g), " more") {
			fmt.Fprintf(t, "\n%s\n", printable(t.label(g)))
			t.wrapped("      ", t.membersOf(g))
		}
		if c := g.Callers[0]; c.Kind == reach.Outside && len(c.Workloads) > 0 {
			fmt.Fprintf(t, "\nWithout a sidecar, and so outside:\n")
			t.wrapped("      ", c.Workloads[:min(len(c.Workloads), mostListed)])
			if more := len(c.Workloads) - mostListed; more > 0 {
				fmt.Fprintf(t, "      and %d more\n", more)
			}
		}
	}
}

// wrapped prints a list with commas in lines that are not too long, the first after the margin, the others below it.
func (t *reachText) wrapped(margin string, items []string) {
	line, indent := margin, strings.Repeat(" ", utf8.RuneCountInString(margin))
	for i, item := range items {
		item = printable(item)
		if i < len(items)-1 {
			item += ","
		}
		if strings.TrimSpace(line) != strings.TrimSpace(margin) && utf8.RuneCountInString(line)+utf8.RuneCountInString(item) > reachWidth {
			fmt.Fprintln(t, strings.TrimRight(line, " "))
			line = indent
		}
		line += item + " "
	}
	fmt.Fprintln(t, strings.TrimRight(line, " "))
}

// destination explains a column.
func (t *reachText) destination(to int) {
	g := &t.m.Destinations[to]
	fmt.Fprintf(t, "\n%s %s\n", t.bold(printable(fmt.Sprintf("%d  %s", to+1, shortened(portsOf(g), 2)))), t.faint("("+modesOf(g)+")"))
	for _, p := range t.paragraphs(to) {
		fmt.Fprintf(t, "   %s %s\n", t.verdict(p.word, pad(p.word, 4)), printable(p.who(4)))
		for _, l := range explainAnswer(p.Answer) {
			t.line(l)
		}
		for i := range p.noRoute {
			t.line(explainNoRoute(&p.noRoute[i]))
		}
	}
}

func (t *reachText) line(l reachLine) {
	fmt.Fprintf(t, "          %s", printable(l.words))
	if !l.at.IsZero() {
		fmt.Fprintf(t, "  %s", t.faint(printable(where(l.at))))
	}
	fmt.Fprintln(t)
	for i, c := range l.conditions {
		word := "if "
		if i > 0 {
			word = "and "
		}
		fmt.Fprintf(t, "            %s%s\n", word, printable(c))
	}
}
