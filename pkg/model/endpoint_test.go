package model_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

// behind lists what stands behind a port: "address:port workload tls=… sa=… in locality net=…", addresses made up as "*".
func behind(m *model.Mesh, host string, number uint32) []string {
	s := m.ServicesByHost(host)[0]
	var out []string
	for _, e := range m.Endpoints(s, s.Port(number)) {
		address := e.Address
		if model.MadeUp(address) {
			address = "*"
		}
		line := fmt.Sprintf("%s:%d %s %s", address, e.Port, e.WorkloadName, e.TLSMode)
		for _, more := range []string{e.Locality, e.Network, e.HostName} {
			if more != "" {
				line += " " + more
			}
		}
		if e.Weight != 0 {
			line += fmt.Sprint(" weight ", e.Weight)
		}
		if !e.Ready {
			line += " not ready"
		}
		out = append(out, line)
	}
	return out
}

const web = "web.shop.svc.cluster.local"

func TestEndpointsOfKubernetesServices(t *testing.T) {
	service := svc("shop", "web", "selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]")
	node := "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1}}"
	slice := `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.0.0.2], conditions: {ready: false}, targetRef: {kind: Pod, name: web-2}}
- {addresses: [10.0.0.1], nodeName: n1, targetRef: {kind: Pod, name: web-1}}
- {addresses: [10.0.0.8], nodeName: n1}`
	live := livePod("shop", "web-1", "app: web, security.istio.io/tlsMode: istio", "10.0.0.1")
	for _, c := range []struct {
		name  string
		world []string
		want  []string
	}{
		{"EndpointSlices, in their order", []string{service, slice, live, node},
			[]string{"10.0.0.2:8080  disabled not ready", "10.0.0.1:8080 web-1 istio r1/z1", "10.0.0.8:8080  disabled r1/z1"}},
		{"EndpointSlices, each address once", []string{service, slice, live, node, strings.Replace(slice, "name: web-1", "name: web-2", 1)},
			[]string{"10.0.0.2:8080  disabled not ready", "10.0.0.1:8080 web-1 istio r1/z1", "10.0.0.8:8080  disabled r1/z1"}},
		{"EndpointSlices with an address of another namespace's pod", []string{service, slice, live, node, livePod("other", "web", "app: web", "10.0.0.8")},
			[]string{"10.0.0.2:8080  disabled not ready", "10.0.0.1:8080 web-1 istio r1/z1", "10.0.0.8:8080  disabled r1/z1"}},
		{"UDP and TCP on one number", []string{svc("shop", "web", "selector: {app: web}, ports: [{name: udp, port: 80, protocol: UDP, targetPort: 1}, {name: tcp, port: 80, targetPort: 2}]"), live},
			[]string{"10.0.0.1:2 web-1 istio"}},
		{"Endpoints", []string{service, "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: shop}\nsubsets: [{addresses: [{ip: 10.0.0.1}], notReadyAddresses: [{ip: 10.0.0.7}], ports: [{name: http, port: 8080}]}]"},
			[]string{"10.0.0.1:8080  disabled", "10.0.0.7:8080  disabled not ready"}},
		{"Pods", []string{service, live, livePod("shop", "other", "app: other", "10.0.0.3")}, []string{"10.0.0.1:8080 web-1 istio"}},
		{"workloads", []string{service, deployment("shop", "web", "app: web", ""), deployment("other", "web", "app: web", "")}, []string{"*:8080 web istio"}},
		{"a WorkloadEntry with a port of its own", []string{service, istio("networking", "WorkloadEntry", "shop", "vm", "address: 192.0.2.1, labels: {app: web}, ports: {http: 9999}, weight: 3")},
			[]string{"192.0.2.1:9999 vm disabled weight 3"}},
		{"named target port", []string{svc("shop", "web", "selector: {app: web}, ports: [{name: http, port: 80, targetPort: rest}]"),
			deployment("shop", "web", "app: web", "containers: [{name: a, image: b, ports: [{name: rest, containerPort: 8081}]}]"),
			deployment("shop", "web-without", "app: web", "containers: [{name: a, image: b}]")}, []string{"*:8081 web istio"}},
		{"no selector", []string{svc("shop", "web", "ports: [{name: http, port: 80}]"), deployment("shop", "web", "app: web", "")}, nil},
		{"network by label", []string{service, livePod("shop", "web-1", "app: web, topology.istio.io/network: n9, istio-locality: r.z.s", "10.0.0.1")}, []string{"10.0.0.1:8080 web-1 disabled r/z/s n9"}},
		{"locality by the newer label", []string{service, livePod("shop", "web-1", "app: web, istio-locality: r.z.s, topology.istio.io/locality: r2.z2", "10.0.0.1")}, []string{"10.0.0.1:8080 web-1 disabled r2/z2"}},
		{"a StatefulSet's pod names", []string{svc("shop", "web", "clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]"),
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {serviceName: web, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {}}}"},
			[]string{"*:80 db istio db-0"}},
	} {
		if diff := cmp.Diff(c.want, behind(world(t, c.world...), web, 80)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestEndpointsOfServiceEntries(t *testing.T) {
	entry := func(spec string) string {
		return istio("networking", "ServiceEntry", "shop", "se", "hosts: ["+web+"], ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}], "+spec)
	}
	for _, c := range []struct {
		name  string
		world []string
		want  []string
	}{
		{"listed", []string{entry("resolution: STATIC, endpoints: [{address: 192.0.2.1, locality: r/z}, {address: 192.0.2.2, ports: {http: 81}, serviceAccount: x, network: n1}]")},
			[]string{"192.0.2.1:8080 se-0 disabled r/z", "192.0.2.2:81 se-1 istio n1"}},
		{"where labels say", []string{entry("resolution: STATIC, endpoints: [{address: 192.0.2.1, labels: {topology.istio.io/locality: r.z, topology.istio.io/network: n1}}]")},
			[]string{"192.0.2.1:8080 se-0 disabled r/z"}},
		{"once for each address", []string{entry("resolution: STATIC, addresses: [192.0.2.8, 192.0.2.9], endpoints: [{address: 192.0.2.1}]")},
			[]string{"192.0.2.1:8080 se-0 disabled", "192.0.2.1:8080 se-0 disabled"}},
		{"the host itself", []string{entry("resolution: DNS")}, []string{web + ":8080 se disabled"}},
		{"where the connection goes", []string{entry("resolution: NONE")}, nil},
		{"selected", []string{entry("resolution: STATIC, workloadSelector: {labels: {app: web}}"), deployment("shop", "web", "app: web", ""),
			istio("networking", "WorkloadEntry", "shop", "vm", "address: 192.0.2.1, labels: {app: web}"),
			istio("networking", "WorkloadEntry", "other", "vm", "address: 192.0.2.2, labels: {app: web}")},
			[]string{"*:8080 web istio", "192.0.2.1:8080 vm disabled"}},
		{"a Unix socket", []string{entry("resolution: STATIC, endpoints: [{address: 'unix:///var/run/x'}]")}, []string{"unix:///var/run/x:0 se-0 disabled"}},
	} {
		if diff := cmp.Diff(c.want, behind(world(t, c.world...), web, 80)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestWorkloadNamesOfPods(t *testing.T) {
	owned := func(kind, owner, labels string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p-1, generateName: p-, namespace: shop, labels: {app: web" + labels + "}, ownerReferences: [{apiVersion: v1, uid: u, controller: true, kind: " + kind + ", name: " + owner + "}]}\nspec: {containers: [{name: a, image: b}]}\nstatus: {podIP: 10.0.0.1}"
	}
	for _, c := range []struct{ kind, owner, labels, want string }{
		{"ReplicaSet", "web-5d4f", ", pod-template-hash: 5d4f", "web"},
		{"ReplicaSet", "own", "", "own"},
		{"StatefulSet", "db", "", "db"},
		{"Job", "nightly-28000000", "", "nightly"},
		{"Job", "once", "", "once"},
	} {
		m := world(t, svc("shop", "web", "selector: {app: web}, ports: [{name: http, port: 80}]"), owned(c.kind, c.owner, c.labels))
		if got := behind(m, web, 80); len(got) != 1 || got[0] != "10.0.0.1:80 "+c.want+" disabled" {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
