package gatewayapi

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Annotations by which a Gateway says what istiod deploys for it
// (https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment).
const (
	nameOverride   = "gateway.istio.io/name-override"
	serviceAccount = "gateway.istio.io/service-account"
)

// setListener is a server that a ListenerSet adds to a Gateway.
type setListener struct {
	set   *resource.Resource
	port  uint32
	valid bool
}

// convertListenerSets turns the listeners of ListenerSets into Gateways (https://gateway-api.sigs.k8s.io/geps/gep-1713/).
func (c *conversion) convertListenerSets() {
	for _, r := range c.ListenerSets {
		ref := r.Spec.Spec.ParentRef
		if (groupKind{string(orElse(ref.Group, gatewayGroup)), string(orElse(ref.Kind, "Gateway"))}) != (groupKind{gatewayGroup, "Gateway"}) {
			continue
		}
		namespace := string(orElse(ref.Namespace, gateway.Namespace(r.Namespace)))
		i := slices.IndexFunc(c.Gateways, func(g resource.Of[*gateway.Gateway]) bool {
			return g.Namespace == namespace && g.Name == string(ref.Name)
		})
		if i < 0 || c.controllerOf(c.Gateways[i].Spec.Spec.GatewayClassName) == "" {
			continue
		}
		c.convertListenerSet(r, c.Gateways[i])
	}
}

func (c *conversion) convertListenerSet(r resource.Of[*gateway.ListenerSet], gw resource.Of[*gateway.Gateway]) {
	class := gw.Spec.Spec.GatewayClassName
	controller := c.controllerOf(class)
	status := newStatus(r.Spec.Status.Conditions)
	c.report(r.Resource, status)
	refused := func(message string) {
		why := &problem{reason: "NotAllowed", message: message, place: "spec.parentRef"}
		status.set(accepted, valid("", "").or(why))
		status.set(programmed, valid("", "").or(why))
	}
	if controller != gatewayController {
		refused(fmt.Sprintf("The %q GatewayClass does not support ListenerSet", class))
		return
	}
	if !c.takesListeners(gw, r.Namespace) {
		refused("The parent Gateway does not allow this reference; check the 'spec.allowedRoutes'")
		return
	}
	services, bad := c.gatewayServices(gw, controller)
	var ports []uint32
	anyValid := false
	if len(services) > 0 || bad == nil {
		h := holder{Resource: r.Resource, controller: controller, tls: gw.Spec.Spec.TLS}
		key := parentKey{groupKind{gatewayGroup, "ListenerSet"}, r.Namespace, r.Name}
		gwKey := parentKey{groupKind{gatewayGroup, "Gateway"}, gw.Namespace, gw.Name}
		status.Listeners = make([]ListenerStatus, len(r.Spec.Spec.Listeners))
		for i, entry := range r.Spec.Spec.Listeners {
			l, path, existing := listenerOf(entry), resource.Index("spec.listeners", i), existingListener(r.Spec.Status.Listeners, i)
			if reason := c.conflicts[listenerKey{r.Resource, l.Name}]; reason != "" {
				status.Listeners[i] = conflicting(l, reason, path, existing)
				continue
			}
			made := c.convertListener(h, l, path, existing)
			status.Listeners[i] = made.status
			ports = append(ports, uint32(l.Port))
			anyValid = anyValid || made.valid
			annotations := listenerAnnotations(r.Resource, l, services, c.serviceAccountOf(gw, controller))
			annotations[parentNamespaceAnnotation] = gw.Namespace
			c.addListener(h, key, l, i, made, annotations, &status.Listeners[i])
			c.listenersOf[gwKey] = append(c.listenersOf[gwKey], setListener{r.Resource, uint32(l.Port), made.valid})
		}
	}
	ok := valid("Accepted", "Resource accepted")
	hard := len(services) == 0 && bad != nil
	invalid := &problem{reason: "ListenersNotValid", message: "None of the ListenerSet's listeners are valid", place: "spec.listeners"}
	switch {
	case bad != nil:
		status.set(accepted, ok.or(&problem{reason: bad.reason, message: "Parent not accepted: " + bad.message, place: "spec.parentRef"}))
	case !anyValid:
		status.set(accepted, ok.or(invalid))
	default:
		status.set(accepted, ok)
	}
	reach := c.programmed(gw.Namespace, services, ports)
	if !hard && !anyValid {
		reach = valid("", "").or(invalid)
	}
	status.set(programmed, reach)
}

