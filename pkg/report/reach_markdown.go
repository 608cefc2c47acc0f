package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/meshc/meshc/pkg/reach"
)

// longestComment is how much is printed, in bytes: GitHub refuses comments of more than 65,536 characters.
const longestComment = 60_000

// ReachMarkdown prints the matrix as a table, and the explanations of its columns folded below, for comments on pull requests. What does not fit into a
// comment is left out, and said to be.
func ReachMarkdown(w io.Writer, m *reach.Matrix, _ Options) error {
	o := newReachOutline(m)
	var b strings.Builder
	b.WriteString("### Who may call whom\n\n")
	if len(m.Rows) == 0 {
		b.WriteString("Nobody calls anything that was asked for.\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "%s.\n", escaped(o.summary()))
	for first := 0; first < len(m.Destinations); first += reachColumns {
		o.markdownTable(&b, first, min(first+reachColumns, len(m.Destinations)))
	}
	fmt.Fprintf(&b, "\n%s.\n\n", reachLegend)
	left := 0
	for i := range m.Destinations {
		text := o.markdownColumn(i)
		if b.Len()+len(text) > longestComment {
			left++
			continue
		}
		b.WriteString(text)
	}
	text := b.String()
	if len(text) > longestComment {
		text = strings.ToValidUTF8(text[:longestComment], "")
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	if left > 0 || len(text) < b.Len() {
		text += fmt.Sprintf("\n%d of %d columns are explained; `--from` and `--to` narrow the matrix.\n", len(m.Destinations)-left, len(m.Destinations))
	}
	_, err := io.WriteString(w, text)
	return err
}

func (o *reachOutline) markdownTable(b *strings.Builder, first, end int) {
	b.WriteString("\n| From |")
	for i := first; i < end; i++ {
		fmt.Fprintf(b, " %d |", i+1)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", end-first) + "\n")
	for j := range o.m.Callers {
		fmt.Fprintf(b, "| %s |", escaped(o.label(&o.m.Callers[j])))
		for i := first; i < end; i++ {
			fmt.Fprintf(b, " %s |", strings.ReplaceAll(reachCell(o.rows[i][j]), "~", `\~`))
		}
		b.WriteString("\n")
	}
}

// markdownColumn explains a column.
func (o *reachOutline) markdownColumn(to int) string {
	g := &o.m.Destinations[to]
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary>%d: %s (%s)</summary>\n\n", to+1, escaped(shortened(portsOf(g), 20)), modesOf(g))
	for _, p := range o.paragraphs(to) {
		fmt.Fprintf(&b, "- **%s** %s\n", strings.ReplaceAll(p.word, "~", `\~`), escaped(p.who(20)))
		for _, l := range explainAnswer(p.Answer) {
			b.WriteString(l.markdown())
		}
		for i := range p.noRoute {
			b.WriteString(explainNoRoute(&p.noRoute[i]).markdown())
		}
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

func (l reachLine) markdown() string {
	text := "  - " + escaped(strings.TrimSpace(l.words))
	if !l.at.IsZero() {
		text += " " + codeSpan(where(l.at))
	}
	for i, c := range l.conditions {
		word := " if "
		if i > 0 {
			word = ", and "
		}
		text += word + escaped(c)
	}
	return text + "\n"
}

// escaped keeps names and values from being read as Markdown or HTML.
func escaped(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "[", `\[`, "]", `\]`, "@", "@\u200b", `\`, `\\`).Replace(printable(s))
}

// ReachJSON prints the matrix for machines.
func ReachJSON(w io.Writer, m *reach.Matrix, _ Options) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(m)
}
