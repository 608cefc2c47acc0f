package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/meshc/meshc/pkg/model/gatewayapi"
	"github.com/meshc/meshc/pkg/model/ingress"
	"github.com/meshc/meshc/pkg/model/resource"
)

// GatewayAPI returns what the resources of the Kubernetes Gateway API amount to, and the status that each would get. GatewaysFor and a Scope's
// answers include it.
func (m *Mesh) GatewayAPI() *gatewayapi.Result { return m.gatewayAPI() }

func (m *Mesh) convertGatewayAPI() *gatewayapi.Result {
	w := &gatewayapi.World{
		Classes: All[*gatewayv1.GatewayClass](m), Gateways: All[*gatewayv1.Gateway](m), ListenerSets: All[*gatewayv1.ListenerSet](m),
		HTTPRoutes: All[*gatewayv1.HTTPRoute](m), GRPCRoutes: All[*gatewayv1.GRPCRoute](m), TLSRoutes: All[*gatewayv1.TLSRoute](m),
		TCPRoutes: All[*gatewayv1.TCPRoute](m), Grants: All[*gatewayv1.ReferenceGrant](m), TLSPolicies: All[*gatewayv1.BackendTLSPolicy](m),
		TrafficPolicies: All[*gatewayx.XBackendTrafficPolicy](m), Backends: All[*gatewayx.XBackend](m), Namespaces: All[*corev1.Namespace](m),
		DomainSuffix: m.Settings.DomainSuffix, HoldsSecrets: len(m.OfKind("Secret", "")) > 0,
		Find: m.Find, Service: m.serviceLabels, Instances: m.gatewayInstances,
	}
	for _, ns := range m.Namespaces() {
		if _, ok := m.Namespace(ns); !ok {
			w.Undocumented = append(w.Undocumented, ns)
		}
	}
	return gatewayapi.Convert(w)
}

// statedService returns a service of the input, nil where there is none: what meshc merely assumes has no part in a status.
func (m *Mesh) statedService(hostname, namespace string) *Service {
	for _, s := range m.ServicesByHost(hostname) {
		if s.Namespace == namespace && s.Assumed == "" {
			return s
		}
	}
	return nil
}

func (m *Mesh) serviceLabels(hostname, namespace string) (map[string]string, bool) {
	s := m.statedService(hostname, namespace)
	if s == nil {
		return nil, false
	}
	return s.Labels, true
}

// gatewayInstances tells where a Gateway's services take connections on the ports, in istiod's words.
func (m *Mesh) gatewayInstances(namespace string, hostnames []string, ports []uint32) gatewayapi.Instances {
	var out gatewayapi.Instances
	internal, external := map[string]bool{}, map[string]bool{}
	ports = slices.Compact(slices.Sorted(slices.Values(ports)))
	for _, host := range hostnames {
		svc := m.statedService(host, namespace)
		if svc == nil {
			out.Warnings, out.Unusable = append(out.Warnings, m.noService(host, namespace)), true
			continue
		}
		for _, number := range ports {
			if port := svc.Port(number); port != nil && len(m.Endpoints(svc, port)) > 0 {
				internal[host+":"+strconv.Itoa(int(number))] = true
				addresses, pending := loadBalancerAddresses(svc)
				for _, a := range addresses {
					external[a] = true
				}
				if warning := fmt.Sprintf("address pending for hostname %q", host); pending && !slices.Contains(out.Warnings, warning) {
					out.Warnings = append(out.Warnings, warning)
				}
				continue
			}
			warning, unusable := m.noInstances(svc, number)
			if warning != "" {
				out.Warnings = append(out.Warnings, warning)
			}
			out.Unusable = out.Unusable || unusable
		}
	}
	slices.Sort(out.Warnings)
	out.Internal, out.External = sortedKeys(internal), sortedKeys(external)
	return out
}

