package reach_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/reach"
	"github.com/meshc/meshc/pkg/simulate"
)

// TestConditionsDecideAsSimulated: on calls that are made from the conditions, and nearly from them, what reach says of a caller and a port is
// what the simulator says of the call.
func TestConditionsDecideAsSimulated(t *testing.T) {
	total := tally{}
	size := meshgen.Small
	size.Policies, size.Access = 4, 6
	for seed := range uint64(60) {
		tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(seed, size).Text()}}
		mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("seed %d", seed), mesh, seed, total)
	}
	worlds, err := filepath.Glob("../../testdata/worlds/t-*")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../examples/*")
	if err != nil {
		t.Fatal(err)
	}
	for i, dir := range append(worlds, examples...) {
		compare(t, filepath.Base(dir), load(t, dir), uint64(i), total)
	}
	t.Logf("%v", total)
	for _, kind := range []string{"let in on conditions", "kept out on conditions", "allowed", "denied"} {
		if total[kind] < 100 {
			t.Errorf("only %d calls are %s: the worlds show too little", total[kind], kind)
		}
	}
}

// load reads a world: a folder of the suite's form, or an example.
func load(t *testing.T, dir string) *model.Mesh {
	t.Helper()
	opts, input := model.Options{Exclude: []string{"**/goldens"}}, dir
	if _, err := os.Stat(filepath.Join(dir, "input")); err == nil {
		input, opts.ProxiesFile = filepath.Join(dir, "input"), filepath.Join(dir, "proxies.json")
	}
	if settings := filepath.Join(dir, "mesh.yaml"); input != dir {
		if _, err := os.Stat(settings); err == nil {
			opts.MeshConfigFile = settings
		}
	}
	mesh, err := model.Load(t.Context(), opts, input)
	if err != nil {
		t.Fatal(err)
	}
	return mesh
}

// tally counts calls by how they ended.
type tally map[string]int

// compare makes calls for every row of the matrix.
func compare(t *testing.T, world string, mesh *model.Mesh, seed uint64, total tally) {
	t.Helper()
	m, err := reach.Of(t.Context(), mesh, reach.Options{Undeclared: true})
	if err != nil {
		t.Fatal(err)
	}
	draw := newDrawing(m, seed)
	simulators := map[string]*simulate.Simulator{}
	proxies := map[string]*model.Proxy{}
	compiler := compile.New(mesh, compile.Options{Target: compile.IstioProxy})
	for _, p := range mesh.Proxies() {
		proxies[p.ID()] = p
		simulators[p.ID()] = simulate.New(compiler.Compile(p), simulate.Options{Mesh: mesh})
	}
	for i := range m.Rows {
		row := &m.Rows[i]
		if row.Verdict == reach.Denied && slices.ContainsFunc(row.Clients, func(c reach.ClientTLS) bool { return c.Conflict != "" }) {
			continue // the client's fault, which no call to the server shows
		}
		for range 6 {
			caller := pick(draw, callersOf(m, row))
			d := pick(draw, destinationsOf(m, row))
			call, identity := draw.call(caller, d, row.Transport, proxies[d.Workload].IP)
			got := see(&call, identity, proxies[d.Workload].IP).passes(row.Answer)
			out := simulators[d.Workload].Call(call)
			if want := letIn(out); got != want {
				text, _ := json.Marshal(call)
				answer, _ := json.MarshalIndent(row.Answer, "", "  ")
				t.Errorf("%s: %s to %s: reach says %v, the simulator %+v\n%s\n%s", world, caller.Name(), d.Name(), got, out, text, answer)
				return
			}
			total.count(row.Verdict, got)
		}
	}
}

// letIn tells whether no policy and no TLS kept the call out.
func letIn(o simulate.Outcome) bool {
	switch o.Error {
	case simulate.Denied, simulate.MTLSError, simulate.TLSError, simulate.NoFilterChain:
		return false
	}
	return true
}

func (t tally) count(v reach.Verdict, in bool) {
	switch {
	case v == reach.Conditional && in:
		t["let in on conditions"]++
	case v == reach.Conditional:
		t["kept out on conditions"]++
	default:
		t[string(v)]++
	}
}

func callersOf(m *reach.Matrix, row *reach.Row) []*reach.Caller {
	i := slices.IndexFunc(m.Callers, func(g reach.CallerGroup) bool { return g.Callers[0].Name() == row.From[0] })
	return m.Callers[i].Callers
}

func destinationsOf(m *reach.Matrix, row *reach.Row) []*reach.Destination {
	i := slices.IndexFunc(m.Destinations, func(g reach.DestinationGroup) bool { return g.Destinations[0].Name() == row.To[0] })
	return m.Destinations[i].Destinations
}

// drawing draws calls: properties come from the conditions of the matrix, as they are and changed a little.
type drawing struct {
	*rand.Rand
	m      *reach.Matrix
	values map[reach.Field][]string
	// names are those of headers, and of claims.
	headers, claims []string
}

func newDrawing(m *reach.Matrix, seed uint64) *drawing {
	d := &drawing{Rand: rand.New(rand.NewPCG(seed, 7)), m: m, values: map[reach.Field][]string{
		reach.Method: {"GET", "POST", "DELETE"}, reach.Path: {"/", "/api/x", "/v1/a/items", "/admin"}, reach.Host: {"shop.example.com", "other"},
		reach.SourceIP: {"10.1.2.3", "10.2.3.4", "192.0.2.1", "203.0.113.9"}, reach.Header: {"a", "b", "zz"}, reach.Claim: {"admin", "users"},
		reach.Principal: {"cluster.local/ns/elsewhere/sa/someone"}, reach.ServerName: {"shop.example.com", "outbound_.80_._.a.b.svc.cluster.local"},
		reach.Port: {"9999", "8080", "1"},
	}}
	for i := range m.Rows {
		for _, step := range m.Rows[i].Steps {
			for _, r := range step.Rules {
				d.learn(r.When)
			}
		}
	}
	return d
}

