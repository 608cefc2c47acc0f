package tlscheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/model"
)

// Query narrows a report. The zero value asks for every proxy as a client, and every service.
type Query struct {
	// From are the clients: a proxy or workload NAME.NAMESPACE, a namespace (its proxies), or OutsideMesh. None: every proxy.
	From []string
	// To are the services: a host, NAME.NAMESPACE, or a namespace. None: every service that a client sees.
	To []string
	// ConflictsOnly leaves out the rows of any other status; they are counted all the same.
	ConflictsOnly bool
}

// OutsideMesh stands for clients without a sidecar that are no workload of the input.
const OutsideMesh = "outside"

// Report is what clients meet, put together for all that meet the same.
type Report struct {
	// Rows are ordered by host, port, subset, status and clients.
	Rows []Row `json:"rows"`
	// Clients are the sets of clients that rows name.
	Clients []ClientSet `json:"clients"`
	Summary Summary     `json:"summary"`
}

// Row is one verdict and the clients that it is for.
type Row struct {
	Host      string `json:"host"`
	Namespace string `json:"namespace"`
	Port      uint32 `json:"port"`
	PortName  string `json:"portName,omitempty"`
	Protocol  string `json:"protocol"`
	// Clients is the name of a ClientSet.
	Clients string `json:"clients"`
	Verdict
}

// ClientSet are clients that meet the same somewhere.
type ClientSet struct {
	// Name says who they are as briefly as it can: all, all in shop, all but web.shop, or a list.
	Name string `json:"name"`
	// Clients are NAME.NAMESPACE, in the order of the proxies.
	Clients []string `json:"clients"`
}

// Summary counts.
type Summary struct {
	Clients  int `json:"clients"`
	Services int `json:"services"`
	// Ports counts those of services; OK, Conflicts and Unknown count rows.
	Ports     int `json:"ports"`
	OK        int `json:"ok"`
	Conflicts int `json:"conflicts"`
	Unknown   int `json:"unknown"`
	// WithoutSidecar counts the workloads that were not among the clients for having no sidecar.
	WithoutSidecar int `json:"withoutSidecar"`
}

// QueryError tells that a query names something that is not there.
type QueryError struct {
	// What is the name, and Hint what could have been meant.
	What, Hint string
}

func (e *QueryError) Error() string { return e.What + e.Hint }

// client is one that a report is about; proxy is nil for one without a sidecar.
type client struct {
	name  string
	proxy *model.Proxy
}

// Report answers a query. The error is a *QueryError where a name of the query means nothing.
func (c *Checker) Report(q Query) (*Report, error) {
	clients, err := c.clientsOf(q.From)
	if err != nil {
		return nil, err
	}
	wanted, err := c.servicesOf(q.To)
	if err != nil {
		return nil, err
	}
	rows := c.rows(clients, wanted)
	out := &Report{Rows: []Row{}, Clients: []ClientSet{}}
	out.Summary = summarize(rows)
	out.Summary.Clients = len(clients)
	if len(q.From) == 0 {
		for _, w := range c.mesh.Workloads() {
			if !w.Injected && !w.Gateway {
				out.Summary.WithoutSidecar++
			}
		}
	}
	names := newSetNames(clients)
	for _, r := range rows {
		if q.ConflictsOnly && r.Status != Conflict {
			continue
		}
		r.Row.Clients = names.of(r.clients)
		out.Rows = append(out.Rows, r.Row)
	}
	slices.SortStableFunc(out.Rows, func(a, b Row) int {
		return cmp.Or(
			cmp.Compare(a.Host, b.Host), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Subset, b.Subset),
			cmp.Compare(a.Status.rank(), b.Status.rank()), cmp.Compare(a.Clients, b.Clients), slices.Compare(a.Workloads, b.Workloads),
		)
	})
	out.Clients = names.sets
	return out, nil
}

func summarize(rows []*groupedRow) Summary {
	var s Summary
	services, ports := map[portKey]bool{}, map[portKey]bool{}
	for _, r := range rows {
		services[portKey{r.Host, r.Namespace, 0}] = true
		ports[portKey{r.Host, r.Namespace, r.Port}] = true
		switch r.Status {
		case OK:
			s.OK++
		case Conflict:
			s.Conflicts++
		default:
			s.Unknown++
		}
	}
	s.Services, s.Ports = len(services), len(ports)
	return s
}

