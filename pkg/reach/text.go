package reach

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// widest is how long lines of lists get, and columns how many columns a table has before it goes on below.
const (
	widest  = 110
	columns = 16
)

// TextOptions of a text.
type TextOptions struct {
	// Color turns on ANSI colours.
	Color bool
	// Brief leaves the explanations out.
	Brief bool
}

// Text prints the matrix at a glance, then for each column who gets through on which conditions, and which rule says so.
func Text(w io.Writer, m *Matrix, opts TextOptions) error {
	out := bufio.NewWriter(w)
	t := &text{Writer: out, outline: newOutline(m), color: opts.Color}
	if len(m.Rows) == 0 {
		fmt.Fprintln(out, "Nobody calls anything that was asked for.")
		return out.Flush()
	}
	fmt.Fprintf(out, "%s\n\nTO\n", t.bold(printable(t.summary())))
	for i := range m.Destinations {
		t.wrapped(fmt.Sprintf("%4d  ", i+1), m.Destinations[i].ports())
	}
	for first := 0; first < len(m.Destinations); first += columns {
		t.table(first, min(first+columns, len(m.Destinations)))
	}
	fmt.Fprintf(out, "\n%s\n", t.faint(legend))
	t.members()
	if !opts.Brief {
		for i := range m.Destinations {
			t.destination(i)
		}
	}
	return out.Flush()
}

// text prints to a writer.
type text struct {
	*bufio.Writer
	*outline
	color bool
}

func (t *text) paint(code, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) bold(s string) string  { return t.paint("1", s) }
func (t *text) faint(s string) string { return t.paint("2", s) }

// verdict paints a cell by what it says.
func (t *text) verdict(cell, padded string) string {
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
func (t *text) table(first, end int) {
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
			cell := t.rows[i][j].cell()
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
func (t *text) members() {
	for i := range t.m.Callers {
		g := &t.m.Callers[i]
		if len(g.Callers) > 3 {
			var names []string
			for _, c := range g.Callers {
				names = append(names, t.caller(c))
			}
			fmt.Fprintf(t, "\n%s\n", printable(t.label(g)))
			t.wrapped("      ", names)
		}
		if c := g.Callers[0]; c.Kind == Outside && len(c.Workloads) > 0 {
			fmt.Fprintf(t, "\nWithout a sidecar, and so outside:\n")
			t.wrapped("      ", c.Workloads)
		}
	}
}

// wrapped prints a list with commas in lines that are not too long, the first after the margin, the others below it.
func (t *text) wrapped(margin string, items []string) {
	line, indent := margin, strings.Repeat(" ", utf8.RuneCountInString(margin))
	for i, item := range items {
		item = printable(item)
		if i < len(items)-1 {
			item += ","
		}
		if strings.TrimSpace(line) != strings.TrimSpace(margin) && utf8.RuneCountInString(line)+utf8.RuneCountInString(item) > widest {
			fmt.Fprintln(t, strings.TrimRight(line, " "))
			line = indent
		}
		line += item + " "
	}
	fmt.Fprintln(t, strings.TrimRight(line, " "))
}

// destination explains a column.
func (t *text) destination(to int) {
	g := &t.m.Destinations[to]
	fmt.Fprintf(t, "\n%s %s\n", t.bold(printable(fmt.Sprintf("%d  %s", to+1, shortened(g.ports(), 2)))), t.faint("("+g.modes()+")"))
	for _, p := range t.paragraphs(to) {
		who := shortened(p.callers, 4)
		if p.Verdict != Denied {
			who += ", over " + map[Transport]string{MTLS: "mTLS", TLS: "TLS", Plaintext: "plaintext"}[p.Transport]
		}
		fmt.Fprintf(t, "   %s %s\n", t.verdict(p.word, pad(p.word, 4)), printable(who))
		for _, l := range p.explanation() {
			t.line(l)
		}
		for i := range p.noRoute {
			t.line(p.noRoute[i].words())
		}
	}
}

func (t *text) line(l line) {
	fmt.Fprintf(t, "          %s", printable(l.words))
	if l.at != "" {
		fmt.Fprintf(t, "  %s", t.faint(printable(l.at)))
	}
	fmt.Fprintln(t)
}
