package reach

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// NoRoute names callers whose sidecars know no service that leads to a destination. It is no protection: whoever makes a connection by another
// way is judged by the destination's policies alone.
type NoRoute struct {
	// Workloads are the callers', NAME.NAMESPACE.
	Workloads []string `json:"workloads"`
	// To are the destinations, WORKLOAD:PORT.
	To []string `json:"to"`
	// Outbound is what becomes of connections to what the sidecars do not know: ALLOW_ANY passes them on, in plaintext; REGISTRY_ONLY drops them.
	Outbound string `json:"outbound"`
	// Sidecar is the resource that narrows what they see, nil where exportTo does, or where no service leads to the destination.
	Sidecar *Rule `json:"sidecar,omitempty"`
}

// routes answers what proxies see.
type routes struct{ mesh *model.Mesh }

// view is what decides over what a proxy sees.
type view struct {
	namespace string
	sidecar   *resource.Resource
}

// missing lists those of the callers' sidecars that do not know the way to some of the destinations, those together that see the same.
func (r routes) missing(callers []*Caller, destinations []*Destination) []NoRoute {
	var out []NoRoute
	at := map[view]int{}
	for _, c := range callers {
		for _, p := range c.proxies {
			if p.Type == model.Router {
				continue // a gateway routes to what its VirtualServices name
			}
			scope := r.mesh.ScopeOf(p)
			key := view{namespace: p.Namespace}
			if scope.Sidecar != nil {
				key.sidecar = scope.Sidecar.Resource
			}
			i, ok := at[key]
			if !ok {
				i = len(out)
				at[key], out = i, append(out, noRoute(scope, destinations))
			}
			out[i].Workloads = append(out[i].Workloads, p.ID())
		}
	}
	return slices.DeleteFunc(out, func(n NoRoute) bool { return len(n.To) == 0 })
}

// noRoute lists the destinations to which no service in sight leads. A destination to which none leads at all is not the caller's matter.
func noRoute(scope *model.Scope, destinations []*Destination) NoRoute {
	n := NoRoute{Outbound: "ALLOW_ANY"}
	if scope.OutboundTrafficPolicy.GetMode() == networking.OutboundTrafficPolicy_REGISTRY_ONLY {
		n.Outbound = "REGISTRY_ONLY"
	}
	if scope.Sidecar != nil {
		at := ruleOf(scope.Sidecar.At("spec.egress"))
		n.Sidecar = &at
	}
	for _, d := range destinations {
		if len(d.targets) > 0 && !slices.ContainsFunc(d.targets, func(t model.ServiceTarget) bool { return sees(scope, t) }) {
			n.To = append(n.To, d.Name())
		}
	}
	return n
}

func sees(scope *model.Scope, t model.ServiceTarget) bool {
	s := scope.Service(t.Service.Hostname)
	return s != nil && s.Namespace == t.Service.Namespace &&
		slices.ContainsFunc(s.Ports, func(p *model.Port) bool { return p.Number == t.Port.Number })
}