// groupedRow is a row and the indexes of its clients.
type groupedRow struct {
	Row
	clients []int
}

// rows puts together, port by port, the clients that meet the same.
func (c *Checker) rows(clients []client, wanted func(*model.Service) bool) []*groupedRow {
	alike := map[string][]int{}
	var order []string
	for i, one := range clients {
		key := c.viewKey(one.proxy)
		if alike[key] == nil {
			order = append(order, key)
		}
		alike[key] = append(alike[key], i)
	}
	var rows []*groupedRow
	byPort := map[portKey][]*groupedRow{}
	for _, key := range order {
		for _, t := range c.viewOf(clients[alike[key][0]].proxy).order {
			if !wanted(t.service) {
				continue
			}
			at := portKey{t.service.Hostname, t.service.Namespace, t.port.Number}
			for i := range t.verdicts {
				v := &t.verdicts[i]
				r := slices.IndexFunc(byPort[at], func(r *groupedRow) bool { return r.Verdict.equal(v) })
				if r < 0 {
					r = len(byPort[at])
					row := &groupedRow{Row: Row{
						Host: t.service.Hostname, Namespace: t.service.Namespace, Port: t.port.Number, PortName: t.port.Name,
						Protocol: string(t.port.Protocol), Verdict: *v,
					}}
					byPort[at] = append(byPort[at], row)
					rows = append(rows, row)
				}
				byPort[at][r].clients = append(byPort[at][r].clients, alike[key]...)
			}
		}
	}
	return rows
}

func (v *Verdict) equal(o *Verdict) bool {
	return v.Subset == o.Subset && v.alike(o) && slices.Equal(v.Workloads, o.Workloads)
}

// alike tells whether two verdicts differ in nothing but the workloads that they are about.
func (v *Verdict) alike(o *Verdict) bool {
	return v.Client.Mode == o.Client.Mode && v.Client.Sends == o.Client.Sends && v.Client.Why == o.Client.Why &&
		samePolicy(v.Client.Policy, o.Client.Policy) && v.Server.Mode == o.Server.Mode && v.Server.Why == o.Server.Why &&
		samePolicy(v.Server.Policy, o.Server.Policy) && v.Status == o.Status && v.Reason == o.Reason && v.Fix == o.Fix
}

func (c *Checker) clientsOf(from []string) ([]client, error) {
	var out []client
	if len(from) == 0 {
		for _, p := range c.mesh.Proxies() {
			out = append(out, client{p.ID(), p})
		}
		return out, nil
	}
	seen := map[string]bool{}
	for _, name := range from {
		found := c.clientsNamed(name)
		if len(found) == 0 {
			return nil, &QueryError{fmt.Sprintf("no workload and no namespace %q in the input", name),
				"; name NAME.NAMESPACE ('meshc proxies' lists those with a proxy), a namespace, or " + OutsideMesh}
		}
		for _, one := range found {
			if !seen[one.name] {
				seen[one.name] = true
				out = append(out, one)
			}
		}
	}
	return out, nil
}

// clientsNamed are those that a name of a query means: a proxy, a workload (by its proxy where it has one), the proxies of a namespace or
// else its workloads.
func (c *Checker) clientsNamed(name string) []client {
	if name == OutsideMesh {
		return []client{{name: OutsideMesh}}
	}
	var inNamespace, bare []client
	for _, p := range c.mesh.Proxies() {
		switch name {
		case p.ID():
			return []client{{p.ID(), p}}
		case p.Namespace:
			inNamespace = append(inNamespace, client{p.ID(), p})
		}
	}
	for _, w := range c.mesh.Workloads() {
		id := w.Name + "." + w.Namespace
		switch name {
		case id:
			return []client{{id, c.servers.proxyOf(w)}}
		case w.Namespace:
			if c.servers.proxyOf(w) == nil {
				bare = append(bare, client{name: id})
			}
		}
	}
	return append(inNamespace, bare...)
}