func existingListener[L gateway.ListenerStatus | gateway.ListenerEntryStatus](existing []L, i int) []Condition {
	if i >= len(existing) {
		return nil
	}
	switch e := any(existing[i]).(type) {
	case gateway.ListenerStatus:
		return conditionsOf(e.Conditions)
	case gateway.ListenerEntryStatus:
		return conditionsOf(e.Conditions)
	}
	return nil
}

// convertGateways turns each listener of a Gateway into an Istio Gateway with one server, so that routes can be bound to a listener alone.
func (c *conversion) convertGateways() {
	for _, r := range c.Gateways {
		switch controller := c.controllerOf(r.Spec.Spec.GatewayClassName); controller {
		case "":
		case remoteController:
			c.reportRemote(r)
		default:
			c.convertGateway(r, controller)
		}
	}
}

// reportRemote reports a Gateway of another cluster.
func (c *conversion) reportRemote(r resource.Of[*gateway.Gateway]) {
	status := newStatus(r.Spec.Status.Conditions)
	status.set(accepted, valid("Accepted", "Resource accepted"))
	status.set(programmed, valid("Programmed", "This Gateway is remote; Istio will not program it"))
	for _, a := range r.Spec.Spec.Addresses {
		status.Addresses = append(status.Addresses, Address{Type: string(orElse(a.Type, gateway.IPAddressType)), Value: a.Value})
	}
	c.report(r.Resource, status)
}

func (c *conversion) convertGateway(r resource.Of[*gateway.Gateway], controller string) {
	status := newStatus(r.Spec.Status.Conditions)
	c.report(r.Resource, status)
	services, bad := c.gatewayServices(r, controller)
	key := parentKey{groupKind{gatewayGroup, "Gateway"}, r.Namespace, r.Name}
	var ports []uint32
	anyValid := len(r.Spec.Spec.Listeners) == 0
	if len(services) > 0 || bad == nil {
		h := holder{Resource: r.Resource, controller: controller, tls: r.Spec.Spec.TLS}
		status.Listeners = make([]ListenerStatus, len(r.Spec.Spec.Listeners))
		for i, l := range r.Spec.Spec.Listeners {
			path, existing := resource.Index("spec.listeners", i), existingListener(r.Spec.Status.Listeners, i)
			if reason := c.conflicts[listenerKey{r.Resource, l.Name}]; reason != "" {
				status.Listeners[i] = conflicting(l, reason, path, existing)
				continue
			}
			made := c.convertListener(h, l, path, existing)
			status.Listeners[i] = made.status
			ports = append(ports, uint32(l.Port))
			anyValid = anyValid || made.valid
			c.addListener(h, key, l, i, made, listenerAnnotations(r.Resource, l, services, c.serviceAccountOf(r, controller)), &status.Listeners[i])
		}
		attached := map[*resource.Resource]bool{}
		for _, l := range c.listenersOf[key] {
			ports = append(ports, l.port)
			if l.valid {
				attached[l.set] = true
			}
		}
		status.AttachedListenerSets = len(attached)
	} else {
		anyValid = true
	}
	if bad == nil {
		bad = c.badParameters(r)
	}
	if bad == nil && !anyValid {
		bad = &problem{reason: "ListenersNotValid", message: "None of the Gateway's listeners are valid", place: "spec.listeners"}
	}
	status.set(accepted, valid("Accepted", "Resource accepted").or(bad))
	status.set(programmed, c.programmed(r.Namespace, services, ports))
	status.set(resolvedRefs, valid("ResolvedRefs", "All references resolved").or(c.badClientCertificate(r)))
	status.Addresses = c.addresses(r.Namespace, services, ports)
}

