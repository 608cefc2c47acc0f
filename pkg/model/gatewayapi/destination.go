package gatewayapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"
)

// destination turns a backend into a destination. A backend that is not found, not permitted or of an unknown kind is a problem and yet a
// destination: one without a host, which no cluster has, gets the share of requests that the backend would have got.
// A nil destination means that the whole route is refused.
func (c *conversion) destination(ref gateway.BackendRef, from route, enforce bool) (*networking.Destination, *problem) {
	kind := groupKind{string(orElse(ref.Group, "")), string(orElse(ref.Kind, "Service"))}
	namespace := string(orElse(ref.Namespace, gateway.Namespace(from.Namespace)))
	name := string(ref.Name)
	if enforce && namespace != from.Namespace && !c.granted(from.groupKind(), from.Namespace, kind, namespace, name) {
		return &networking.Destination{}, &problem{reason: refNotPermitted, message: fmt.Sprintf(
			"backendRef %s/%s not accessible to a %s in namespace %q (missing a ReferenceGrant?)", name, namespace, from.Kind, from.Namespace)}
	}
	missing := func(what string) *problem {
		return &problem{reason: backendMissing, message: "backend(" + what + ") not found"}
	}
	var host string
	var bad *problem
	switch kind {
	case groupKind{"", "Service"}, groupKind{multiclusterGroup, "ServiceImport"}:
		if kind.kind == "Service" && strings.Contains(name, ".") {
			return nil, &problem{reason: "InvalidDestination", message: "service name invalid; the name of the Service must be used, not the hostname."}
		}
		host = name + "." + namespace + ".svc." + c.DomainSuffix
		if c.Find("Service", "", namespace, name) == nil {
			bad = missing(host)
		}
	case groupKind{istioGroup, "Hostname"}:
		if ref.Namespace != nil {
			return nil, &problem{reason: "InvalidDestination", message: "namespace may not be set with Hostname type"}
		}
		host = name
		if _, ok := c.Service(host, namespace); !ok {
			bad = missing(host)
		}
	case groupKind{experimentalGroup, "XBackend"}:
		return c.externalBackend(ref, namespace)
	case groupKind{inferenceGroup, "InferencePool"}:
		return c.inferencePool(name, namespace)
	default:
		return &networking.Destination{}, &problem{reason: invalidKind, message: fmt.Sprintf("referencing unsupported backendRef: group %q kind %q", kind.group, kind.kind)}
	}
	if ref.Port == nil {
		return nil, &problem{reason: "InvalidDestination", message: "port is required in backendRef"}
	}
	return &networking.Destination{Host: host, Port: &networking.PortSelector{Number: uint32(*ref.Port)}}, bad
}

// externalBackend turns a reference to a Backend into a destination; the Backend itself has a port, so the reference need not name one
// (https://gateway-api.sigs.k8s.io/geps/gep-4731/).
func (c *conversion) externalBackend(ref gateway.BackendRef, namespace string) (*networking.Destination, *problem) {
	name := string(ref.Name)
	r := c.Find("XBackend", experimentalGroup, namespace, name)
	if r == nil {
		return &networking.Destination{}, &problem{reason: backendMissing, message: "backend(" + name + ") not found"}
	}
	spec := r.Object.(*gatewayx.XBackend).Spec
	port := gateway.PortNumber(spec.Port.Port)
	if ref.Port != nil && *ref.Port != port {
		return &networking.Destination{}, &problem{reason: backendMissing, message: fmt.Sprintf("backend(%s) does not expose port %d, expected %d", name, *ref.Port, port)}
	}
	host := externalHost(&spec)
	if host == "" {
		return &networking.Destination{}, &problem{reason: backendMissing, message: "backend(" + name + ") has no hostname"}
	}
	var bad *problem
	if _, ok := c.Service(host, namespace); !ok {
		bad = &problem{reason: backendMissing, message: "backend(" + host + ") not found"}
	}
	return &networking.Destination{Host: host, Port: &networking.PortSelector{Number: uint32(port)}}, bad
}

func externalHost(spec *gatewayx.BackendSpec) string {
	if spec.ExternalHostname == nil {
		return ""
	}
	return string(spec.ExternalHostname.Hostname)
}

// Labels of the Service that stands for an InferencePool: who picks its endpoints, and on which port.
const (
	pickerService = "istio.io/inferencepool-extension-service"
	pickerPort    = "istio.io/inferencepool-extension-port"
)

// inferencePool turns a reference to an InferencePool into a destination: the Service that istiod makes for it.
func (c *conversion) inferencePool(name, namespace string) (*networking.Destination, *problem) {
	if strings.Contains(name, ".") {
		return nil, &problem{reason: "InvalidDestination", message: "InferencePool.Name invalid; the name of the InferencePool must be used, not the hostname."}
	}
	if c.Find("InferencePool", inferenceGroup, namespace, name) == nil {
		return &networking.Destination{}, &problem{reason: backendMissing, message: "backend(" + name + ") not found"}
	}
	host := inferenceService(name) + "." + namespace + ".svc." + c.DomainSuffix
	labels, ok := c.Service(host, namespace)
	if !ok {
		return &networking.Destination{}, &problem{reason: backendMissing, message: "backend(" + host + ") not found"}
	}
	if labels[pickerService] == "" || labels[pickerPort] == "" {
		return nil, &problem{reason: "InvalidDestination", message: "InferencePool service invalid, extensionRef labels not found"}
	}
	return &networking.Destination{Host: host}, nil
}

// inferenceService is the name that istiod gives the Service of an InferencePool.
func inferenceService(pool string) string {
	sum := sha256.Sum256([]byte(pool))
	return pool + "-ip-" + hex.EncodeToString(sum[:])[:8]
}

// entryHosts are the hosts of a ServiceEntry, none where there is no such entry.
func (c *conversion) entryHosts(namespace, name string) []string {
	r := c.Find("ServiceEntry", istioGroup, namespace, name)
	if r == nil {
		return nil
	}
	return r.Object.(*networking.ServiceEntry).GetHosts()
}

// servicePort is the number of a Service's port by name.
func servicePort(svc *core.Service, name string) (uint32, bool) {
	for _, p := range svc.Spec.Ports {
		if p.Name == name {
			return uint32(p.Port), true
		}
	}
	return 0, false
}

// isSoft tells whether a route goes on without the backend.
func isSoft(p *problem) bool {
	return p.reason == refNotPermitted || p.reason == backendMissing || p.reason == invalidKind
}

// weigh returns the backends that have a share, with their weights: none for a single one.
func weigh(refs []gateway.BackendRef) (used []int, weights []int32) {
	for i, ref := range refs {
		if w := orElse(ref.Weight, 1); w != 0 {
			used, weights = append(used, i), append(weights, w)
		}
	}
	if len(weights) == 1 {
		weights[0] = 0
	}
	return used, weights
}
