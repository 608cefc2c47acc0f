package reach

import (
	"fmt"
	"io"
	"strings"
)

// longestMarkdown is how much is printed, in bytes: GitHub refuses comments of more than 65,536 characters.
const longestMarkdown = 60_000

// Markdown prints the matrix as a table, and the explanations of its columns folded below, for comments on pull requests. What does not fit into a
// comment is left out, and said to be.
func Markdown(w io.Writer, m *Matrix) error {
	o := newOutline(m)
	var b strings.Builder
	b.WriteString("### Who may call whom\n\n")
	if len(m.Rows) == 0 {
		b.WriteString("Nobody calls anything that was asked for.\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "%s.\n", escaped(o.summary()))
	for first := 0; first < len(m.Destinations); first += columns {
		o.markdownTable(&b, first, min(first+columns, len(m.Destinations)))
	}
	fmt.Fprintf(&b, "\n%s.\n\n", legend)
	left := 0
	for i := range m.Destinations {
		text := o.markdownColumn(i)
		if b.Len()+len(text) > longestMarkdown {
			left++
			continue
		}
		b.WriteString(text)
	}
	text := b.String()
	if len(text) > longestMarkdown {
		text = strings.ToValidUTF8(text[:longestMarkdown], "")
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	if left > 0 || len(text) < b.Len() {
		text += fmt.Sprintf("\n%d of %d columns are explained; `--from` and `--to` narrow the matrix.\n", len(m.Destinations)-left, len(m.Destinations))
	}
	_, err := io.WriteString(w, text)
	return err
}

func (o *outline) markdownTable(b *strings.Builder, first, end int) {
	b.WriteString("\n| From |")
	for i := first; i < end; i++ {
		fmt.Fprintf(b, " %d |", i+1)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", end-first) + "\n")
	for j := range o.m.Callers {
		fmt.Fprintf(b, "| %s |", escaped(o.label(&o.m.Callers[j])))
		for i := first; i < end; i++ {
			fmt.Fprintf(b, " %s |", strings.ReplaceAll(o.rows[i][j].cell(), "~", `\~`))
		}
		b.WriteString("\n")
	}
}

// markdownColumn explains a column.
func (o *outline) markdownColumn(to int) string {
	g := &o.m.Destinations[to]
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary>%d: %s (%s)</summary>\n\n", to+1, escaped(shortened(g.ports(), 20)), g.modes())
	for _, p := range o.paragraphs(to) {
		fmt.Fprintf(&b, "- **%s** %s\n", strings.ReplaceAll(p.word, "~", `\~`), escaped(shortened(p.callers, 20)))
		for _, l := range p.explanation() {
			b.WriteString(l.markdown())
		}
		for i := range p.noRoute {
			b.WriteString(p.noRoute[i].words().markdown())
		}
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

func (l line) markdown() string {
	text := "  - " + escaped(strings.TrimSpace(l.words))
	if l.at != "" {
		text += " `" + strings.ReplaceAll(printable(l.at), "`", "'") + "`"
	}
	return text + "\n"
}

// escaped keeps names and values from being read as Markdown or HTML.
func escaped(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "[", `\[`, "]", `\]`, "@", "@\u200b", `\`, `\\`).Replace(printable(s))
}
