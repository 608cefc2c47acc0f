package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// route is what the kinds of routes have in common.
type route struct {
	*resource.Resource
	parentRefs []gateway.ParentReference
	hostnames  []gateway.Hostname
	existing   []gateway.RouteParentStatus
}

func (r route) groupKind() groupKind { return groupKind{gatewayGroup, r.Kind} }

// attachment is a route at one listener, or at the mesh.
type attachment struct {
	*parent
	key parentKey
	ref gateway.ParentReference
	// index is the reference's place in spec.parentRefs.
	index int
	// denied is why the route is not attached, nil where it is.
	denied *problem
	// others are the hostnames of the other listeners on the port, which take what they match better.
	others []string
}

func (a *attachment) isMesh() bool { return a.key.isMesh() }

// Reasons why a route is not attached, the ones that say most first.
const (
	notAllowed     = "NotAllowedByListeners"
	noHostname     = "NoMatchingListenerHostname"
	noParent       = "NoMatchingParent"
	attached       = ""
	mesh           = "mesh"
	backendMissing = "BackendNotFound"
	invalidKind    = "InvalidKind"
)

// attach finds the listeners that a route names, and whether each takes it, ordered by reference.
func (c *conversion) attach(r route) []*attachment {
	var out []*attachment
	for i, ref := range r.parentRefs {
		key, ok := keyOf(ref, r.Namespace)
		if !ok {
			continue
		}
		if key.isMesh() {
			out = append(out, &attachment{parent: &parent{internalName: mesh}, key: key, ref: ref, index: i, denied: c.meshDenial(key)})
			continue
		}
		for _, p := range c.parents[key] {
			a := &attachment{parent: p, key: key, ref: ref, index: i, denied: denial(p, ref, r)}
			for _, other := range c.parents[key] {
				if other != p && other.port == p.port && other.protocol == p.protocol && other.hostname != p.hostname {
					a.others = append(a.others, other.hostname)
				}
			}
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b *attachment) int {
		return cmp.Compare(refString(a.ref, r.Namespace), refString(b.ref, r.Namespace))
	})
	return out
}

// meshDenial says why a route cannot be attached to a service.
func (c *conversion) meshDenial(key parentKey) *problem {
	if c.Find(key.kind, key.group, key.namespace, key.name) != nil {
		return nil
	}
	what := "service"
	if key.kind == "ServiceEntry" {
		what = "service entry"
	}
	return &problem{reason: noParent, message: fmt.Sprintf("parent %s: %q not found", what, key.name)}
}

// denial says why a listener does not take a route.
func denial(p *parent, ref gateway.ParentReference, r route) *problem {
	if ref.Port != nil && *ref.Port != 0 && *ref.Port != p.port {
		return &problem{reason: noParent, message: fmt.Sprintf("port %d not found", *ref.Port)}
	}
	if section := orElse(ref.SectionName, ""); section != "" && section != p.section {
		return &problem{reason: noParent, message: fmt.Sprintf("sectionName %q not found", section)}
	}
	if bad := hostDenial(p, r); bad != nil {
		return bad
	}
	if !slices.Contains(p.kinds, RouteKind{gatewayGroup, r.Kind}) {
		return &problem{reason: notAllowed, message: fmt.Sprintf("kind %s/v1/%s is not allowed", gatewayGroup, r.Kind)}
	}
	return nil
}

// hostDenial says why none of the route's hostnames is for the listener. One is enough; the others are left out when hosts are matched.
func hostDenial(p *parent, r route) *problem {
	hostMatched := false
	for _, h := range hostnames(r.hostnames) {
		for _, allowed := range p.hosts {
			namespace, host, _ := strings.Cut(allowed, "/")
			if !overlap(host, h) {
				continue
			}
			hostMatched = true
			if namespace == "*" || namespace == r.Namespace {
				return nil
			}
		}
	}
	if hostMatched {
		return &problem{reason: notAllowed, message: fmt.Sprintf(
			"hostnames matched parent hostname %q, but namespace %q is not allowed by the parent", p.hostname, r.Namespace)}
	}
	return &problem{reason: noHostname, message: fmt.Sprintf("no hostnames matched parent hostname %q", p.hostname)}
}

// hostnames writes out that no hostname means any.
func hostnames(given []gateway.Hostname) []string {
	if len(given) == 0 {
		return []string{"*"}
	}
	var out []string
	for _, h := range given {
		out = append(out, string(h))
	}
	return out
}

// overlap tells whether some name is covered by both patterns, each a name or one with a leading *.
func overlap(a, b string) bool { return covers(a, b) || covers(b, a) }

// covers tells whether a pattern covers a name or another pattern.
func covers(pattern, name string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return pattern == name
	}
	return strings.HasSuffix(strings.TrimPrefix(name, "*"), suffix)
}

// takes tells whether the listener is the one that takes the host: with several on a port the one that matches it best does
// (https://gateway-api.sigs.k8s.io/reference/spec/#listener).
func (a *attachment) takes(host string) bool {
	if a.hostname != "" && !strings.HasPrefix(a.hostname, "*") {
		return true
	}
	if a.hostname != "" && !overlap(host, a.hostname) {
		return false
	}
	for _, other := range a.others {
		if len(a.hostname) <= len(other) && covers(other, host) {
			return false
		}
	}
	return true
}

