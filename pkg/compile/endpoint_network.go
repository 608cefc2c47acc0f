package compile

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

const (
	// networkLabel on a Service says into which network its workloads lead, and gatewayPortLabel by which port if not 15443.
	networkLabel       = "topology.istio.io/network"
	gatewayPortLabel   = "networking.istio.io/gatewayPort"
	defaultGatewayPort = 15443
)

// networkGateway is a way into a network from outside: a gateway that hands on mTLS by its server name.
type networkGateway struct {
	address string
	port    uint32
}

func compareGateways(x, y networkGateway) int {
	return cmp.Or(cmp.Compare(x.address, y.address), cmp.Compare(x.port, y.port))
}

// networkGateways are the gateways into each network, and the least weight that all numbers of them divide, 0 where there are none. Gateways
// are the Services that a label or MeshNetworks names, at the addresses that their status gives, or else the addresses in MeshNetworks.
// Names are left out: nobody resolves them here.
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#Network)
func networkGateways(networks *meshconfig.MeshNetworks, services []*model.Service) (gateways map[string][]networkGateway, factor uint32) {
	addressed, served := map[string][]networkGateway{}, map[string][]networkGateway{}
	named := map[string][]namedGateway{}
	for network, n := range networks.GetNetworks() {
		for _, g := range n.GetGateways() {
			if name := g.GetRegistryServiceName(); name != "" {
				named[name] = append(named[name], namedGateway{network, g.GetPort()})
			} else if _, err := netip.ParseAddr(g.GetAddress()); err == nil {
				addressed[network] = append(addressed[network], networkGateway{g.GetAddress(), g.GetPort()})
			}
		}
	}
	for _, svc := range services {
		ways := named[svc.Hostname]
		if network := svc.Labels[networkLabel]; network != "" {
			ways = append(ways, namedGateway{network, portIntoNetwork(svc)})
		}
		for _, way := range ways {
			for _, address := range externalAddresses(svc) {
				served[way.network] = append(served[way.network], networkGateway{address, way.port})
			}
		}
	}
	gateways, factor = map[string][]networkGateway{}, 1
	for _, network := range slices.Concat(slices.Collect(maps.Keys(addressed)), slices.Collect(maps.Keys(served))) {
		all := slices.Concat(addressed[network], served[network])
		factor = lcm(factor, uint32(len(all)))
		if own := served[network]; len(own) > 0 {
			// Endpoints of this cluster are best reached by the gateways of this cluster.
			all = own
			factor = lcm(factor, uint32(len(all)))
		}
		slices.SortFunc(all, compareGateways)
		gateways[network] = all
	}
	if len(gateways) == 0 {
		return nil, 0
	}
	return gateways, factor
}

// namedGateway is a network that a Service leads into, by a port.
type namedGateway struct {
	network string
	port    uint32
}

func portIntoNetwork(svc *model.Service) uint32 {
	if port, err := strconv.ParseUint(svc.Labels[gatewayPortLabel], 10, 16); err == nil {
		return uint32(port)
	}
	return defaultGatewayPort
}

// externalAddresses are the IP addresses under which a Service is known outside its cluster.
func externalAddresses(svc *model.Service) []string {
	if svc.Source.Resource == nil {
		return nil
	}
	s, ok := svc.Source.Resource.Object.(*corev1.Service)
	if !ok {
		return nil
	}
	var out []string
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		if ingress.IP != "" {
			out = append(out, ingress.IP)
		}
	}
	return append(out, s.Spec.ExternalIPs...)
}

// acrossNetworks puts the gateways of other networks in the place of the endpoints there. All weights are multiplied so that gateways can
// share those of the endpoints behind them evenly. Endpoints of a network without gateways are taken to be reachable, and behind gateways
// are only those that speak mTLS, without which there is no server name.
func (b *endpointBuilder) acrossNetworks(groups []*localityGroup) []*localityGroup {
	if b.factor == 0 {
		return groups
	}
	for _, g := range groups {
		all := *g
		g.endpoints, g.lb = nil, nil
		weights := map[networkGateway]uint32{}
		from := map[networkGateway][]resource.Source{}
		for i, lb := range all.lb {
			e := all.endpoints[i]
			weight := scaled(lb.GetLoadBalancingWeight().GetValue(), b.factor)
			ways := b.gateways[e.Network]
			if len(ways) == 0 || b.inNetwork(e.Network) {
				lb.LoadBalancingWeight = wrapperspb.UInt32(weight)
				g.add(e, lb)
				continue
			}
			if !markedMTLS(lb) {
				continue
			}
			for _, way := range ways {
				weights[way] += weight / uint32(len(ways))
				from[way] = append(from[way], e.Source)
			}
		}
		for _, way := range slices.SortedFunc(maps.Keys(weights), compareGateways) {
			lb := &endpointv3.LbEndpoint{
				HostIdentifier:      &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: endpointAddress(way.address, way.port)}},
				LoadBalancingWeight: wrapperspb.UInt32(max(1, weights[way])),
				Metadata:            b.endpointMetadata(";;;;", true),
			}
			b.sources.Add(lb, from[way]...)
			g.add(&model.Endpoint{Address: way.address, Port: way.port, TLSMode: mtlsMode}, lb)
		}
	}
	return groups
}

// inNetwork tells whether the proxy reaches a network directly: its own, or one that is not known. A proxy that does not know its own takes
// the gateways of others.
func (b *builder) inNetwork(network string) bool {
	return network == "" || network == b.proxy.Network
}

func scaled(weight, factor uint32) uint32 {
	return uint32(min(uint64(max(1, weight))*uint64(factor), math.MaxUint32))
}

func lcm(a, b uint32) uint32 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