// servicesOf returns what tells whether a service is one that the names mean.
func (c *Checker) servicesOf(to []string) (func(*model.Service) bool, error) {
	if len(to) == 0 {
		return func(*model.Service) bool { return true }, nil
	}
	means := func(s *model.Service, name string) bool {
		return name == s.Hostname || name == s.Namespace || s.Kubernetes &&
			(name == s.Name+"."+s.Namespace || name == s.Name+"."+s.Namespace+".svc")
	}
	for _, name := range to {
		if !slices.ContainsFunc(c.mesh.Services(), func(s *model.Service) bool { return means(s, name) }) {
			return nil, &QueryError{fmt.Sprintf("no service %q in the input", name), "; name a host, NAME.NAMESPACE, or a namespace"}
		}
	}
	return func(s *model.Service) bool {
		return slices.ContainsFunc(to, func(name string) bool { return means(s, name) })
	}, nil
}

// fewClients is how many clients a name of a set lists.
const fewClients = 3

// setNames gives sets of clients names that say who they are.
type setNames struct {
	clients     []client
	inNamespace map[string]int
	known       map[string]string // indexes → name
	taken       map[string]int
	sets        []ClientSet
}

func newSetNames(clients []client) *setNames {
	n := &setNames{clients: clients, inNamespace: map[string]int{}, known: map[string]string{}, taken: map[string]int{}, sets: []ClientSet{}}
	for _, c := range clients {
		n.inNamespace[c.namespace()]++
	}
	return n
}

func (c client) namespace() string {
	if c.proxy != nil {
		return c.proxy.Namespace
	}
	_, namespace, _ := strings.Cut(c.name, ".")
	return namespace
}

// of returns the name of a set, given by indexes of clients.
func (n *setNames) of(set []int) string {
	slices.Sort(set)
	var key strings.Builder
	members := make([]string, len(set))
	for i, at := range set {
		members[i] = n.clients[at].name
		fmt.Fprintf(&key, "%d ", at)
	}
	if name, ok := n.known[key.String()]; ok {
		return name
	}
	name := n.describe(set, members)
	n.taken[name]++
	if again := n.taken[name]; again > 1 {
		name = fmt.Sprintf("%s (%d)", name, again)
	}
	n.known[key.String()] = name
	n.sets = append(n.sets, ClientSet{Name: name, Clients: members})
	return name
}

func (n *setNames) describe(set []int, members []string) string {
	if len(set) == 1 {
		return members[0]
	}
	if len(set) == len(n.clients) {
		return "all"
	}
	in := make([]bool, len(n.clients))
	for _, at := range set {
		in[at] = true
	}
	if kind := n.wholeKind(in, len(set)); kind != "" {
		return kind
	}
	inside, outside := n.wholeNamespaces(in, true), n.wholeNamespaces(in, false)
	switch {
	case len(inside) > 0 && len(inside) <= min(fewClients, len(outside)):
		return "all in " + strings.Join(inside, ", ")
	case len(outside) > 0 && len(outside) <= fewClients:
		return "all but those in " + strings.Join(outside, ", ")
	}
	if left := len(n.clients) - len(set); left <= fewClients && left < len(set) {
		var others []string
		for i, c := range n.clients {
			if !in[i] {
				others = append(others, c.name)
			}
		}
		return "all but " + strings.Join(others, ", ")
	}
	if len(members) <= fewClients {
		return strings.Join(members, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(members[:fewClients-1], ", "), len(members)-fewClients+1)
}

// wholeKind says that a set holds all sidecars or all gateways and nothing else, "" where it does not.
func (n *setNames) wholeKind(in []bool, size int) string {
	count, inside := map[model.ProxyType]int{}, map[model.ProxyType]int{}
	for i, c := range n.clients {
		if c.proxy == nil {
			continue
		}
		count[c.proxy.Type]++
		if in[i] {
			inside[c.proxy.Type]++
		}
	}
	switch size {
	case inside[model.Sidecar]:
		if size == count[model.Sidecar] {
			return "all sidecars"
		}
	case inside[model.Router]:
		if size == count[model.Router] {
			return "all gateways"
		}
	}
	return ""
}

// wholeNamespaces are the namespaces of the clients that are in a set, or of those that are not; nil unless each is so with all its clients.
func (n *setNames) wholeNamespaces(in []bool, inside bool) []string {
	found := map[string]int{}
	for i, c := range n.clients {
		if in[i] == inside {
			found[c.namespace()]++
		}
	}
	var names []string
	for name, count := range found {
		if count != n.inNamespace[name] {
			return nil
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
