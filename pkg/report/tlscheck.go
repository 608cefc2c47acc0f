package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/pkg/tlscheck"
)

// tlsColumns are the headings of the table of a TLS check.
var tlsColumns = [...]string{"STATUS", "SERVICE", "CLIENTS", "CLIENT", "SERVER", "DESTINATION RULE", "PEER AUTHENTICATION"}

// TLSCheckText prints what clients and servers speak for people: a line for each way in which a port is met, then the conflicts by what causes
// them and what would mend them, then counts.
func TLSCheckText(w io.Writer, r *tlscheck.Report, opts Options) error {
	out := bufio.NewWriter(w)
	p := palette{on: opts.Color}
	table(out, p, r.Rows)
	for _, alike := range tlsConflicts(r.Rows) {
		tlsConflict(out, p, alike)
	}
	if len(r.Rows) > 0 {
		fmt.Fprintln(out)
	}
	for _, line := range tlsSummary(r.Summary) {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// table prints the rows in columns as wide as what they hold.
func table(out *bufio.Writer, p palette, rows []tlscheck.Row) {
	if len(rows) == 0 {
		return
	}
	lines := [][len(tlsColumns)]string{tlsColumns}
	for i := range rows {
		lines = append(lines, tlsCells(rows, i))
	}
	var width [len(tlsColumns)]int
	for _, line := range lines {
		for i, text := range line {
			width[i] = max(width[i], utf8.RuneCountInString(text))
		}
	}
	for at, line := range lines {
		for i, text := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(text)+2)
			if i == len(line)-1 {
				pad = ""
			}
			switch {
			case at == 0:
				text = p.bold(text)
			case i == 0:
				text = p.status(rows[at-1].Status)
			}
			out.WriteString(text + pad)
		}
		out.WriteByte('\n')
	}
}

func (p palette) status(s tlscheck.Status) string {
	switch s {
	case tlscheck.Conflict:
		return p.paint("1;31", string(s))
	case tlscheck.OK:
		return p.paint("32", string(s))
	}
	return p.paint("33", string(s))
}

func tlsCells(rows []tlscheck.Row, i int) [len(tlsColumns)]string {
	row := &rows[i]
	server := row.Server.Mode
	if sharesPort(rows, i) && len(row.Workloads) > 0 {
		server += " (" + few(row.Workloads) + ")"
	}
	client, authentication := tlsPolicy(row.Client.Policy, "DestinationRule"), tlsPolicy(row.Server.Policy, "PeerAuthentication")
	cells := [len(tlsColumns)]string{
		string(row.Status), serviceName(row), row.Clients, clientMode(row.Client), server, client, authentication,
	}
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	return cells
}

// sharesPort tells whether a neighbour of the row is about other workloads behind the same port.
func sharesPort(rows []tlscheck.Row, i int) bool {
	same := func(j int) bool {
		return j >= 0 && j < len(rows) && rows[j].Host == rows[i].Host && rows[j].Namespace == rows[i].Namespace && rows[j].Port == rows[i].Port &&
			rows[j].Server != rows[i].Server
	}
	return same(i-1) || same(i+1)
}

func serviceName(row *tlscheck.Row) string {
	name := fmt.Sprintf("%s:%d", row.Host, row.Port)
	if row.Subset != "" {
		name += " subset " + row.Subset
	}
	return name
}

// clientMode says what is asked for, and what is sent where that does not follow from it.
func clientMode(c tlscheck.Client) string {
	if c.Mode == tlscheck.Auto || c.Mode == tlscheck.NoProxy || c.Sends == tlscheck.AppTLS || c.Sends == tlscheck.Plaintext && c.Mode != "DISABLE" {
		return c.Mode + ": " + c.Sends
	}
	return c.Mode
}

// tlsPolicy names a policy and its line; its kind only where it is not the usual one.
func tlsPolicy(p *tlscheck.Policy, usual string) string {
	if p == nil {
		return "-"
	}
	name := p.Resource.Name
	if p.Resource.Namespace != "" {
		name = p.Resource.Namespace + "/" + name
	}
	if p.Resource.Kind != usual {
		name = p.Resource.Kind + " " + name
	}
	if p.Location.IsZero() {
		return name
	}
	return fmt.Sprintf("%s %s:%d", name, p.Location.File, p.Location.Line)
}

