package model

import (
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// requestTable holds RequestAuthentications by namespace, oldest first.
type requestTable map[string][]resource.Of[*security.RequestAuthentication]

func (m *Mesh) buildRequests() requestTable {
	return groupBy(byAge(All[*security.RequestAuthentication](m)), func(r resource.Of[*security.RequestAuthentication]) string { return r.Namespace })
}

// RequestAuthenticationsFor returns the policies about tokens that apply to the proxy, the root namespace's first. They add up
// (https://istio.io/latest/docs/reference/config/security/request_authentication/).
func (m *Mesh) RequestAuthenticationsFor(p *Proxy) []resource.Of[*security.RequestAuthentication] {
	return policiesFor(m, m.requests(), p)
}
