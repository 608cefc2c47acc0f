package translate

import (
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
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
	// ForwardedHost has Envoy tell the destination the host that a rewrite replaced, in X-Forwarded-Host.
	ForwardedHost bool
	// Sources records which YAML shaped each route; never nil.
	Sources *provenance.Map
}

// DestinationPolicy is what the DestinationRule of a destination asks of routes that lead to it.
type DestinationPolicy struct {
	// Hash is the consistent-hash setting of the destination's subset, port or rule; nil without one. HashFrom is where it stands.
	Hash     *networking.LoadBalancerSettings_ConsistentHashLB
	HashFrom resource.Source
}

// cluster names the cluster that the destination means.
func (o *RouteOptions) cluster(d *networking.Destination) string {
	if o.Cluster != nil {
		return o.Cluster(d)
	}
	port := o.ListenPort
	if d.GetPort() != nil {
		port = d.GetPort().GetNumber()
	}
	return OutboundCluster(port, d.GetSubset(), d.GetHost())
}

// policy returns what the destination's rule asks of the route.
func (o *RouteOptions) policy(d *networking.Destination) DestinationPolicy {
	if o.Destination == nil {
		return DestinationPolicy{}
	}
	return o.Destination(d)
}

// semantics tell which API a VirtualService was written for: the converters of the other APIs annotate what they make, and their
// paths match by whole segments.
type semantics string

const (
	istioSemantics   semantics = ""
	gatewaySemantics semantics = "gateway"
	ingressSemantics semantics = "ingress"
)

func semanticsOf(vs *model.VirtualService) semantics {
	return semantics(vs.Annotations["internal.istio.io/route-semantics"])
}

// FromGatewayAPI tells whether a VirtualService was made of a route of the Kubernetes Gateway API.
func FromGatewayAPI(vs *model.VirtualService) bool { return semanticsOf(vs) == gatewaySemantics }

// HTTPRoutes returns the routes of a VirtualService in its order, one a match; none where no match can hold for the proxy, gateway and
// port. Whatever follows a route that takes every request is left out, since Envoy takes the first that matches.
func HTTPRoutes(vs *model.VirtualService, opts RouteOptions) []*routev3.Route {
	var routes []*routev3.Route
	metadata := ConfigMetadata(vs.Resource)
	for i, http := range vs.Spec.GetHttp() {
		if leadsNowhere(http) {
			continue
		}
		b := routeBuilder{RouteOptions: &opts, vs: vs, semantics: semanticsOf(vs), metadata: metadata, from: originOf(vs, i)}
		if len(http.GetMatch()) == 0 {
			return append(routes, b.route(http, nil, b.from))
		}
		for j, match := range http.GetMatch() {
			if !b.applies(match) {
				continue
			}
			r := b.route(http, match, b.from.match(j))
			routes = append(routes, r)
			if TakesAll(r) {
				return routes
			}
		}
	}
	return routes
}

// leadsNowhere tells whether an entry neither answers nor has a destination with a share. Envoy refuses a route table with such a route, and
// Istio refuses such a VirtualService; from files it counts as absent.
func leadsNowhere(http *networking.HTTPRoute) bool {
	if http.GetRedirect() != nil || http.GetDirectResponse() != nil {
		return false
	}
	destinations := http.GetRoute()
	return len(destinations) == 0 || len(destinations) > 1 && !slices.ContainsFunc(destinations, func(d *networking.HTTPRouteDestination) bool {
		return d.GetWeight() > 0
	})
}

// TakesAll tells whether every request matches the route, so that none gets past it.
func TakesAll(r *routev3.Route) bool {
	m := r.GetMatch()
	if len(m.GetHeaders()) > 0 || len(m.GetQueryParameters()) > 0 || len(m.GetDynamicMetadata()) > 0 {
		return false
	}
	return m.GetPrefix() == "/" || m.GetPathSeparatedPrefix() == "/" || m.GetSafeRegex().GetRegex() == "*"
}

// DefaultRoute returns the route that takes every request to one cluster, as for a service without VirtualService. Operation is
// its name in traces (HOST:PORT/*).
func DefaultRoute(cluster, operation string, opts RouteOptions, policy DestinationPolicy) *routev3.Route {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
		// Unlike under a VirtualService, a retry avoids the hosts already tried even where requests are hashed to one.
		RetryPolicy: RetryPolicy(opts.Retries, false),
	}
	action.AppendXForwardedHost = opts.ForwardedHost
	setTimeout(action, nil)
	addHashPolicy(action, policy, opts.Sources)
	return &routev3.Route{
		Name:      "default",
		Match:     RouteMatch(nil, false),
		Decorator: &routev3.Decorator{Operation: operation},
		Action:    &routev3.Route_Route{Route: action},
	}
}

