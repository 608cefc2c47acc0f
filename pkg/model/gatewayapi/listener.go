package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// holder is a Gateway or ListenerSet as its listeners see it.
type holder struct {
	*resource.Resource
	controller string
	// tls is the Gateway's own part of the TLS settings.
	tls *gateway.GatewayTLSConfig
}

// parent is a listener, or the mesh, as routes are attached to it.
type parent struct {
	// internalName is the name of the Istio Gateway: NAMESPACE/NAME, or "mesh".
	internalName string
	kinds        []RouteKind
	// hosts are those of the Istio server: NAMESPACE/HOST.
	hosts    []string
	hostname string
	section  gateway.SectionName
	port     gateway.PortNumber
	protocol gateway.ProtocolType
	status   *ListenerStatus
}

// listener is what a listener amounts to.
type listener struct {
	server *networking.Server
	status ListenerStatus
	// valid tells whether it is good enough to be served.
	valid bool
}

// convertListener turns a listener into the server of a Gateway.
func (c *conversion) convertListener(h holder, l gateway.Listener, path string, existing []Condition) listener {
	kinds, kindsValid := supportedKinds(l)
	status := ListenerStatus{Name: string(l.Name), SupportedKinds: kinds, Conditions: existing}
	fine := valid("", "No errors found")
	conditions := map[string]Condition{accepted: fine, programmed: fine, resolvedRefs: fine}
	for kind, condition := range conditions {
		condition.Reason = kind
		conditions[kind] = condition
	}
	conditions[conflicted] = Condition{Status: "False", Reason: "NoConflicts", Message: "No errors found"}

	out := listener{valid: true}
	tls, bad := c.serverTLS(h, l, path)
	if bad != nil {
		out.valid = false
		conditions[resolvedRefs] = fine.or(bad)
		conditions[programmed] = fine.or(&problem{reason: "Invalid", message: "Bad TLS configuration", place: bad.place})
		if leavesNoCA(bad.reason) {
			conditions[accepted] = fine.or(&problem{reason: "NoValidCACertificate", message: bad.message, place: bad.place})
		}
	}
	if l.Port == 0 {
		out.valid = false
		conditions[accepted] = fine.or(&problem{
			reason: "UnsupportedProtocol", message: fmt.Sprintf("protocol %s requires a port to be set", l.Protocol), place: path,
		})
	}
	if bad := checkProtocol(h.controller, l.Protocol); bad != nil {
		out.valid = false
		conditions[accepted] = fine.or(bad.at(path + ".protocol"))
	}
	if bad := unexpectedTunnel(h.controller, l); bad != nil {
		conditions[accepted] = fine.or(bad.at(path))
	}
	if !kindsValid {
		conditions[resolvedRefs] = fine.or(&problem{reason: "InvalidRouteKinds", message: "Invalid route kinds", place: path + ".allowedRoutes.kinds"})
	}
	out.server = &networking.Server{
		Port: &networking.Port{Name: "default", Number: uint32(l.Port), Protocol: string(l.Protocol)}, Hosts: c.serverHosts(h.Namespace, l), Tls: tls,
	}
	for _, kind := range []string{accepted, conflicted, programmed, resolvedRefs} {
		status.Conditions = withCondition(status.Conditions, kind, conditions[kind])
	}
	out.status = status
	return out
}

// leavesNoCA tells whether a TLS problem is one that the Gateway API wants reported as a missing authority as well. istiod does so for any
// reference that is not permitted.
func leavesNoCA(reason string) bool {
	return reason == invalidCARef || reason == invalidCAKind || reason == refNotPermitted
}

// checkProtocol says whether Istio serves the protocol.
func checkProtocol(controller string, p gateway.ProtocolType) *problem {
	switch p {
	case gateway.HTTPProtocolType, gateway.HTTPSProtocolType, gateway.TLSProtocolType, gateway.TCPProtocolType:
		return nil
	case hbone:
		if controller == waypointController || controller == eastWestController {
			return nil
		}
		return &problem{reason: "UnsupportedProtocol", message: fmt.Sprintf("protocol %q is only supported for waypoint proxies", p)}
	}
	switch upper := gateway.ProtocolType(strings.ToUpper(string(p))); upper {
	case gateway.HTTPProtocolType, gateway.HTTPSProtocolType, gateway.TLSProtocolType, gateway.TCPProtocolType, hbone:
		return &problem{reason: "UnsupportedProtocol", message: fmt.Sprintf("protocol %q is unsupported. hint: %q (uppercase) may be supported", p, upper)}
	}
	return &problem{reason: "UnsupportedProtocol", message: fmt.Sprintf("protocol %q is unsupported", p)}
}

const hbone gateway.ProtocolType = "HBONE"

