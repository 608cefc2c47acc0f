package compile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
)

func TestFieldsThatAreNotCompiled(t *testing.T) {
	mesh := loadText(t, meshConfig("defaultTrafficPolicy: {}\ndefaultConfig: {connectionSettings: {}}\nserviceEntryVisibility: {}")+`
apiVersion: v1
kind: Service
metadata: {name: near, namespace: shop}
spec: {internalTrafficPolicy: Local, selector: {app: near}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near, namespace: shop}
spec:
  host: near
  subsets:
  - name: v1
    trafficPolicy:
      connectionPool: {http: {http2KeepAlive: {interval: 5s}, maxRetries: 3}}
      retryBudget: {budgetInterval: 1s, percent: 20}
      loadBalancer: {zoneAwareLbSetting: {}}
`)
	var got []string
	for _, f := range compile.NotCompiled(mesh, compile.IstioProxy) {
		got = append(got, f.Message)
	}
	want := []string{
		"defaultConfig.connectionSettings of MeshConfig is not compiled: listeners keep Istio's own limits and timeouts",
		"defaultTrafficPolicy of MeshConfig is not compiled: clusters without a DestinationRule keep Istio's own defaults",
		"serviceEntryVisibility of MeshConfig is not compiled: exportTo alone decides who sees a ServiceEntry",
		"spec.internalTrafficPolicy of Service shop/near is not compiled: istiod gives a proxy the endpoints on its own node alone, and the input does not say which pods share a node",
		"spec.subsets[0].trafficPolicy.connectionPool.http.http2KeepAlive of DestinationRule shop/near is not compiled: connections send no HTTP/2 PINGs",
		"spec.subsets[0].trafficPolicy.retryBudget.budgetInterval of DestinationRule shop/near is not compiled: the budget counts the requests that are under way",
		"spec.subsets[0].trafficPolicy.loadBalancer.zoneAwareLbSetting of DestinationRule shop/near is not compiled: endpoints in the proxy's own zone get no preference beyond that of localityLbSetting",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}