// gatewayServices names the services that carry a Gateway: the one that istiod deploys, or those that its addresses name.
func (c *conversion) gatewayServices(r resource.Of[*gateway.Gateway], controller string) ([]string, *problem) {
	if isManaged(r.Spec) {
		name := r.Annotations[nameOverride]
		if name == "" {
			name = suffixedName(r.Name, r.Spec.Spec.GatewayClassName, controller)
		}
		return []string{name + "." + r.Namespace + ".svc." + c.DomainSuffix}, nil
	}
	var services, skipped []string
	for _, a := range r.Spec.Spec.Addresses {
		if a.Type != nil && *a.Type != gateway.HostnameAddressType {
			skipped = append(skipped, a.Value)
			continue
		}
		host := a.Value
		if !strings.Contains(host, ".") {
			host += "." + r.Namespace + ".svc." + c.DomainSuffix
		}
		services = append(services, host)
	}
	if len(skipped) > 0 {
		return services, &problem{reason: "UnsupportedAddress", message: fmt.Sprintf("only Hostname is supported, ignoring %v", skipped), place: "spec.addresses"}
	}
	if _, ok := r.Annotations["networking.istio.io/service-type"]; ok {
		return services, &problem{
			reason: "DeprecatedField", message: "annotation networking.istio.io/service-type is deprecated, use Spec.Infrastructure.Routeability",
			place: "metadata.annotations",
		}
	}
	return services, nil
}

// isManaged tells whether istiod deploys the Gateway: it does unless the addresses name a service, or are several.
func isManaged(g *gateway.Gateway) bool {
	switch addresses := g.Spec.Addresses; len(addresses) {
	case 0:
		return true
	case 1:
		return orElse(addresses[0].Type, gateway.IPAddressType) == gateway.IPAddressType
	}
	return false
}

// serviceAccountOf is the account of the pods that istiod deploys, "" for those that others do.
func (c *conversion) serviceAccountOf(r resource.Of[*gateway.Gateway], controller string) string {
	if !isManaged(r.Spec) {
		return ""
	}
	if own := r.Annotations[serviceAccount]; own != "" {
		return own
	}
	return suffixedName(r.Name, r.Spec.Spec.GatewayClassName, controller)
}

func listenerAnnotations(r *resource.Resource, l gateway.Listener, services []string, account string) map[string]string {
	return map[string]string{
		parentsAnnotation: r.Kind + "/" + r.Name + "/" + string(l.Name) + "." + r.Namespace,
		gatewaySemantics:  "gateway", gatewayService: strings.Join(services, ","), serviceAccountAnnotation: account,
	}
}

// addListener files a listener as a parent of routes and, where it is valid, its Gateway among the results. The tunnels of waypoints and
// east-west gateways are made without either.
func (c *conversion) addListener(h holder, key parentKey, l gateway.Listener, i int, made listener, annotations map[string]string, status *ListenerStatus) {
	if h.controller == waypointController || h.controller == eastWestController && l.Port == hbonePort {
		return
	}
	name := h.Name + "~" + generated + "~" + string(l.Name)
	c.parents[key] = append(c.parents[key], &parent{
		internalName: h.Namespace + "/" + name, kinds: made.status.SupportedKinds, hosts: made.server.GetHosts(), hostname: string(orElse(l.Hostname, "")),
		section: l.Name, port: l.Port, protocol: l.Protocol, status: status,
	})
	// A server that should end TLS and has no settings for it would be refused.
	needsTLS := l.Protocol == gateway.HTTPSProtocolType || l.Protocol == gateway.TLSProtocolType
	if !made.valid || needsTLS && made.server.GetTls() == nil {
		return
	}
	r := istioResource("Gateway", h.Namespace, name, annotations, h.Resource, listenerOrigin(h.Resource, i))
	spec := &networking.Gateway{Servers: []*networking.Server{made.server}}
	r.Object = spec
	c.result.Gateways = append(c.result.Gateways, resource.Of[*networking.Gateway]{Resource: r, Spec: spec})
}

// listenerOrigin leads from a place in an Istio Gateway to the listener that it was made from.
func listenerOrigin(r *resource.Resource, i int) func(path string) resource.Source {
	at := resource.Index("spec.listeners", i)
	return func(path string) resource.Source {
		rest, ok := strings.CutPrefix(path, "spec.servers[0]")
		if !ok {
			return r.At(at)
		}
		switch {
		case strings.HasPrefix(rest, ".hosts"):
			return r.At(at + ".hostname")
		case strings.HasPrefix(rest, ".port.protocol"):
			return r.At(at + ".protocol")
		case strings.HasPrefix(rest, ".port"):
			return r.At(at + ".port")
		case strings.HasPrefix(rest, ".tls.credentialName"):
			return r.At(at + ".tls.certificateRefs")
		case strings.HasPrefix(rest, ".tls"):
			return r.At(at + ".tls")
		}
		return r.At(at)
	}
}