func (d *drawing) learn(c *reach.Condition) {
	if c == nil {
		return
	}
	for _, each := range append(append([]*reach.Condition{c.Not}, c.All...), c.Any...) {
		d.learn(each)
	}
	if c.Test == nil {
		return
	}
	field := c.Test.Field
	switch field {
	case reach.Header:
		d.headers = append(d.headers, c.Test.Name)
	case reach.Claim, reach.ClaimElement, reach.ClaimOrElement:
		field = reach.Claim
		d.claims = append(d.claims, c.Test.Name)
	case reach.ClientIP:
		field = reach.SourceIP
	}
	for _, v := range c.Test.Values {
		var text string
		switch v.Match {
		case reach.Exact:
			text = v.Value
		case reach.Prefix:
			text = v.Value + "more"
		case reach.Suffix:
			text = "more" + v.Value
			if field == reach.Path {
				text = "/more" + v.Value
			}
		case reach.Template:
			text = strings.NewReplacer("**", "any/rest", "*", "one").Replace(v.Value)
		case reach.Block:
			text, _, _ = strings.Cut(v.Value, "/")
		case reach.Regex:
			text = strings.NewReplacer(".*/ns/", "cluster.local/ns/", "/.*", "/sa/any", ".*", "x", "[^/]+", "x", ".+", "x", `\`, "").Replace(v.Value)
		default:
			continue
		}
		d.values[field] = append(d.values[field], strings.TrimPrefix(text, "spiffe://"))
	}
}

func pick[T any](d *drawing, list []T) T { return list[d.IntN(len(list))] }

func (d *drawing) value(field reach.Field) string {
	v := pick(d, d.values[field])
	if d.IntN(8) == 0 && field != reach.SourceIP && field != reach.Method && field != reach.Port {
		return v + "x"
	}
	return v
}

// call makes a call from the caller to the port, and the identity in its certificate.
func (d *drawing) call(caller *reach.Caller, to *reach.Destination, transport reach.Transport, ip string) (simulate.Call, string) {
	c := simulate.Call{
		Mode: simulate.Inbound, Address: ip, Port: to.Port, Protocol: to.Protocol, TLS: string(transport), SNI: d.value(reach.ServerName),
		Host: d.value(reach.Host), Path: d.value(reach.Path), Method: d.value(reach.Method), SourceIP: d.value(reach.SourceIP),
		Headers: map[string]string{},
	}
	if to.Address != "" {
		c.Mode, c.Address = simulate.Gateway, to.Address
	}
	if to.Gateway {
		c.Mode = simulate.Gateway
		if len(to.ServerNames) > 0 {
			c.SNI = strings.Replace(pick(d, to.ServerNames), "*", "any", 1)
		} else {
			c.SNI = "no.chain.names.it"
		}
	}
	for c.Port == 0 {
		number := d.value(reach.Port)
		if !d.declared(to.Workload, number) {
			fmt.Sscan(number, &c.Port)
		}
	}
	for _, name := range d.headers {
		if d.IntN(2) == 0 && !strings.HasPrefix(name, ":") {
			c.Headers[name] = d.value(reach.Header)
		}
	}
	if to.Protocol == simulate.HTTP && d.IntN(3) > 0 {
		c.Claims = d.token()
	}
	if transport != reach.MTLS {
		return c, ""
	}
	switch caller.Kind {
	case reach.Workload:
		c.Source = caller.Principal
	case reach.OtherTrustDomain:
		c.Source = "example.org/ns/shop/sa/cart"
	default:
		c.Source = d.identity()
	}
	return c, "spiffe://" + c.Source
}

// identity is one of the mesh that no workload has.
func (d *drawing) identity() string {
	for {
		principal := d.value(reach.Principal)
		if !slices.ContainsFunc(d.m.Callers, func(g reach.CallerGroup) bool {
			return slices.ContainsFunc(g.Callers, func(c *reach.Caller) bool { return c.Principal == principal })
		}) && strings.HasPrefix(principal, d.m.TrustDomain+"/") {
			return principal
		}
		if d.IntN(4) == 0 {
			return d.m.TrustDomain + "/ns/elsewhere/sa/someone"
		}
	}
}

func (d *drawing) declared(workload, port string) bool {
	return slices.ContainsFunc(d.m.Destinations, func(g reach.DestinationGroup) bool {
		return slices.ContainsFunc(g.Destinations, func(to *reach.Destination) bool {
			return to.Workload == workload && fmt.Sprint(to.Port) == port
		})
	})
}

func (d *drawing) token() map[string]any {
	claims := map[string]any{"iss": "https://issuer.example.com", "sub": "someone", "aud": []any{"shop"}}
	if d.IntN(3) == 0 {
		claims["iss"] = "ops@example.com"
	}
	if d.IntN(5) == 0 {
		claims["aud"] = "nobody"
	}
	for _, name := range d.claims {
		if name == "iss" && d.IntN(3) > 0 || strings.Contains(name, ".") || d.IntN(4) == 0 {
			continue
		}
		if v := d.value(reach.Claim); d.IntN(2) == 0 || name == "iss" || name == "sub" {
			claims[name] = v
		} else {
			claims[name] = []any{"other", v}
		}
	}
	return claims
}
