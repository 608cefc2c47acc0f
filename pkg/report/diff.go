package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"

	"github.com/meshc/meshc/pkg/emit"
)

// most proxies that a heading names, and most places in the YAML that a line names.
const (
	mostProxies = 8
	mostOrigins = 3
)

// DiffText prints a difference between two sets of bootstraps for people: a line for each change, under the proxies that it is made in.
func DiffText(w io.Writer, d *emit.Difference) error {
	out := bufio.NewWriter(w)
	asIs := printable
	for _, g := range d.Groups {
		fmt.Fprintf(out, "%s\n", groupHeading(g))
		for _, r := range g.Resources {
			for _, line := range resourceLines(r, asIs) {
				fmt.Fprintf(out, "  %s\n", line)
			}
		}
		fmt.Fprintln(out)
	}
	for _, line := range proxyLines(d, asIs) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out, diffSummary(d))
	return out.Flush()
}

// DiffMarkdown prints a difference for a comment or job summary, at most 200 lines of changes.
func DiffMarkdown(w io.Writer, d *emit.Difference) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### Envoy configuration\n\n%s\n", diffSummary(d))
	left, total := mostRows, 0
	for _, g := range d.Groups {
		open := false
		for _, r := range g.Resources {
			lines := resourceLines(r, inlineCode)
			total += len(lines)
			lines = lines[:min(len(lines), left)]
			left -= len(lines)
			if len(lines) > 0 && !open {
				fmt.Fprintf(out, "\n<details open><summary>%s</summary>\n\n", html.EscapeString(groupHeading(g)))
				open = true
			}
			for _, line := range lines {
				fmt.Fprintf(out, "- %s\n", line)
			}
		}
		if open {
			fmt.Fprint(out, "\n</details>\n")
		}
	}
	if shown := mostRows - left; shown < total {
		fmt.Fprintf(out, "\n%d of %d changes shown.\n", shown, total)
	}
	for i, line := range proxyLines(d, inlineCode) {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "- %s\n", line)
	}
	return out.Flush()
}

// DiffJSON prints a difference as JSON.
func DiffJSON(w io.Writer, d *emit.Difference) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// inlineCode is code in Markdown outside of a table, where nothing but the back quote and the end of the line has a meaning.
func inlineCode(s string) string { return "`" + strings.ReplaceAll(printable(s), "`", "'") + "`" }

func groupHeading(g emit.Group) string {
	if len(g.Proxies) == 1 {
		return "proxy " + g.Proxies[0]
	}
	return fmt.Sprintf("in %d proxies: %s", len(g.Proxies), listed(g.Proxies, mostProxies))
}

// listed joins the first so many and counts the rest.
func listed(all []string, most int) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

func proxyLines(d *emit.Difference, mark func(string) string) []string {
	var lines []string
	for _, p := range d.Added {
		lines = append(lines, "proxy "+mark(p)+" added")
	}
	for _, p := range d.Removed {
		lines = append(lines, "proxy "+mark(p)+" removed")
	}
	for _, p := range d.Reformatted {
		lines = append(lines, "proxy "+mark(p)+" says the same in other bytes")
	}
	return lines
}

func diffSummary(d *emit.Difference) string {
	if d.Equal() {
		return "No differences in " + countProxies(d.Unchanged) + "."
	}
	var words []string
	for _, c := range []struct {
		n    int
		what string
	}{{len(d.Changed), "changed"}, {len(d.Added), "added"}, {len(d.Removed), "removed"}, {len(d.Reformatted), "reformatted"}, {d.Unchanged, "unchanged"}} {
		if c.n > 0 {
			words = append(words, countProxies(c.n)+" "+c.what)
		}
	}
	return strings.Join(words, ", ") + "."
}

func countProxies(n int) string {
	if n == 1 {
		return "1 proxy"
	}
	return strconv.Itoa(n) + " proxies"
}

// resourceLines gives a line for each change, and one that counts what stayed the same.
func resourceLines(r emit.ResourceChange, mark func(string) string) []string {
	title := resourceTitle(r)
	if r.Op != emit.Changed {
		return []string{mark(title) + " " + string(r.Op) + places(r.From, r.To, mark)}
	}
	lines := make([]string, 0, len(r.Fields)+1)
	for _, f := range r.Fields {
		where, what := fieldWords(f, mark)
		lines = append(lines, mark(strings.Join(append([]string{title}, where...), " · "))+": "+what+places(f.From, f.To, mark))
	}
	if r.Equal > 0 {
		noun := "values are"
		if r.Equal == 1 {
			noun = "value is"
		}
		lines = append(lines, fmt.Sprintf("… %d other %s the same in %s", r.Equal, noun, mark(title)))
	}
	return lines
}

func resourceTitle(r emit.ResourceChange) string {
	switch {
	case r.Name == "":
		return strings.ReplaceAll(r.Kind, "_", " ")
	case r.Kind == "endpoints":
		return "endpoints of " + r.Name
	}
	return r.Kind + " " + r.Name
}

// places names the YAML of the new side, and of the old one where it is elsewhere.
func places(from, to []emit.Origin, mark func(string) string) string {
	old, now := originWords(from, mark), originWords(to, mark)
	switch {
	case now == "" && old == "":
		return ""
	case now == "":
		return " (was " + old + ")"
	case old == "" || old == now:
		return " (" + now + ")"
	}
	return " (" + now + "; was " + old + ")"
}

func originWords(origins []emit.Origin, mark func(string) string) string {
	var words []string
	seen := map[string]bool{}
	for _, o := range origins {
		if s := o.String(); s != "" && !seen[s] {
			seen[s] = true
			words = append(words, mark(s))
		}
	}
	return listed(words, mostOrigins)
}
