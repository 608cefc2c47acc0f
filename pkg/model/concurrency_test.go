package model_test

import (
	"sync"
	"testing"

	"github.com/meshc/meshc/pkg/model"
)

// TestQuestionsMayBeAskedAtOnce asks everything from several goroutines of a mesh that has worked out nothing yet; the race detector judges.
func TestQuestionsMayBeAskedAtOnce(t *testing.T) {
	m := world(t, append(threeNamespaces,
		deployment("a", "one", "app: one", ""),
		istio("networking", "Gateway", "a", "gw", "selector: {istio: ingressgateway}, servers: []"),
		istio("networking", "VirtualService", "a", "v", "hosts: [one], http: [{route: [{destination: {host: one}}]}]"),
		rule("a", "r", "host: one, subsets: [{name: v1}]"),
	)...)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, p := range m.Proxies() {
				scope := m.ScopeOf(p)
				for _, s := range scope.Services {
					scope.DestinationRule(s)
					m.Endpoints(s, s.Ports[0])
				}
				m.ServiceTargets(p)
				m.GatewaysFor(p)
				m.MTLSFor(p.Namespace, p.Labels)
				m.ProxyConfigOf(p)
				scope.VirtualServicesFor(model.MeshGateway)
			}
		})
	}
	group.Wait()
	if got := len(m.Proxies()); got != 2 {
		t.Error(got)
	}
}
