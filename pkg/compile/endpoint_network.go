package compile

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// networkGateway is a way into a network from outside: a gateway that hands on mTLS by its server name.
type networkGateway struct {
	address string
	port    uint32
}

// networkGateways are the gateways of each network that MeshNetworks gives addresses for, by address then port.
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#Network)
func (b *builder) networkGateways() map[string][]networkGateway {
	out := map[string][]networkGateway{}
	for network, n := range b.mesh.Settings.Networks.GetNetworks() {
		for _, g := range n.GetGateways() {
			if _, err := netip.ParseAddr(g.GetAddress()); err == nil {
				out[network] = append(out[network], networkGateway{g.GetAddress(), g.GetPort()})
			}
		}
		slices.SortFunc(out[network], func(x, y networkGateway) int {
			return cmp.Or(cmp.Compare(x.address, y.address), cmp.Compare(x.port, y.port))
		})
	}
	return out
}

// acrossNetworks puts the gateways of other networks in the place of the endpoints there. All weights are multiplied so that gateways can
// share those of the endpoints behind them evenly. Endpoints of a network without gateways are taken to be reachable, and behind gateways
// are only those that speak mTLS, without which there is no server name.
func (b *builder) acrossNetworks(groups []*localityGroup) []*localityGroup {
	gateways := b.networkGateways()
	factor := uint32(1)
	any := false
	for _, gs := range gateways {
		if len(gs) > 0 {
			factor = lcm(factor, uint32(len(gs)))
			any = true
		}
	}
	if !any {
		return groups
	}
	for _, g := range groups {
		all := *g
		g.endpoints, g.lb = nil, nil
		weights := map[networkGateway]uint32{}
		from := map[networkGateway][]resource.Source{}
		for i, lb := range all.lb {
			e := all.endpoints[i]
			weight := scaled(lb.GetLoadBalancingWeight().GetValue(), factor)
			ways := gateways[e.Network]
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
		for _, way := range slices.SortedFunc(maps.Keys(weights), func(x, y networkGateway) int {
			return cmp.Or(cmp.Compare(x.address, y.address), cmp.Compare(x.port, y.port))
		}) {
			lb := &endpointv3.LbEndpoint{
				HostIdentifier:      &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: endpointAddress(way.address, way.port)}},
				LoadBalancingWeight: wrapperspb.UInt32(max(1, weights[way])),
				Metadata:            endpointMetadata(";;;;", true),
			}
			b.sources.Add(lb, from[way]...)
			g.add(&model.Endpoint{Address: way.address, Port: way.port, TLSMode: mtlsMode}, lb)
		}
	}
	return groups
}

// inNetwork tells whether the proxy reaches a network directly: its own, or any where one of the two is not known.
func (b *builder) inNetwork(network string) bool {
	return network == "" || b.proxy.Network == "" || network == b.proxy.Network
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
