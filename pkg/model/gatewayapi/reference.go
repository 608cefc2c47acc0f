package gatewayapi

import (
	"fmt"

	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// Groups of what the Gateway API refers to.
const (
	gatewayGroup      = gateway.GroupName
	experimentalGroup = "gateway.networking.x-k8s.io"
	istioGroup        = "networking.istio.io"
	multiclusterGroup = "multicluster.x-k8s.io"
	inferenceGroup    = "inference.networking.k8s.io"
)

// groupKind is a kind without its version.
type groupKind struct{ group, kind string }

// parentKey names what a route can be attached to.
type parentKey struct {
	groupKind
	namespace, name string
}

func (k parentKey) isMesh() bool {
	return k.groupKind == groupKind{"", "Service"} || k.groupKind == groupKind{istioGroup, "ServiceEntry"}
}

// keyOf returns what a parentRef means, ok is false for kinds that Istio does not know.
func keyOf(ref gateway.ParentReference, namespace string) (key parentKey, ok bool) {
	key = parentKey{
		groupKind: groupKind{string(orElse(ref.Group, gatewayGroup)), string(orElse(ref.Kind, "Gateway"))},
		namespace: string(orElse(ref.Namespace, gateway.Namespace(namespace))), name: string(ref.Name),
	}
	switch key.groupKind {
	case groupKind{gatewayGroup, "Gateway"}, groupKind{gatewayGroup, "ListenerSet"}:
		return key, true
	}
	return key, key.isMesh()
}

// refString orders references; the place of a reference without namespace is that of its resource.
func refString(ref gateway.ParentReference, namespace string) string {
	return fmt.Sprintf("%s/%s/%s/%s/%d.%s", orElse(ref.Group, gatewayGroup), orElse(ref.Kind, "Gateway"), ref.Name, orElse(ref.SectionName, ""),
		orElse(ref.Port, 0), orElse(ref.Namespace, gateway.Namespace(namespace)))
}

// granted tells whether a ReferenceGrant lets resources of a kind and namespace refer to the object
// (https://gateway-api.sigs.k8s.io/api-types/referencegrant/).
func (c *conversion) granted(from groupKind, fromNamespace string, to groupKind, toNamespace, name string) bool {
	for _, g := range c.Grants {
		if g.Namespace != toNamespace {
			continue
		}
		letsFrom, letsTo := false, false
		for _, f := range g.Spec.Spec.From {
			letsFrom = letsFrom || groupKind{string(f.Group), string(f.Kind)} == from && string(f.Namespace) == fromNamespace
		}
		for _, t := range g.Spec.Spec.To {
			letsTo = letsTo || groupKind{string(t.Group), string(t.Kind)} == to && (t.Name == nil || string(*t.Name) == name)
		}
		if letsFrom && letsTo {
			return true
		}
	}
	return false
}
