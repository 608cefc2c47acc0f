package compile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// nearWorld has a client on node n1 in zone z1, and pods of a service on both nodes, of which one in z1 is not ready and one is about to end.
// The service's spec and annotations, and what a DestinationRule adds, are filled in.
const nearWorld = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, %s}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1}}
---
apiVersion: v1
kind: Node
metadata: {name: n2, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z2}}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client, security.istio.io/tlsMode: istio}}
spec: {nodeName: n1, containers: [{name: app, image: x}]}
status: {podIP: 10.244.0.9}
---
apiVersion: v1
kind: Pod
metadata: {name: drained, namespace: shop, labels: {app: near, istio.io/draining: "true"}}
spec: {nodeName: n1, containers: [{name: app, image: x}]}
status: {podIP: 10.244.1.5}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: near-1, namespace: shop, labels: {kubernetes.io/service-name: near}}
addressType: IPv4
endpoints:
- {addresses: [10.244.1.1], nodeName: n1}
- {addresses: [10.244.1.2], nodeName: n1, conditions: {ready: false}}
- {addresses: [10.244.1.3], nodeName: n1, conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.244.1.5], nodeName: n1, targetRef: {kind: Pod, name: drained}}
- {addresses: [10.244.2.1], nodeName: n2}
ports: [{name: http, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: shop, %s}
spec: {clusterIP: 10.96.0.9, %s ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near, namespace: shop}
spec: {host: near, trafficPolicy: {%s}}
`

// TestNearEndpoints holds which endpoints a proxy is told, by what a Service asks for and where the proxy is.
func TestNearEndpoints(t *testing.T) {
	for _, tt := range []struct {
		name, namespace, metadata, service, policy string
		want                                       []string
	}{
		{
			"those that are ready", "", "", "", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.2.1 HEALTHY"},
		},
		{
			"the nearest first, and which are ill", "", "", "trafficDistribution: PreferClose,", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.1.2 UNHEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"the annotation, in any case", "", "annotations: {networking.istio.io/traffic-distribution: prefersamenode}", "", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.1.2 UNHEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"the field before the annotation", "", "annotations: {networking.istio.io/traffic-distribution: none}", "trafficDistribution: PreferSameZone,", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.1.2 UNHEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"as the namespace wants", "annotations: {networking.istio.io/traffic-distribution: PreferSameZone}", "", "", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.1.2 UNHEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"as the Service wants, whatever the namespace does", "annotations: {networking.istio.io/traffic-distribution: PreferSameZone}",
			"annotations: {networking.istio.io/traffic-distribution: any}", "", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.2.1 HEALTHY"},
		},
		{
			"those of the proxy's own node alone", "", "", "internalTrafficPolicy: Local,", "",
			[]string{"p0 10.244.1.1 HEALTHY"},
		},
		{
			"those with the sessions that they have", "", "labels: {istio.io/persistent-session: session}", "", "",
			[]string{"p0 10.244.1.1 HEALTHY", "p0 10.244.1.2 DRAINING", "p0 10.244.1.3 DRAINING", "p0 10.244.1.5 DRAINING", "p0 10.244.2.1 HEALTHY"},
		},
		{
			"by the proxy's zone", "", "", "", "outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone]}}",
			[]string{"p0 10.244.1.1 HEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"by the proxy's node", "", "", "", "outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/region, kubernetes.io/hostname]}}",
			[]string{"p0 10.244.1.1 HEALTHY", "p1 10.244.2.1 HEALTHY"},
		},
		{
			"by a zone that the rule names", "", "", "", "outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone=z2]}}",
			[]string{"p1 10.244.1.1 HEALTHY", "p0 10.244.2.1 HEALTHY"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mesh := loadText(t, fmt.Sprintf(nearWorld, tt.namespace, tt.metadata, tt.service, tt.policy))
			i := slices.IndexFunc(mesh.Proxies(), func(p *model.Proxy) bool { return p.Name == "client" })
			var got []string
			for _, a := range compile.Compile(mesh, mesh.Proxies()[i], compile.Options{Target: compile.IstioProxy}).Endpoints {
				if a.GetClusterName() != "outbound|80||near.shop.svc.cluster.local" {
					continue
				}
				for _, group := range a.GetEndpoints() {
					for _, e := range group.GetLbEndpoints() {
						address := e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()
						got = append(got, fmt.Sprintf("p%d %s %s", group.GetPriority(), address, e.GetHealthStatus()))
					}
				}
			}
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[3:], b[3:]) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("endpoints differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailoverOfNames holds that names which the proxy resolves have priorities by label too, but for those of a subset.
func TestFailoverOfNames(t *testing.T) {
	mesh := loadText(t, `
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client, site: a, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app, image: x}]}
status: {podIP: 10.244.0.9}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far, namespace: shop}
spec:
  hosts: [far.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
  endpoints: [{address: b.example, labels: {site: b}}, {address: a.example, labels: {site: a}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: far, namespace: shop}
spec:
  host: far.example
  trafficPolicy: {outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [site]}}}
  subsets: [{name: all}]
`)
	i := slices.IndexFunc(mesh.Proxies(), func(p *model.Proxy) bool { return p.Name == "client" })
	got := map[string][]string{}
	for _, c := range compile.Compile(mesh, mesh.Proxies()[i], compile.Options{Target: compile.IstioProxy}).Clusters {
		if !strings.HasSuffix(c.GetName(), "far.example") {
			continue
		}
		for _, group := range c.GetLoadAssignment().GetEndpoints() {
			for _, e := range group.GetLbEndpoints() {
				line := fmt.Sprintf("p%d %s", group.GetPriority(), e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
				got[c.GetName()] = append(got[c.GetName()], line)
			}
		}
	}
	want := map[string][]string{
		"outbound|80||far.example":    {"p0 a.example", "p1 b.example"},
		"outbound|80|all|far.example": {"p0 b.example", "p0 a.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("endpoints differ (-want +got):\n%s", diff)
	}
}