func few(names []string) string {
	const most = 2
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// tlsConflicts puts together the conflicts of which all the same can be said.
func tlsConflicts(rows []tlscheck.Row) [][]*tlscheck.Row {
	var groups [][]*tlscheck.Row
	at := map[[5]string]int{}
	for i := range rows {
		row := &rows[i]
		if row.Status != tlscheck.Conflict {
			continue
		}
		key := [...]string{row.Clients, tlsClient(row), tlsServer(row), row.Reason, row.Fix}
		if _, ok := at[key]; !ok {
			at[key] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[key]] = append(groups[at[key]], row)
	}
	return groups
}

func tlsClient(row *tlscheck.Row) string {
	return clientMode(row.Client) + whoDecides(row.Client.Policy, row.Client.Why)
}

func tlsServer(row *tlscheck.Row) string {
	return row.Server.Mode + whoDecides(row.Server.Policy, row.Server.Why)
}

func tlsConflict(out *bufio.Writer, p palette, alike []*tlscheck.Row) {
	row := alike[0]
	var services, workloads []string
	for _, r := range alike {
		services = append(services, serviceName(r))
		workloads = append(workloads, r.Workloads...)
	}
	slices.Sort(workloads)
	workloads = slices.Compact(workloads)
	fmt.Fprintf(out, "\n%s %s from %s\n", p.status(row.Status), p.bold(printable(few(services))), printable(row.Clients))
	line := func(label, text string) {
		fmt.Fprintf(out, "  %s %s\n", p.note(fmt.Sprintf("%-7s", label)), printable(text))
	}
	line("client", tlsClient(row))
	server := tlsServer(row)
	if len(workloads) > 0 {
		server += "; behind it " + few(workloads)
	}
	line("server", server)
	line("why", row.Reason)
	if row.Fix != "" {
		line("fix", row.Fix)
	}
}

func whoDecides(p *tlscheck.Policy, why string) string {
	text := ""
	if p != nil {
		text = ", by " + tlsPolicy(p, "") + " " + p.Path
	}
	if why != "" {
		text += " (" + why + ")"
	}
	return text
}

func tlsSummary(s tlscheck.Summary) []string {
	lines := []string{fmt.Sprintf("%s, %s, %s: %d OK, %s, %d unknown.",
		count(s.Clients, "client"), count(s.Services, "service"), count(s.Ports, "port"), s.OK, count(s.Conflicts, "conflict"), s.Unknown)}
	switch {
	case s.WithoutSidecar == 1:
		lines = append(lines, "1 workload has no sidecar and is not among the clients: --from "+tlscheck.OutsideMesh+" shows what it meets.")
	case s.WithoutSidecar > 1:
		lines = append(lines, fmt.Sprintf("%d workloads have no sidecar and are not among the clients: --from %s shows what they meet.",
			s.WithoutSidecar, tlscheck.OutsideMesh))
	}
	return lines
}

// TLSCheckJSON prints the report as it is.
func TLSCheckJSON(w io.Writer, r *tlscheck.Report, _ Options) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// TLSCheckMarkdown prints tables for job summaries and comments: the conflicts with what would mend them, then the other rows, at most 200 in
// all.
func TLSCheckMarkdown(w io.Writer, r *tlscheck.Report, _ Options) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### TLS between clients and servers\n\n%s\n", cell(strings.Join(tlsSummary(r.Summary), " ")))
	var conflicts, rest []int
	for i, row := range r.Rows {
		if row.Status == tlscheck.Conflict {
			conflicts = append(conflicts, i)
		} else {
			rest = append(rest, i)
		}
	}
	shown := conflicts[:min(len(conflicts), mostRows)]
	if len(shown) > 0 {
		fmt.Fprint(out, "\n| Conflict | Clients | Client | Server | Why | Fix |\n| --- | --- | --- | --- | --- | --- |\n")
	}
	for _, i := range shown {
		row := &r.Rows[i]
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", codeSpan(serviceName(row)), cell(row.Clients),
			cell(clientMode(row.Client)+whoDecides(row.Client.Policy, "")), cell(row.Server.Mode+whoDecides(row.Server.Policy, "")), cell(row.Reason), cell(row.Fix))
	}
	others := rest[:min(len(rest), mostRows-len(shown))]
	if len(others) > 0 {
		fmt.Fprint(out, "\n| | Service | Clients | Client | Server | DestinationRule | PeerAuthentication |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	}
	for _, i := range others {
		c := tlsCells(r.Rows, i)
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s |\n", c[0], codeSpan(c[1]), cell(c[2]), cell(c[3]), cell(c[4]), cell(c[5]), cell(c[6]))
	}
	if left := len(r.Rows) - len(shown) - len(others); left > 0 {
		fmt.Fprintf(out, "\n%d of %d rows shown.\n", len(r.Rows)-left, len(r.Rows))
	}
	return out.Flush()
}
