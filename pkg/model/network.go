package model

import (
	"net/netip"

	meshconfig "istio.io/api/mesh/v1alpha1"
)

const networkLabel = "topology.istio.io/network"

// networkTable tells in which network an address is (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshNetworks).
type networkTable struct {
	system   string // by the label of the control plane's namespace
	registry string // of the cluster as a whole
	cidrs    []networkCIDR
}

type networkCIDR struct {
	prefix  netip.Prefix
	network string
}

func (m *Mesh) buildNetworks() networkTable {
	var t networkTable
	labels, _ := m.namespaceLabels(systemNamespace)
	t.system = labels[networkLabel]
	networks := m.Settings.Networks.GetNetworks()
	for _, name := range sortedKeys(networks) {
		for _, e := range networks[name].GetEndpoints() {
			switch ne := e.GetNe().(type) {
			case *meshconfig.Network_NetworkEndpoints_FromRegistry:
				if ne.FromRegistry == m.Settings.ClusterID {
					t.registry = name
				}
			case *meshconfig.Network_NetworkEndpoints_FromCidr:
				if p, err := netip.ParsePrefix(ne.FromCidr); err == nil {
					t.cidrs = append(t.cidrs, networkCIDR{p, name})
				}
			}
		}
	}
	if t.registry == "" && t.system == "" {
		t.registry = m.Settings.Network
	}
	return t
}

// of returns the network of an endpoint: what its labels say, then the control plane's namespace, then MeshNetworks.
func (t networkTable) of(address string, labels map[string]string) string {
	if own := labels[networkLabel]; own != "" {
		return own
	}
	if t.system != "" {
		return t.system
	}
	if t.registry != "" {
		return t.registry
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		best := networkCIDR{}
		for _, c := range t.cidrs {
			if c.prefix.Contains(ip) && (best.network == "" || c.prefix.Bits() > best.prefix.Bits()) {
				best = c
			}
		}
		return best.network
	}
	return ""
}
