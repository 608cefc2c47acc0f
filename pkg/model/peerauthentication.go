package model

import (
	"strconv"

	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// MTLS is the effective PeerAuthentication of a workload.
type MTLS struct {
	// Mode is never UNSET.
	Mode security.PeerAuthentication_MutualTLS_Mode
	// Ports holds modes for target ports that have their own.
	Ports map[uint32]security.PeerAuthentication_MutualTLS_Mode
	// From are the policies that decided, mesh level first; PortFrom those of the ports.
	From     []resource.Source
	PortFrom map[uint32]resource.Source
}

// ForPort returns the mode of a target port.
func (t MTLS) ForPort(port uint32) security.PeerAuthentication_MutualTLS_Mode {
	if mode, ok := t.Ports[port]; ok {
		return mode
	}
	return t.Mode
}

// peerTable holds PeerAuthentications by namespace, oldest first.
type peerTable map[string][]resource.Of[*security.PeerAuthentication]

func (m *Mesh) buildPeers() peerTable {
	return groupBy(byAge(All[*security.PeerAuthentication](m)), func(r resource.Of[*security.PeerAuthentication]) string {
		return r.Namespace
	})
}

// MTLSFor returns what PeerAuthentications ask of a workload with the labels: mesh level, then namespace, then workload; PERMISSIVE where
// nothing is said. (https://istio.io/latest/docs/reference/config/security/peer_authentication/)
func (m *Mesh) MTLSFor(namespace string, labels map[string]string) MTLS {
	t, root := m.peers(), m.Settings.RootNamespace()
	out := MTLS{Mode: security.PeerAuthentication_MutualTLS_PERMISSIVE}
	out.level(firstPeer(t[root], nil))
	if namespace == root {
		return out
	}
	out.level(firstPeer(t[namespace], nil))
	workload := firstPeer(t[namespace], labels)
	out.level(workload)
	if workload != nil {
		out.ports(*workload)
	}
	return out
}

// firstPeer returns the oldest policy without a selector, or, with labels, the oldest whose selector picks them.
func firstPeer(policies []resource.Of[*security.PeerAuthentication], labels map[string]string) *resource.Of[*security.PeerAuthentication] {
	for i := range policies {
		selector := policies[i].Spec.GetSelector().GetMatchLabels()
		if labels == nil && len(selector) == 0 || labels != nil && len(selector) > 0 && Selects(selector, labels) {
			return &policies[i]
		}
	}
	return nil
}

// level takes over the mode of a policy, unless it leaves that to the level above.
func (t *MTLS) level(p *resource.Of[*security.PeerAuthentication]) {
	if p == nil {
		return
	}
	if mode := p.Spec.GetMtls().GetMode(); mode != security.PeerAuthentication_MutualTLS_UNSET {
		t.Mode = mode
		t.From = append(t.From, p.At("spec.mtls"))
	}
}

func (t *MTLS) ports(p resource.Of[*security.PeerAuthentication]) {
	for port, mtls := range p.Spec.GetPortLevelMtls() {
		if t.Ports == nil {
			t.Ports = map[uint32]security.PeerAuthentication_MutualTLS_Mode{}
			t.PortFrom = map[uint32]resource.Source{}
		}
		mode := mtls.GetMode()
		if mode == security.PeerAuthentication_MutualTLS_UNSET {
			mode = t.Mode
		}
		t.Ports[port] = mode
		t.PortFrom[port] = p.At(resource.Key("spec.portLevelMtls", strconv.FormatUint(uint64(port), 10)))
	}
}
