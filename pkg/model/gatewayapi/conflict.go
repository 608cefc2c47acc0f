package gatewayapi

import (
	"cmp"
	"slices"

	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// claimed is a listener of a Gateway, its own or one that a ListenerSet adds.
type claimed struct {
	owner *resource.Resource
	gateway.Listener
}

// findConflicts finds, for each Gateway, the listeners that an earlier one keeps from being served: the Gateway's own come first, then those of
// ListenerSets, the oldest first (https://gateway-api.sigs.k8s.io/reference/spec/#listener).
func (c *conversion) findConflicts() {
	for _, gw := range c.Gateways {
		if c.controllerOf(gw.Spec.Spec.GatewayClassName) != gatewayController {
			continue
		}
		var all []claimed
		for _, l := range gw.Spec.Spec.Listeners {
			all = append(all, claimed{gw.Resource, l})
		}
		sets := slices.DeleteFunc(slices.Clone(c.ListenerSets), func(s resource.Of[*gateway.ListenerSet]) bool {
			return string(s.Spec.Spec.ParentRef.Name) != gw.Name ||
				string(orElse(s.Spec.Spec.ParentRef.Namespace, gateway.Namespace(s.Namespace))) != gw.Namespace || !c.takesListeners(gw, s.Namespace)
		})
		slices.SortStableFunc(sets, func(a, b resource.Of[*gateway.ListenerSet]) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		for _, s := range sets {
			for _, entry := range s.Spec.Spec.Listeners {
				all = append(all, claimed{s.Resource, listenerOf(entry)})
			}
		}
		var served []claimed
		for _, l := range all {
			i := slices.IndexFunc(served, func(other claimed) bool { return !distinct(l.Listener, other.Listener) })
			if i < 0 {
				served = append(served, l)
				continue
			}
			c.conflicts[listenerKey{l.owner, l.Name}] = conflictReason(l.Listener, served[i].Listener)
		}
	}
}

// listenerKey names a listener.
type listenerKey struct {
	owner *resource.Resource
	name  gateway.SectionName
}

func isStream(p gateway.ProtocolType) bool {
	return p == gateway.TCPProtocolType || p == gateway.UDPProtocolType
}

func hasNames(p gateway.ProtocolType) bool {
	return p == gateway.HTTPProtocolType || p == gateway.HTTPSProtocolType || p == gateway.TLSProtocolType
}

// distinct tells whether two listeners can be told apart: by port, or by the name that is asked for.
func distinct(a, b gateway.Listener) bool {
	switch {
	case a.Port != b.Port:
		return true
	case hasNames(a.Protocol) && hasNames(b.Protocol):
		return cmp.Or(orElse(a.Hostname, ""), "*") != cmp.Or(orElse(b.Hostname, ""), "*")
	case (isStream(a.Protocol) || hasNames(a.Protocol)) && (isStream(b.Protocol) || hasNames(b.Protocol)):
		return false
	}
	return a.Protocol != b.Protocol
}

func conflictReason(a, b gateway.Listener) string {
	if isStream(a.Protocol) && isStream(b.Protocol) || a.Protocol != b.Protocol {
		return "ProtocolConflict"
	}
	return "HostnameConflict"
}

// conflicting is the status of a listener that another one keeps from being served.
func conflicting(l gateway.Listener, reason, path string, existing []Condition) ListenerStatus {
	kinds, kindsValid := supportedKinds(l)
	bad := &problem{reason: reason, message: "Listener has a conflict with another listener attached to the same Gateway", place: path}
	fine := valid("", "")
	conditions := withCondition(existing, accepted, fine.or(bad))
	conditions = withCondition(conditions, conflicted, Condition{Status: "True", Reason: reason, Message: bad.message, Place: path})
	conditions = withCondition(conditions, programmed, fine.or(bad))
	if !kindsValid {
		why := &problem{reason: "InvalidRouteKinds", message: "Invalid route kinds", place: path + ".allowedRoutes.kinds"}
		conditions = withCondition(conditions, resolvedRefs, fine.or(why))
	}
	return ListenerStatus{Name: string(l.Name), SupportedKinds: kinds, Conditions: conditions}
}

// listenerOf writes out a ListenerSet's listener as a Gateway's; without a port HTTP and HTTPS have their usual one.
func listenerOf(e gateway.ListenerEntry) gateway.Listener {
	l := gateway.Listener(e)
	switch {
	case l.Port != 0:
	case l.Protocol == gateway.HTTPProtocolType:
		l.Port = 80
	case l.Protocol == gateway.HTTPSProtocolType:
		l.Port = 443
	}
	return l
}
