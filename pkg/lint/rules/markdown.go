package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown is the rule's page: what it reports, why that matters, how to mend it, and both examples.
func (r *Rule) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", r.Name, r.Title)
	fmt.Fprintf(&b, "| severity | kinds | also known as |\n|---|---|---|\n| %s | %s | %s |\n\n", r.Severity, strings.Join(r.Kinds, ", "), orNone(r.Aliases))
	for _, part := range []struct{ title, text string }{
		{"What is reported", r.Description}, {"Why it matters", r.Why}, {"How to mend it", r.Fix},
	} {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", part.title, strings.TrimSpace(part.text))
	}
	if len(r.Needs) > 0 {
		fmt.Fprintf(&b, "The rule decides by %s. Where the input has none, it is %s.\n\n", needs(r.Needs), r.unmetWords())
	}
	if r.Stage == "compile" {
		b.WriteString("`meshc compile` reports it, since it takes the compiled configuration of all proxies to know.\n\n")
	}
	if r.Bad != "" {
		fmt.Fprintf(&b, "## Example\n\nReported:\n\n```yaml\n%s```\n\n", r.Bad)
	}
	if r.Good != "" {
		fmt.Fprintf(&b, "Mended:\n\n```yaml\n%s```\n\n", r.Good)
	}
	if len(r.Links) > 0 {
		b.WriteString("## See also\n\n")
		for _, l := range r.Links {
			fmt.Fprintf(&b, "- <%s>\n", l)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func orNone(aliases []string) string {
	if len(aliases) == 0 {
		return "–"
	}
	return strings.Join(aliases, ", ")
}

func needs(all []string) string {
	list := slices.Clone(all)
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], "|", " or ")
	}
	return strings.Join(list, ", and by ")
}

func (r *Rule) unmetWords() string {
	if r.Unmet == "" {
		return "reported as unchecked"
	}
	return fmt.Sprintf("of severity %s at most", r.Unmet)
}
