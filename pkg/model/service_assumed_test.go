package model

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestReferencedServicesStandInWhereThereAreNone(t *testing.T) {
	const rules = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site, namespace: shop}
spec:
  hosts: [www.example.com, "*.shop.svc.cluster.local"]
  http:
  - route:
    - destination: {host: cart.pay.svc.cluster.local, port: {number: 8080}}
      weight: 50
    - destination: {host: cart.pay.svc.cluster.local, port: {number: 7070}}
      weight: 50
---
`
	const service = `
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
`
	tests := []struct {
		name, yaml string
		want       map[string][]uint32
	}{
		{"no Service at all", rules, map[string][]uint32{
			"reviews.shop.svc.cluster.local": {80},
			"cart.pay.svc.cluster.local":     {7070, 8080},
		}},
		{"some Service", rules + service, map[string][]uint32{"other.shop.svc.cluster.local": {80}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mesh, err := Load(t.Context(), Options{FS: fstest.MapFS{"mesh.yaml": {Data: []byte(test.yaml)}}}, "mesh.yaml")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]uint32{}
			for _, svc := range mesh.Services() {
				for _, p := range svc.Ports {
					got[svc.Hostname] = append(got[svc.Hostname], p.Number)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