// unexpectedTunnel says whether a waypoint or an east-west gateway has a listener that it has no use for.
func unexpectedTunnel(controller string, l gateway.Listener) *problem {
	tunnel := l.Port == hbonePort && l.Protocol == hbone
	mode := gateway.TLSModeType("")
	if l.TLS != nil {
		mode = orElse(l.TLS.Mode, gateway.TLSModeTerminate)
	}
	switch controller {
	case waypointController:
		if !tunnel {
			return &problem{reason: "UnsupportedProtocol", message: `Expected a single listener on port 15008 with protocol "HBONE"`}
		}
	case eastWestController:
		if !(tunnel && mode == gateway.TLSModeTerminate) && !(l.Protocol == gateway.TLSProtocolType && mode == gateway.TLSModePassthrough) {
			return &problem{reason: "UnsupportedProtocol", message: "East-west gateway listeners must be either port 15008 with protocol \"HBONE\" and TLS.Mode == Terminate," +
				" or TLS with TLS.Mode == Passthrough"}
		}
	}
	return nil
}

// supportedKinds returns the kinds of routes that a listener takes, and whether those that it names are among what its protocol can take.
func supportedKinds(l gateway.Listener) (kinds []RouteKind, ok bool) {
	kinds = []RouteKind{}
	add := func(names ...string) {
		for _, name := range names {
			kinds = append(kinds, RouteKind{gatewayGroup, name})
		}
	}
	switch l.Protocol {
	case gateway.HTTPProtocolType, gateway.HTTPSProtocolType:
		add("HTTPRoute", "GRPCRoute")
	case gateway.TCPProtocolType:
		add("TCPRoute")
	case gateway.TLSProtocolType:
		add("TLSRoute")
		if l.TLS != nil && orElse(l.TLS.Mode, "") == gateway.TLSModeTerminate {
			add("TCPRoute")
		}
	}
	if l.AllowedRoutes == nil || len(l.AllowedRoutes.Kinds) == 0 {
		return kinds, true
	}
	kinds = slices.DeleteFunc(kinds, func(k RouteKind) bool {
		return !slices.ContainsFunc(l.AllowedRoutes.Kinds, func(allowed gateway.RouteGroupKind) bool {
			return RouteKind{string(orElse(allowed.Group, gatewayGroup)), string(allowed.Kind)} == k
		})
	})
	return kinds, len(kinds) == len(l.AllowedRoutes.Kinds)
}

// serverHosts are the hosts of a listener's server, one a namespace whose routes it takes. A listener that takes none still needs a host, in
// the namespace ~, which is nobody's.
func (c *conversion) serverHosts(namespace string, l gateway.Listener) []string {
	host := string(orElse(l.Hostname, "*"))
	var hosts []string
	for _, ns := range c.allowedNamespaces(namespace, l.AllowedRoutes) {
		hosts = append(hosts, ns+"/"+host)
	}
	if len(hosts) == 0 {
		return []string{"~/" + host}
	}
	return hosts
}

// allowedNamespaces returns the namespaces whose routes may be attached, "*" for all.
func (c *conversion) allowedNamespaces(namespace string, allowed *gateway.AllowedRoutes) []string {
	if allowed == nil || allowed.Namespaces == nil {
		return []string{namespace}
	}
	switch orElse(allowed.Namespaces.From, gateway.NamespacesFromSame) {
	case gateway.NamespacesFromSame:
		return []string{namespace}
	case gateway.NamespacesFromAll:
		return []string{"*"}
	case gateway.NamespacesFromNone:
		return nil
	}
	if allowed.Namespaces.Selector == nil {
		return []string{"*"}
	}
	selector, err := meta.LabelSelectorAsSelector(allowed.Namespaces.Selector)
	if err != nil {
		return nil
	}
	var out []string
	for _, ns := range c.Namespaces {
		if selector.Matches(namespaceLabels(ns.Name, ns.Labels)) {
			out = append(out, ns.Name)
		}
	}
	// Of a namespace without a document nothing is known but its name.
	if _, byName := selector.RequiresExactMatch(namespaceNameLabel); byName {
		for _, ns := range c.Undocumented {
			if selector.Matches(namespaceLabels(ns, nil)) {
				out = append(out, ns)
			}
		}
	}
	slices.Sort(out)
	return out
}

// namespaceNameLabel is what Kubernetes itself puts on every namespace.
const namespaceNameLabel = "kubernetes.io/metadata.name"

func namespaceLabels(name string, given map[string]string) labels.Set {
	set := labels.Set{}
	for k, v := range given {
		set[k] = v
	}
	set[namespaceNameLabel] = name
	return set
}

// takesListeners tells whether a Gateway lets ListenerSets of the namespace add listeners to it: none unless it says so.
func (c *conversion) takesListeners(gw resource.Of[*gateway.Gateway], namespace string) bool {
	allowed := gw.Spec.Spec.AllowedListeners
	if allowed == nil || allowed.Namespaces == nil {
		return false
	}
	switch orElse(allowed.Namespaces.From, gateway.NamespacesFromSelector) {
	case gateway.NamespacesFromAll:
		return true
	case gateway.NamespacesFromSame:
		return namespace == gw.Namespace
	case gateway.NamespacesFromSelector:
		selector, err := meta.LabelSelectorAsSelector(allowed.Namespaces.Selector)
		if err != nil || allowed.Namespaces.Selector == nil {
			return false
		}
		i := slices.IndexFunc(c.Namespaces, func(ns resource.Of[*core.Namespace]) bool { return ns.Name == namespace })
		return i >= 0 && selector.Matches(namespaceLabels(namespace, c.Namespaces[i].Labels))
	}
	return false
}