func (m *Mesh) noService(host, namespace string) string {
	var others []string
	for _, s := range m.ServicesByHost(host) {
		if s.Assumed == "" {
			others = append(others, strconv.Quote(s.Namespace))
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("hostname %q not found", host)
	}
	slices.Sort(others)
	return fmt.Sprintf("hostname %q not found in namespace %q, but it was found in namespace(s) %s", host, namespace, strings.Join(others, ", "))
}

// managedGatewayServiceLabel marks the Services that istiod deploys for Gateways.
const managedGatewayServiceLabel = "gateway.istio.io/managed"

// noInstances says why nobody takes connections on a port of the service.
func (m *Mesh) noInstances(svc *Service, number uint32) (warning string, unusable bool) {
	any := false
	hints := map[string]bool{}
	for _, port := range svc.Ports {
		for _, e := range m.Endpoints(svc, port) {
			any = true
			if e.Port == number {
				hints[strconv.Itoa(int(port.Number))] = true
			}
		}
	}
	_, managed := svc.Labels[managedGatewayServiceLabel]
	switch {
	case !any:
		return fmt.Sprintf("no instances found for hostname %q", svc.Hostname), false
	case len(hints) > 0:
		return fmt.Sprintf("port %d not found for hostname %q (hint: the service port should be specified, not the workload port. Did you mean one of these ports: %v?)",
			number, svc.Hostname, slices.Sorted(maps.Keys(hints))), true
	case managed && svc.Port(number) != nil:
		return "", false
	}
	return fmt.Sprintf("port %d not found for hostname %q", number, svc.Hostname), true
}

// loadBalancerAddresses returns the addresses that a cluster gave a Service of type LoadBalancer; pending tells that it has yet to.
func loadBalancerAddresses(svc *Service) (addresses []string, pending bool) {
	if svc.Source.Resource == nil {
		return nil, false
	}
	object, ok := svc.Source.Resource.Object.(*corev1.Service)
	if !ok {
		return nil, false
	}
	for _, in := range object.Status.LoadBalancer.Ingress {
		if address := cmp.Or(in.IP, in.Hostname); address != "" {
			addresses = append(addresses, address)
		}
	}
	addresses = append(addresses, object.Spec.ExternalIPs...)
	return addresses, len(addresses) == 0 && object.Spec.Type == corev1.ServiceTypeLoadBalancer
}

// Annotations by which istiod binds the Gateways that it makes to services, which no selector can say.
const (
	gatewayServiceAnnotation  = "internal.istio.io/gateway-service"
	parentNamespaceAnnotation = "internal.istio.io/parent-namespace"
)

// BoundServices returns the hostnames and the namespace of the services whose pods serve a Gateway that was made from one of the Gateway API;
// ok is false for others, which have selectors.
func BoundServices(g resource.Of[*networking.Gateway]) (hostnames []string, namespace string, ok bool) {
	bound, ok := g.Annotations[gatewayServiceAnnotation]
	if !ok {
		return nil, "", false
	}
	return strings.Split(bound, ","), cmp.Or(g.Annotations[parentNamespaceAnnotation], g.Namespace), true
}

// serves tells whether the proxy is one that the Gateway is for: by the services that it is bound to, or by its selector.
func (m *Mesh) serves(p *Proxy, g resource.Of[*networking.Gateway]) bool {
	hostnames, namespace, ok := BoundServices(g)
	if !ok {
		return Selects(g.Spec.GetSelector(), p.Labels)
	}
	return slices.ContainsFunc(m.ServiceTargets(p), func(t ServiceTarget) bool {
		return t.Service.Namespace == namespace && slices.Contains(hostnames, t.Service.Hostname)
	})
}

// Converted returns the Istio resources that the Gateway API and Ingresses amount to; none of them is in the input itself.
func (m *Mesh) Converted() (
	gateways []resource.Of[*networking.Gateway], services []resource.Of[*networking.VirtualService], rules []resource.Of[*networking.DestinationRule],
) {
	w := m.ingressWorld()
	api := m.GatewayAPI()
	return slices.Concat(api.Gateways, ingress.Gateways(w)), slices.Concat(api.VirtualServices, ingress.VirtualServices(w)), api.DestinationRules
}
