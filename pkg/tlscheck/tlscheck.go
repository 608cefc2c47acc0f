// Package tlscheck tells, for every client of a mesh and every port of a service that it sees, what TLS the client speaks, what the server takes,
// which policies decide over the two, and whether they go together. It does offline what `istioctl authn tls-check` once did for a live mesh.
//
// What a client speaks is read from the clusters that it would be told, what a server takes from the filter chains that its sidecar would be told:
// the package holds no precedence of policies of its own. Files are named for what they look at: client.go, server.go, gateway.go, verdict.go (whether the two
// go together), report.go (the same for many clients at once).
package tlscheck

import (
	"cmp"
	"slices"
	"sync"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Status says whether a client and a server go together.
type Status string

const (
	// OK: the server takes what the client speaks.
	OK Status = "OK"
	// Conflict: it does not; no connection comes about.
	Conflict Status = "CONFLICT"
	// Unknown: the mesh's configuration lets the connection through, and what is at its end (a server outside the mesh, an application that is to
	// speak TLS itself) is not known.
	Unknown Status = "UNKNOWN"
)

// What a client sends.
const (
	Plaintext = "plaintext"
	// AppTLS is the application's own TLS, passed on as it is: the port's protocol says that the application speaks it.
	AppTLS = "application TLS"
	// TLS is TLS without a client certificate, OwnMTLS with one that a DestinationRule names, and MeshMTLS with the workload's own.
	TLS      = "TLS"
	OwnMTLS  = "TLS with own certificate"
	MeshMTLS = "mTLS"
)

// Modes of a client that are no mode of a DestinationRule.
const (
	// Auto: no DestinationRule says anything, and the mesh's mTLS is used where the server has a sidecar.
	Auto = "AUTO"
	// NoProxy: the client has no sidecar.
	NoProxy = "NO SIDECAR"
)

// Modes of a server beside those of a PeerAuthentication.
const (
	// NoSidecar: the workload itself answers.
	NoSidecar = "NO SIDECAR"
	// Outside: the server is none of the mesh.
	Outside = "OUTSIDE"
	// Gateway: a gateway answers, by the servers of its Gateways.
	Gateway = "GATEWAY"
)

// Policy is what decided over a mode: a DestinationRule, a PeerAuthentication, the mesh's settings, an EnvoyFilter.
type Policy struct {
	Resource diag.Resource `json:"resource"`
	// Path is the field that decided.
	Path     string        `json:"path"`
	Location diag.Location `json:"location"`
}

func policyOf(from resource.Source) *Policy {
	from = from.Given()
	if from.Resource == nil {
		return nil
	}
	return &Policy{Resource: from.Resource.Ref(), Path: from.Path, Location: from.Location()}
}

// Client is what a client does when it calls a port of a service.
type Client struct {
	// Mode is what the DestinationRule asks for (DISABLE, SIMPLE, MUTUAL, ISTIO_MUTUAL), Auto or NoProxy.
	Mode string `json:"mode"`
	// Sends is what goes over the wire: Plaintext, AppTLS, TLS, OwnMTLS or MeshMTLS.
	Sends string `json:"sends"`
	// Policy is the one that decided, nil where Istio's defaults did.
	Policy *Policy `json:"policy,omitempty"`
	// Why says why that is sent where the mode alone does not tell.
	Why string `json:"why,omitempty"`
}

// Server is what a workload takes on a port.
type Server struct {
	// Mode is STRICT, PERMISSIVE or DISABLE where a sidecar takes in calls; NoSidecar, Outside or Gateway elsewhere.
	Mode string `json:"mode"`
	// Policy is the one that decided, nil where Istio's default (PERMISSIVE) did.
	Policy *Policy `json:"policy,omitempty"`
	// Why says why the mode is what it is where no policy tells, or what was assumed.
	Why string `json:"why,omitempty"`
}

// Verdict is what one client meets at one port of a service: one for each way in which its endpoints differ.
type Verdict struct {
	// Subset is the DestinationRule's subset that is called; "" for the service as a whole. Subsets that the client calls like the service as a
	// whole have no verdict of their own.
	Subset string `json:"subset,omitempty"`
	Client Client `json:"client"`
	Server Server `json:"server"`
	// Workloads are those behind the port that the verdict is about, NAME.NAMESPACE, in order; none where the input holds none.
	Workloads []string `json:"workloads"`
	Status    Status   `json:"status"`
	// Reason says in words why it is no plain OK, Fix what would mend it.
	Reason string `json:"reason,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// Checker answers for one mesh. It is safe for concurrent use.
type Checker struct {
	mesh     *model.Mesh
	compiler *compile.Compiler
	servers  *servers
	clients  sync.Map // key of compile.UpstreamKey → func() view
}

// New returns a checker for the mesh.
func New(mesh *model.Mesh) *Checker {
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	return &Checker{mesh: mesh, compiler: compiler, servers: newServers(mesh, compiler)}
}

// portKey is a port of a service; the service's namespace is in it since two may have one host.
type portKey struct {
	host, namespace string
	port            uint32
}

// view is what clients that see the same meet, by port.
type view struct {
	order []*target
	ports map[portKey]*target
}

// target is a port of a service, and the verdicts for it.
type target struct {
	service  *model.Service
	port     *model.Port
	verdicts []Verdict
}

// Check tells what the client meets at a port of a service: the verdicts for the service as a whole, one for each way in which endpoints
// differ, then those for subsets that it calls otherwise. None where the client does not see the service. A nil client is one without a
// sidecar, inside or outside of the mesh: it sees every service and sends plaintext. Callers must not change the answer.
func (c *Checker) Check(client *model.Proxy, service *model.Service, port *model.Port) []Verdict {
	t := c.viewOf(client).ports[portKey{service.Hostname, service.Namespace, port.Number}]
	if t == nil {
		return nil
	}
	return t.verdicts
}

// viewOf is what the client meets, worked out once for all clients that see the same.
func (c *Checker) viewOf(client *model.Proxy) *view {
	key := c.viewKey(client)
	load, ok := c.clients.Load(key)
	if !ok {
		load, _ = c.clients.LoadOrStore(key, sync.OnceValue(func() *view {
			if client == nil {
				return c.outsideView()
			}
			return c.proxyView(client)
		}))
	}
	return load.(func() *view)()
}

func (c *Checker) viewKey(client *model.Proxy) string {
	if client == nil {
		return ""
	}
	return c.compiler.UpstreamKey(client)
}

// proxyView holds what a proxy's clusters meet.
func (c *Checker) proxyView(client *model.Proxy) *view {
	v := &view{ports: map[portKey]*target{}}
	for u := range c.compiler.Upstreams(client) {
		t := v.target(u.Service, u.Port)
		found := c.judge(&u)
		if u.Subset != "" && sameClients(t.verdicts, found) {
			continue
		}
		t.verdicts = append(t.verdicts, found...)
	}
	return v
}

// outsideView holds what clients without a sidecar meet: they reach every service by its address.
func (c *Checker) outsideView() *view {
	v := &view{ports: map[portKey]*target{}}
	for _, s := range c.mesh.Services() {
		if s.MeshExternal || s.Resolution == model.Alias {
			continue
		}
		for _, port := range s.Ports {
			if port.Protocol == model.UDP {
				continue
			}
			var found verdicts
			client := speaker{Client: Client{Mode: NoProxy, Sends: sent(nil, port)}, http: port.Protocol.IsHTTP()}
			for _, e := range c.mesh.Endpoints(s, port) {
				if e.Ready {
					found.add(client, c.servers.of(e), e)
				}
			}
			if len(found.all) == 0 {
				found.add(client, c.servers.assumed(s, port), nil)
			}
			t := v.target(s, port)
			t.verdicts = append(t.verdicts, found.sorted()...)
		}
	}
	return v
}

func (v *view) target(service *model.Service, port *model.Port) *target {
	key := portKey{service.Hostname, service.Namespace, port.Number}
	t := v.ports[key]
	if t == nil {
		t = &target{service: service, port: port}
		v.ports[key] = t
		v.order = append(v.order, t)
	}
	return t
}

// judge looks at every endpoint of a cluster.
func (c *Checker) judge(u *compile.Upstream) []Verdict {
	client := newClientSide(c.mesh, u)
	found := verdicts{subset: u.Subset}
	switch {
	case u.Service.MeshExternal:
		found.add(client.speaks(nil), server{Server: Server{Mode: Outside, Why: "the service is outside the mesh"}}, nil)
	case len(u.Endpoints) == 0 && u.Subset != "" && len(c.mesh.Endpoints(u.Service, u.Port)) > 0:
		// Nothing is behind the subset, and nobody to disagree with.
	case len(u.Endpoints) == 0:
		s := c.servers.assumed(u.Service, u.Port)
		found.add(client.speaksTo(s), s, nil)
	}
	if !u.Service.MeshExternal {
		for i := range u.Endpoints {
			found.add(client.speaks(&u.Endpoints[i]), c.servers.of(u.Endpoints[i].Endpoint), u.Endpoints[i].Endpoint)
		}
	}
	return found.sorted()
}

// sameClients tells whether a subset is called as the service as a whole is: then its endpoints have their verdicts already.
func sameClients(whole, subset []Verdict) bool {
	for i := range subset {
		if !slices.ContainsFunc(whole, func(v Verdict) bool {
			return v.Subset == "" && samePolicy(v.Client.Policy, subset[i].Client.Policy) && v.Client.Mode == subset[i].Client.Mode &&
				v.Client.Sends == subset[i].Client.Sends && v.Server.Mode == subset[i].Server.Mode && v.Status == subset[i].Status
		}) {
			return false
		}
	}
	return true
}

func samePolicy(a, b *Policy) bool { return a == b || a != nil && b != nil && *a == *b }

// verdicts collects verdicts, one for each way in which endpoints differ.
type verdicts struct {
	subset string
	all    []Verdict
}

// add judges an endpoint; nil stands for those that are not known.
func (v *verdicts) add(client speaker, s server, e *model.Endpoint) {
	one := Verdict{Subset: v.subset, Client: client.Client, Server: s.Server, Workloads: []string{}}
	one.Status, one.Reason, one.Fix = decide(client, s, e)
	i := slices.IndexFunc(v.all, func(o Verdict) bool { return o.alike(&one) })
	if i < 0 {
		i = len(v.all)
		v.all = append(v.all, one)
	}
	if e != nil {
		v.all[i].Workloads = append(v.all[i].Workloads, workloadName(e))
	}
}

// sorted puts conflicts first, then orders by workloads.
func (v *verdicts) sorted() []Verdict {
	for i := range v.all {
		slices.Sort(v.all[i].Workloads)
		v.all[i].Workloads = slices.Compact(v.all[i].Workloads)
	}
	slices.SortStableFunc(v.all, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Status.rank(), b.Status.rank()), slices.Compare(a.Workloads, b.Workloads))
	})
	return v.all
}

func (s Status) rank() int {
	return slices.Index([]Status{Conflict, Unknown, OK}, s)
}

func workloadName(e *model.Endpoint) string {
	if e.WorkloadName == "" {
		return e.Address
	}
	return e.WorkloadName + "." + e.Namespace
}
