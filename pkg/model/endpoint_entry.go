package model

import (
	"net/netip"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// entryEndpoints adds those of one host of a ServiceEntry. istiod keeps a ServiceEntry with several addresses as several services of one name,
// each with all endpoints, so they come once for each address.
func (m *Mesh) entryEndpoints(s *Service, out map[string][]*Endpoint) {
	if s.Resolution == Passthrough && len(s.Selector) == 0 {
		return
	}
	entry, ok := s.Source.Resource.Object.(*networking.ServiceEntry)
	if !ok {
		return
	}
	for range max(1, len(s.Addresses)) {
		switch {
		case len(entry.GetEndpoints()) > 0:
			m.inlineEndpoints(s, entry, out)
		case entry.GetWorkloadSelector() != nil:
			m.selectedByEntry(s, entry, out)
		case s.Resolution == DNSLB || s.Resolution == DNSRoundRobinLB:
			m.ownHostEndpoints(s, entry, out)
		}
	}
}

func (m *Mesh) inlineEndpoints(s *Service, entry *networking.ServiceEntry, out map[string][]*Endpoint) {
	r := s.Source.Resource
	for i, e := range entry.GetEndpoints() {
		base := m.entryEndpoint(r.Namespace, r.Name+"-"+strconv.Itoa(i), e, e.GetLabels())
		base.Source = r.At(resource.Index("spec.endpoints", i))
		for _, p := range entry.GetPorts() {
			out[p.GetName()] = append(out[p.GetName()], base.onPort(entryPort(p, e)))
		}
	}
}

// selectedByEntry adds what a workloadSelector picks: pods and workloads, then WorkloadEntries.
func (m *Mesh) selectedByEntry(s *Service, entry *networking.ServiceEntry, out map[string][]*Endpoint) {
	onPorts := func(base *Endpoint) {
		for _, p := range entry.GetPorts() {
			out[p.GetName()] = append(out[p.GetName()], base.onPort(entryPort(p, nil)))
		}
	}
	selector := entry.GetWorkloadSelector().GetLabels()
	if len(selector) == 0 {
		return
	}
	for _, p := range m.workloads().pods[s.Namespace].selected(selector) {
		onPorts(m.podEndpoint(p))
	}
	for _, w := range m.WorkloadsMatching(s.Namespace, selector) {
		if w.entry == nil && len(w.pods) == 0 {
			onPorts(m.workloadEndpoint(w))
		}
	}
	for _, w := range m.WorkloadsMatching(s.Namespace, selector) {
		if w.entry == nil || s.Resolution == ClientSideLB && !isAddress(w.entry.GetAddress()) {
			continue
		}
		base := m.entryWorkloadEndpoint(w)
		for _, p := range entry.GetPorts() {
			out[p.GetName()] = append(out[p.GetName()], base.onPort(entryPort(p, w.entry)))
		}
	}
}

// selectedEntries adds the WorkloadEntries that a Kubernetes Service selects.
func (m *Mesh) selectedEntries(s *Service, out map[string][]*Endpoint) {
	for _, w := range m.WorkloadsMatching(s.Namespace, s.Selector) {
		if w.entry == nil || !isAddress(w.entry.GetAddress()) {
			continue
		}
		base, own := m.entryWorkloadEndpoint(w), w.entry.GetPorts()
		for _, port := range s.Ports {
			target, ok := targetPort(port, own)
			// The entry's port of the Service port's name wins over a numbered targetPort.
			if named := own[port.Name]; named != 0 && port.TargetPortName == "" {
				target, ok = named, true
			}
			if ok {
				out[port.Name] = append(out[port.Name], base.onPort(target))
			}
		}
	}
}

func (m *Mesh) entryWorkloadEndpoint(w *Workload) *Endpoint {
	base := m.entryEndpoint(w.Namespace, w.Name, w.entry, entryLabels(w.entry, w.Source.Resource.Labels))
	base.Source = w.Source
	return base
}

// ownHostEndpoints makes the host itself the endpoint, for names that the proxy resolves.
func (m *Mesh) ownHostEndpoints(s *Service, entry *networking.ServiceEntry, out map[string][]*Endpoint) {
	for i, p := range entry.GetPorts() {
		out[p.GetName()] = append(out[p.GetName()], &Endpoint{
			Address: s.Hostname, Port: entryPort(p, nil), TLSMode: tlsModeDisabled, Namespace: s.Namespace, Ready: true,
			WorkloadName: s.Source.Resource.Name,
			Source:       s.Source.Resource.At(resource.Index("spec.ports", i)),
		})
	}
}

// entryEndpoint describes a WorkloadEntry, or a ServiceEntry's endpoint, without a port.
func (m *Mesh) entryEndpoint(namespace, name string, e *networking.WorkloadEntry, labels map[string]string) *Endpoint {
	tlsMode := labels[tlsModeLabel]
	if tlsMode == "" {
		if tlsMode = tlsModeDisabled; e.GetServiceAccount() != "" {
			tlsMode = tlsModeIstio
		}
	}
	locality := e.GetLocality()
	if locality == "" {
		locality = labelledLocality(labels)
	}
	out := m.describe(&Endpoint{
		Address: e.GetAddress(), TLSMode: tlsMode, ServiceAccount: m.spiffe(namespace, e.GetServiceAccount()), Locality: locality,
		Network: e.GetNetwork(), Weight: e.GetWeight(), WorkloadName: name, Namespace: namespace, Ready: true,
	}, labels, "")
	// Where the entry does not name its network, failoverPriority alone looks at the one that labels or addresses tell: gateways do not count.
	out.Network = e.GetNetwork()
	return out
}

// entryPort is the number that an endpoint listens on for a ServiceEntry's port.
func entryPort(p *networking.ServicePort, e *networking.WorkloadEntry) uint32 {
	if strings.HasPrefix(e.GetAddress(), "unix:") {
		return 0
	}
	if own, ok := e.GetPorts()[p.GetName()]; ok && own != 0 {
		return own
	}
	if p.GetTargetPort() != 0 {
		return p.GetTargetPort()
	}
	return p.GetNumber()
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