// bound returns the attachments that hold, ordered by the name of the Gateway.
func bound(all []*attachment) []*attachment {
	held := slices.DeleteFunc(slices.Clone(all), func(a *attachment) bool { return a.denied != nil })
	slices.SortStableFunc(held, func(a, b *attachment) int { return cmp.Compare(a.internalName, b.internalName) })
	return held
}

// converted are the routes of one kind of Istio's that a route's rules amount to, with what was wrong with them. Where the mesh's own
// proxies follow the route, references to other namespaces need no grant.
type converted[T any] struct {
	parts []T
	bad   *problem
}

// sides are both ways in which a route's rules can be converted.
type sides[T any] struct{ gateway, mesh converted[T] }

// convertRules converts the rules as the route's attachments need it. A rule that cannot be converted takes all others with it.
func convertRules[T any](all []*attachment, rules func(enforce bool) converted[T]) sides[T] {
	var out sides[T]
	needsMesh := slices.ContainsFunc(all, (*attachment).isMesh)
	if needsMesh {
		out.mesh = rules(false)
	}
	if slices.ContainsFunc(all, func(a *attachment) bool { return !a.isMesh() }) {
		out.gateway = rules(true)
	}
	return out
}

func (s *sides[T]) of(a *attachment) converted[T] {
	if a.isMesh() {
		return s.mesh
	}
	return s.gateway
}

// reportRoute writes the status of a route and counts it at the listeners that it is attached to.
func (c *conversion) reportRoute(r route, all []*attachment, badMesh, badGateway *problem) {
	status := &Status{}
	for _, e := range r.existing {
		if string(e.ControllerName) != gatewayController {
			status.Parents = append(status.Parents, ParentStatus{
				ParentRef: e.ParentRef, ControllerName: string(e.ControllerName), Conditions: conditionsOf(e.Conditions),
			})
		}
	}
	for _, a := range bound(all) {
		if a.status != nil {
			a.status.AttachedRoutes++
		}
	}
	done := map[string]bool{}
	for _, a := range all {
		ref := refString(a.ref, r.Namespace)
		if done[ref] {
			continue
		}
		done[ref] = true
		denied, successes := atReference(all, ref, r.Namespace)
		bad := badGateway
		if a.isMesh() {
			bad = badMesh
		}
		message := "Route was valid"
		if successes > 1 {
			message = fmt.Sprintf("Route was valid, bound to %d parents", successes)
		}
		conditions := existingParent(r, ref)
		conditions = withCondition(conditions, accepted, valid("Accepted", message).or(denied.at(resource.Index("spec.parentRefs", a.index))))
		conditions = withCondition(conditions, resolvedRefs, valid("ResolvedRefs", "All references resolved").or(bad))
		status.Parents = append(status.Parents, ParentStatus{ParentRef: a.ref, ControllerName: gatewayController, Conditions: conditions})
	}
	slices.SortStableFunc(status.Parents, func(a, b ParentStatus) int {
		return cmp.Compare(refString(b.ParentRef, r.Namespace), refString(a.ParentRef, r.Namespace))
	})
	c.report(r.Resource, status)
}

func existingParent(r route, ref string) []Condition {
	for _, e := range r.existing {
		if string(e.ControllerName) == gatewayController && refString(e.ParentRef, r.Namespace) == ref {
			return conditionsOf(e.Conditions)
		}
	}
	return nil
}

// bestReason is the most telling of all outcomes: that the route is attached, or else the reason that got furthest.
func bestReason(all []*attachment) string {
	for _, reason := range []string{attached, notAllowed, noHostname, noParent} {
		if slices.ContainsFunc(all, func(a *attachment) bool { return reasonOf(a) == reason }) {
			return reason
		}
	}
	return noParent
}

func reasonOf(a *attachment) string {
	if a.denied == nil {
		return attached
	}
	return a.denied.reason
}

// atReference sums up what became of a route at the listeners that one reference means.
func atReference(all []*attachment, ref, namespace string) (denied *problem, successes int) {
	here := slices.DeleteFunc(slices.Clone(all), func(a *attachment) bool { return refString(a.ref, namespace) != ref })
	best := bestReason(here)
	for _, a := range here {
		if a.denied == nil {
			successes++
		}
		if reasonOf(a) != best {
			continue
		}
		if a.denied != nil {
			why := *a.denied
			denied = joined(denied, &why)
		}
	}
	return denied, successes
}

// addAncestors remembers which Gateways a route leads from to which backends, for the status of policies.
func (c *conversion) addAncestors(r route, backends []gateway.BackendRef) {
	for _, ref := range r.parentRefs {
		key, ok := keyOf(ref, r.Namespace)
		if !ok || key.groupKind != (groupKind{gatewayGroup, "Gateway"}) {
			continue
		}
		for _, b := range backends {
			to := target{
				groupKind: groupKind{string(orElse(b.Group, "")), string(orElse(b.Kind, "Service"))},
				namespace: string(orElse(b.Namespace, gateway.Namespace(r.Namespace))), name: string(b.Name),
			}
			if !slices.Contains(c.ancestors[to], key) {
				c.ancestors[to] = append(c.ancestors[to], key)
			}
		}
	}
}

// meshHosts are the hosts that a service as a parent means.
func (c *conversion) meshHosts(key parentKey) []string {
	if key.kind == "ServiceEntry" {
		return c.entryHosts(key.namespace, key.name)
	}
	return []string{key.name + "." + key.namespace + ".svc." + c.DomainSuffix}
}
