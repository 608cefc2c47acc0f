package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// MeshGateway is the name by which VirtualServices mean all sidecars.
const MeshGateway = "mesh"

// RouteOptions say for whom routes are made and what the mesh knows of their destinations.
type RouteOptions struct {
	// ListenPort is the port that requests come in on, as VirtualServices match it: the service's for a sidecar, the Gateway server's.
	ListenPort uint32
	// Gateways are the names that match.gateways may hold: "mesh" for a sidecar, "NAMESPACE/NAME" for a Gateway.
	Gateways []string
	// Labels and Namespace are the proxy's, for match.sourceLabels and match.sourceNamespace.
	Labels    map[string]string
	Namespace string
	// TLS tells that the listener ends TLS, which is what a redirect's derived port depends on.
	TLS bool
	// Retries is the mesh's default policy, nil for Istio's (https://istio.io/latest/docs/concepts/traffic-management/#retries).
	Retries *networking.HTTPRetry
	// Cluster names the cluster of a destination whose host is written out. Nil means what OutboundCluster says, on the destination's
	// port or else on ListenPort.
	Cluster func(*networking.Destination) string
	// Destination returns what the destination's DestinationRule asks of routes to it; nil for nothing.
	Destination func(*networking.Destination) DestinationPolicy
	// Sources records which YAML shaped each route; never nil.
	Sources *provenance.Map
}

// DestinationPolicy is what the DestinationRule of a destination asks of routes that lead to it.
type DestinationPolicy struct {
	// Hash is the consistent-hash setting of the destination's subset, port or rule; nil without one. HashFrom is where it stands.
	Hash     *networking.LoadBalancerSettings_ConsistentHashLB
	HashFrom resource.Source
}

// HTTPRoutes returns the routes of a VirtualService in its order, one a match; none where no match can hold for the proxy, gateway and
// port. Whatever follows a route that takes every request is left out, since Envoy takes the first that matches.
func HTTPRoutes(vs *model.VirtualService, opts RouteOptions) []*routev3.Route { return nil }

// DefaultRoute returns the route that takes every request to one cluster, as for a service without VirtualService. Operation is
// its name in traces (HOST:PORT/*).
func DefaultRoute(cluster, operation string, opts RouteOptions, policy DestinationPolicy) *routev3.Route {
	return nil
}
