// Package gatewayapi turns the Kubernetes Gateway API into Istio's own configuration, as istiod does: each listener becomes a Gateway with one
// server, the routes of a host one VirtualService, policies for backends a DestinationRule. It also tells the status that each resource
// would get, which is where a route that is not attached, or a backend that is not found, is reported
// (https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/).
package gatewayapi

import (
	"cmp"
	"slices"

	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// World is what the conversion reads and what it asks of the mesh.
type World struct {
	Classes         []resource.Of[*gateway.GatewayClass]
	Gateways        []resource.Of[*gateway.Gateway]
	ListenerSets    []resource.Of[*gateway.ListenerSet]
	HTTPRoutes      []resource.Of[*gateway.HTTPRoute]
	GRPCRoutes      []resource.Of[*gateway.GRPCRoute]
	TLSRoutes       []resource.Of[*gateway.TLSRoute]
	TCPRoutes       []resource.Of[*gateway.TCPRoute]
	Grants          []resource.Of[*gateway.ReferenceGrant]
	TLSPolicies     []resource.Of[*gateway.BackendTLSPolicy]
	TrafficPolicies []resource.Of[*gatewayx.XBackendTrafficPolicy]
	Backends        []resource.Of[*gatewayx.XBackend]
	// Namespaces are those with a document, Undocumented the names of the others.
	Namespaces   []resource.Of[*core.Namespace]
	Undocumented []string
	// DomainSuffix is the cluster's DNS domain: cluster.local.
	DomainSuffix string
	// HoldsSecrets tells whether the input holds any Secret. Where it holds none they are kept elsewhere, and certificates are taken to be there.
	HoldsSecrets bool
	// Find returns a resource of the input, nil where there is none.
	Find func(kind, group, namespace, name string) *resource.Resource
	// Service returns the labels of the service with the hostname in the namespace, and whether there is one.
	Service func(hostname, namespace string) (labels map[string]string, ok bool)
	// Instances tells where services would take connections on the ports.
	Instances func(namespace string, hostnames []string, ports []uint32) Instances
}

// Instances are the addresses that a Gateway's services offer.
type Instances struct {
	// Internal are HOSTNAME:PORT, External load balancers' addresses; both ordered.
	Internal, External []string
	// Warnings say why a service or port cannot be used. Unusable tells that one of them is more than a matter of waiting.
	Warnings []string
	Unusable bool
}

// Result is what the Gateway API amounts to. Its resources lead back to those that they were made from by Resource.Origin.
type Result struct {
	// Gateways, VirtualServices and DestinationRules are ordered by namespace and name.
	Gateways         []resource.Of[*networking.Gateway]
	VirtualServices  []resource.Of[*networking.VirtualService]
	DestinationRules []resource.Of[*networking.DestinationRule]
	// Statuses are ordered by kind, namespace and name. Resources of other controllers have none.
	Statuses []ResourceStatus
}

// conversion is the state of one conversion.
type conversion struct {
	*World
	classes map[string]string // name → controller
	parents map[parentKey][]*parent
	// listenersOf are the servers that ListenerSets add to a Gateway.
	listenersOf map[parentKey][]setListener
	ancestors   map[target][]parentKey
	conflicts   map[listenerKey]string
	result      *Result
}

// Convert turns the resources of the Gateway API into Istio's.
func Convert(w *World) *Result {
	c := &conversion{
		World: w, classes: map[string]string{}, parents: map[parentKey][]*parent{}, listenersOf: map[parentKey][]setListener{},
		ancestors: map[target][]parentKey{}, conflicts: map[listenerKey]string{}, result: &Result{},
	}
	c.convertClasses()
	c.findConflicts()
	c.convertListenerSets()
	c.convertGateways()
	c.convertHTTPRoutes()
	c.convertGRPCRoutes()
	c.convertTLSRoutes()
	c.convertTCPRoutes()
	c.convertPolicies()
	c.finish()
	return c.result
}

func (c *conversion) finish() {
	slices.SortStableFunc(c.result.Gateways, compare)
	slices.SortStableFunc(c.result.VirtualServices, compare)
	slices.SortStableFunc(c.result.DestinationRules, compare)
	slices.SortStableFunc(c.result.Statuses, func(a, b ResourceStatus) int {
		return cmp.Or(cmp.Compare(a.Resource.Kind, b.Resource.Kind), cmp.Compare(a.Resource.Namespace, b.Resource.Namespace),
			cmp.Compare(a.Resource.Name, b.Resource.Name))
	})
}

func compare[T any](a, b resource.Of[T]) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// Annotations of what istiod makes of other resources; they are Istio's own business and may change with it.
const (
	parentsAnnotation         = "internal.istio.io/parents"
	parentNamespaceAnnotation = "internal.istio.io/parent-namespace"
	gatewaySemantics          = "internal.istio.io/gateway-semantics"
	routeSemantics            = "internal.istio.io/route-semantics"
	gatewayService            = "internal.istio.io/gateway-service"
	serviceAccountAnnotation  = "internal.istio.io/service-account-name"
	generated                 = "istio-autogenerated-k8s-gateway"
)

// istioResource is a resource of Istio's that was made from others.
func istioResource(kind, namespace, name string, annotations map[string]string, from *resource.Resource, origin func(path string) resource.Source) *resource.Resource {
	return &resource.Resource{
		APIVersion: "networking.istio.io/v1", Kind: kind, Namespace: namespace, NamespaceGiven: true, Name: name, Annotations: annotations,
		Created: from.Created, Document: from.Document, Node: from.Node, Origin: origin,
	}
}

// orElse returns what the pointer leads to, or the default.
func orElse[T any](p *T, byDefault T) T {
	if p == nil {
		return byDefault
	}
	return *p
}