// routeBuilder makes the routes of one http entry of a VirtualService.
type routeBuilder struct {
	*RouteOptions
	vs        *model.VirtualService
	semantics semantics
	metadata  *corev3.Metadata
	from      origin
}

// applies tells whether a match can hold at all for the proxy. Gateways, where given, decide alone.
func (b *routeBuilder) applies(m *networking.HTTPMatchRequest) bool {
	if m.GetPort() != 0 && m.GetPort() != b.ListenPort {
		return false
	}
	return SourceMatches(m.GetGateways(), m.GetSourceLabels(), m.GetSourceNamespace(), b.RouteOptions)
}

// SourceMatches tells whether the part of an HTTP, TLS or TCP match that concerns the proxy itself holds for the proxy of the options: a
// list of gateways, where there is one, decides alone; otherwise labels and namespace must be the proxy's.
func SourceMatches(gateways []string, labels map[string]string, namespace string, opts *RouteOptions) bool {
	if len(gateways) > 0 {
		return slices.ContainsFunc(gateways, func(g string) bool { return slices.Contains(opts.Gateways, g) })
	}
	for key, value := range labels {
		if have, ok := opts.Labels[key]; !ok || have != value {
			return false
		}
	}
	return namespace == "" || namespace == opts.Namespace
}

// route makes the route of one match, nil for an entry without matches.
func (b *routeBuilder) route(http *networking.HTTPRoute, match *networking.HTTPMatchRequest, from origin) *routev3.Route {
	out := &routev3.Route{
		Name:       http.GetName(),
		Match:      RouteMatch(match, b.semantics != istioSemantics),
		Metadata:   b.metadata,
		StatPrefix: match.GetStatPrefix(),
	}
	if match.GetName() != "" {
		out.Name += "." + match.GetName()
	}
	b.Sources.Add(out, from.all()...)
	ops := HeaderOperations(http.GetHeaders())
	ops.applyToRoute(out)
	if http.GetHeaders() != nil {
		b.Sources.Add(out, b.from.field("headers")...)
	}
	switch {
	case http.GetRedirect() != nil:
		action := Redirect(http.GetRedirect(), b.ListenPort, b.TLS, b.semantics == gatewaySemantics)
		b.Sources.Add(action, b.from.field("redirect")...)
		out.Action = &routev3.Route_Redirect{Redirect: action}
	case http.GetDirectResponse() != nil:
		action := DirectResponse(http.GetDirectResponse())
		b.Sources.Add(action, b.from.field("directResponse")...)
		out.Action = &routev3.Route_DirectResponse{DirectResponse: action}
	default:
		out.Action = &routev3.Route_Route{Route: b.action(http, out, ops.Authority)}
	}
	out.Decorator = &routev3.Decorator{Operation: b.operation(out)}
	b.addFilters(out, http)
	return out
}

// Names of the HTTP filters that a route configures.
const (
	faultFilter = "envoy.filters.http.fault"
	corsFilter  = "envoy.filters.http.cors"
)

func (b *routeBuilder) addFilters(out *routev3.Route, http *networking.HTTPRoute) {
	if http.GetFault() == nil && http.GetCorsPolicy() == nil {
		return
	}
	filters := map[string]*anypb.Any{}
	if fault := Fault(http.GetFault()); fault != nil {
		b.Sources.Add(fault, b.from.field("fault")...)
		filters[faultFilter] = b.Sources.Pack(fault)
	}
	if cors := CORS(http.GetCorsPolicy()); cors != nil {
		b.Sources.Add(cors, b.from.field("corsPolicy")...)
		filters[corsFilter] = b.Sources.Pack(cors)
	}
	if len(filters) > 0 {
		out.TypedPerFilterConfig = filters
	}
}

// operation names the route in traces: the destination where there is exactly one, else the VirtualService, and what of the path it matches.
func (b *routeBuilder) operation(out *routev3.Route) string {
	path := "/*"
	switch p := out.GetMatch().GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		path = p.Prefix + "*"
	case *routev3.RouteMatch_Path:
		path = p.Path
	case *routev3.RouteMatch_SafeRegex:
		path = p.SafeRegex.GetRegex()
	}
	if _, port, _, host, ok := SplitCluster(out.GetRoute().GetCluster()); ok {
		return Operation(host, port, path)
	}
	return Operation(b.vs.Name, b.ListenPort, path)
}

// Operation is the name of a route in traces: HOST:PORT and the matched path, /* for all.
func Operation(host string, port uint32, path string) string {
	return host + ":" + strconv.FormatUint(uint64(port), 10) + path
}