// badParameters says why a Gateway's parametersRef leads to nothing that istiod could use.
func (c *conversion) badParameters(r resource.Of[*gateway.Gateway]) *problem {
	if r.Spec.Spec.Infrastructure == nil || r.Spec.Spec.Infrastructure.ParametersRef == nil {
		return nil
	}
	const place = "spec.infrastructure.parametersRef"
	ref := r.Spec.Spec.Infrastructure.ParametersRef
	if ref.Group != "" || ref.Kind != "ConfigMap" {
		return &problem{reason: "InvalidParameters", place: place,
			message: fmt.Sprintf("Unsupported parametersRef group/kind %s/%s, only ConfigMap is supported", ref.Group, ref.Kind)}
	}
	if c.Find("ConfigMap", "", r.Namespace, ref.Name) == nil {
		return &problem{reason: "InvalidParameters", place: place, message: fmt.Sprintf("parametersRef ConfigMap %s/%s does not exist", r.Namespace, ref.Name)}
	}
	return nil
}

// badClientCertificate says what is wrong with the certificate that a Gateway shows to backends.
func (c *conversion) badClientCertificate(r resource.Of[*gateway.Gateway]) *problem {
	settings := r.Spec.Spec.TLS
	if settings == nil || settings.Backend == nil || settings.Backend.ClientCertificateRef == nil {
		return nil
	}
	const place = "spec.tls.backend.clientCertificateRef"
	const reason = "InvalidClientCertificateRef"
	ref := settings.Backend.ClientCertificateRef
	shown := fmt.Sprintf("%s/%s/%s.%s", orElse(ref.Group, ""), orElse(ref.Kind, ""), ref.Name, orElse(ref.Namespace, ""))
	if (groupKind{string(orElse(ref.Group, "")), string(orElse(ref.Kind, "Secret"))}) != (groupKind{"", "Secret"}) {
		return &problem{reason: reason, message: "invalid clientCertificateRef " + shown + ", only secret is allowed", place: place}
	}
	namespace := string(orElse(ref.Namespace, gateway.Namespace(r.Namespace)))
	if namespace != r.Namespace && !c.granted(groupKind{gatewayGroup, "Gateway"}, r.Namespace, groupKind{"", "Secret"}, namespace, string(ref.Name)) {
		return &problem{reason: refNotPermitted, place: place, message: fmt.Sprintf(
			"clientCertificateRef %s/%s not accessible to a Gateway in namespace %q (missing a ReferenceGrant?)", ref.Name, namespace, r.Namespace)}
	}
	if why := c.badCertificate(namespace, string(ref.Name)); why != "" {
		return &problem{reason: reason, message: "invalid clientCertificateRef " + shown + ", " + why, place: place}
	}
	return nil
}

// programmed says whether the services of a Gateway take connections on its ports.
func (c *conversion) programmed(namespace string, services []string, ports []uint32) Condition {
	ok := valid("Programmed", "Resource programmed")
	if len(services) == 0 {
		return ok.or(&problem{reason: "UnsupportedAddress", message: "Failed to assign to any requested addresses", place: "spec.addresses"})
	}
	found := c.Instances(namespace, services, ports)
	if len(found.Internal) > 0 {
		ok.Message = "Resource programmed, assigned to service(s) " + listing(found.Internal)
	}
	if len(found.Warnings) == 0 {
		return ok
	}
	bad := &problem{reason: "AddressNotAssigned", place: "spec.addresses", message: "Failed to assign to any requested addresses: " + strings.Join(found.Warnings, "; ")}
	if found.Unusable {
		bad.reason = "AddressNotUsable"
	}
	if len(found.Internal) > 0 {
		bad.message = "Assigned to service(s) " + listing(found.Internal) + ", but failed to assign to all requested addresses: " + strings.Join(found.Warnings, "; ")
	}
	return ok.or(bad)
}

// addresses are those of load balancers, else the services' own names.
func (c *conversion) addresses(namespace string, services []string, ports []uint32) []Address {
	if len(services) == 0 {
		return nil
	}
	found := c.Instances(namespace, services, ports)
	values := found.External
	if len(values) == 0 {
		for _, internal := range found.Internal {
			host, _, _ := strings.Cut(internal, ":")
			if !slices.Contains(values, host) {
				values = append(values, host)
			}
		}
	}
	var out []Address
	for _, v := range values {
		kind := string(gateway.HostnameAddressType)
		if _, err := netip.ParseAddr(v); err == nil {
			kind = string(gateway.IPAddressType)
		}
		out = append(out, Address{Type: kind, Value: v})
	}
	return out
}
