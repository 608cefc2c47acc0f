package tlscheck_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/tlscheck"
)

// app is a workload with a sidecar and its service.
func app(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec: {template: {metadata: {labels: {app: %[2]s}}, spec: {containers: [{name: %[2]s}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: %[1]s}
spec: {selector: {app: %[2]s}, ports: [{name: http, port: 80}]}
---
`, namespace, name)
}

// sees is a Sidecar that lets the namespace's workloads (or one app) see hosts alone.
func sees(namespace, app string, hosts ...string) string {
	selector := ""
	if app != "" {
		selector = "workloadSelector: {labels: {app: " + app + "}}, "
	}
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: sees-%[2]s, namespace: %[1]s}
spec: {%[3]segress: [{hosts: ["%[4]s"]}]}
---
`, namespace, app+"x", selector, strings.Join(hosts, `", "`))
}

func report(t *testing.T, mesh *model.Mesh, q tlscheck.Query) *tlscheck.Report {
	t.Helper()
	r, err := tlscheck.New(mesh).Report(q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClientsThatMeetTheSameShareARow(t *testing.T) {
	shop := app("shop", "web") + app("shop", "cart") + app("shop", "stock")
	pay := app("pay", "ledger") + app("pay", "bank")
	tests := []struct {
		name string
		mesh string
		want []string
	}{
		{"everybody", shop, []string{"cart: all", "stock: all", "web: all"}},
		{
			"a namespace that sees itself alone", shop + pay + sees("pay", "", "./*"),
			[]string{"bank: all", "cart: all in shop", "ledger: all", "stock: all in shop", "web: all in shop"},
		},
		{
			"one that sees less", shop + sees("shop", "web", "./cart.shop.svc.cluster.local"),
			[]string{"cart: all", "stock: all but web.shop", "web: all but web.shop"},
		},
		{
			"all but one, in other namespaces", shop + pay + sees("shop", "web", "./cart.shop.svc.cluster.local"),
			[]string{"bank: all but web.shop", "cart: all", "ledger: all but web.shop", "stock: all but web.shop", "web: all but web.shop"},
		},
		{
			"all but a namespace", shop + pay + app("a", "one") + app("b", "two") + sees("pay", "", "shop/web.shop.svc.cluster.local"),
			[]string{
				"bank: all but those in pay", "cart: all but those in pay", "ledger: all but those in pay", "one: all but those in pay",
				"stock: all but those in pay", "two: all but those in pay", "web: all",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, row := range report(t, load(t, test.mesh), tlscheck.Query{}).Rows {
				name, _, _ := strings.Cut(row.Host, ".")
				got = append(got, name+": "+row.Clients)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRowsDoNotGrowWithClients(t *testing.T) {
	var mesh strings.Builder
	for i := range 60 {
		mesh.WriteString(app(fmt.Sprintf("team-%d", i%6), fmt.Sprintf("app-%d", i)))
	}
	r := report(t, load(t, mesh.String()), tlscheck.Query{})
	if len(r.Rows) != 60 || len(r.Clients) != 1 || len(r.Clients[0].Clients) != 60 {
		t.Errorf("60 services have %d rows for %d sets of clients, the first of %d; want 60, 1, 60", len(r.Rows), len(r.Clients), len(r.Clients[0].Clients))
	}
}

func TestQuery(t *testing.T) {
	mesh := load(t, shop)
	tests := []struct {
		from, to string
		want     string // HOST CLIENTS, a row each
		err      string
	}{
		{"web.shop", "cart.shop", "cart.shop.svc.cluster.local web.shop; cart.shop.svc.cluster.local web.shop", ""},
		{"web.shop", "old.shop.svc.cluster.local", "old.shop.svc.cluster.local web.shop", ""},
		{"old.shop", "old.shop.svc", "old.shop.svc.cluster.local old.shop", ""},
		{"outside", "empty.shop", "empty.shop.svc.cluster.local outside", ""},
		{"shop", "api.example.com", "api.example.com all sidecars", ""},
		{"nobody.shop", "cart.shop", "", `no workload and no namespace "nobody.shop"`},
		{"web.shop", "cart", "", `no service "cart"`},
	}
	for _, test := range tests {
		t.Run(test.from+" to "+test.to, func(t *testing.T) {
			r, err := tlscheck.New(mesh).Report(tlscheck.Query{From: []string{test.from}, To: []string{test.to}})
			var wrong *tlscheck.QueryError
			if test.err != "" {
				if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), test.err) {
					t.Fatalf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range r.Rows {
				got = append(got, row.Host+" "+row.Clients)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestReportIsTheSame holds reports of a mesh against one another whose documents come in another order, asked for by several at once.
func TestReportIsTheSame(t *testing.T) {
	size := meshgen.Small
	size.Policies, size.DestinationRules = 6, 12
	drawn := meshgen.Generate(3, size)
	var want []byte
	for order := range uint64(3) {
		tree := fstest.MapFS{"mesh.yaml": {Data: drawn.Shuffled(order).Text()}}
		mesh, err := model.Load(t.Context(), model.Options{FS: tree}, "mesh.yaml")
		if err != nil {
			t.Fatal(err)
		}
		checker := tlscheck.New(mesh)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				r, err := checker.Report(tlscheck.Query{})
				if err != nil {
					t.Error(err)
					return
				}
				withoutLines(r)
				got, err := json.Marshal(r)
				if err != nil {
					t.Error(err)
				}
				if order == 0 {
					return
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("order %d (-want +got):\n%s", order, diff)
				}
			})
		}
		all.Wait()
		if order == 0 {
			r := report(t, mesh, tlscheck.Query{})
			withoutLines(r)
			if want, err = json.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// withoutLines takes out where policies stand, which differs with the order of documents.
func withoutLines(r *tlscheck.Report) {
	for i := range r.Rows {
		for _, p := range []**tlscheck.Policy{&r.Rows[i].Client.Policy, &r.Rows[i].Server.Policy} {
			if *p != nil {
				bare := **p
				bare.Location.Line, bare.Location.EndLine, bare.Location.Column, bare.Location.EndColumn = 0, 0, 0, 0
				*p = &bare
			}
		}
	}
}
