package meshgen

import "math/rand/v2"

// Guarded draws a mesh that is all about who may call whom: few services, which can be run with plain servers behind them, and many policies.
// Tokens are verified by the key set keys (JSON), which a test has the private keys of.
func Guarded(seed uint64, keys string) *Mesh {
	g := &generator{
		rand: rand.New(rand.NewPCG(seed, 0x67756172)),
		size: Size{Namespaces: 2, Services: 4, Gateways: 2, VirtualServices: 4, Policies: 4, Access: 8, Steady: true},
		keys: keys,
	}
	for _, draw := range []func(*generator){
		(*generator).namespaces,
		(*generator).trustDomains,
		(*generator).services,
		(*generator).ingress,
		(*generator).gateways,
		(*generator).virtualServices,
		(*generator).peerAuthentications,
		(*generator).requestAuthentications,
		(*generator).authorizationPolicies,
	} {
		draw(g)
	}
	return &Mesh{Seed: seed, Documents: g.documents}
}

// trustDomains draws settings that bear on callers' names and on what policies see of paths and addresses.
func (g *generator) trustDomains() {
	g.meshSettings(g.set(object{},
		optional{"trustDomain", 0.3, value("td1.example")},
		optional{"trustDomainAliases", 0.4, g.anyOf([]any{"td2.example"}, []any{"td2.example", "cluster.local"})},
		optional{"pathNormalization", 0.4, func() any {
			return object{"normalization": one(g, "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")}
		}},
		optional{"defaultConfig", 0.4, func() any { return object{"gatewayTopology": object{"numTrustedProxies": g.between(1, 2)}} }},
	))
}
