package model

import (
	"cmp"
	"slices"
)

// ServiceTargets returns the ports of services that select the proxy, ordered by target port. Of those with one target port Kubernetes'
// services come first, then hostnames in order, then the service's ports as it lists them: the first decides how the port is read.
func (m *Mesh) ServiceTargets(p *Proxy) []ServiceTarget {
	named, labels := m.portsOf(p)
	var out []ServiceTarget
	add := func(s *Service, port *Port, target uint32) {
		t := ServiceTarget{Service: s, Port: port, TargetPort: target}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, s := range m.services().byNamespace[p.Namespace] {
		switch {
		case s.Resolution == Alias:
		case len(s.Selector) > 0 && Selects(s.Selector, labels):
			for _, port := range s.Ports {
				if target, ok := targetPort(port, named); ok {
					add(s, port, target)
				}
			}
		case s.Kubernetes && len(s.Selector) == 0 && p.IP != "":
			for _, port := range s.Ports {
				for _, e := range m.Endpoints(s, port) {
					if e.Address == p.IP {
						add(s, port, e.Port)
					}
				}
			}
		}
	}
	for _, t := range m.entryTargets()[p.IP] {
		add(t.Service, t.Port, t.TargetPort)
	}
	slices.SortStableFunc(out, func(a, b ServiceTarget) int {
		return cmp.Or(
			cmp.Compare(a.TargetPort, b.TargetPort),
			cmp.Compare(origin(a.Service), origin(b.Service)),
			cmp.Compare(a.Service.Hostname, b.Service.Hostname),
		)
	})
	return out
}

// buildEntryTargets finds the ports of ServiceEntries by the addresses of their endpoints. A workload is behind an entry that lists its
// address, whatever the namespace.
func (m *Mesh) buildEntryTargets() map[string][]ServiceTarget {
	byAddress := map[string][]ServiceTarget{}
	for _, s := range m.Services() {
		if s.Kubernetes || len(s.Selector) > 0 {
			continue
		}
		for _, port := range s.Ports {
			for _, e := range m.Endpoints(s, port) {
				byAddress[e.Address] = append(byAddress[e.Address], ServiceTarget{Service: s, Port: port, TargetPort: e.Port})
			}
		}
	}
	return byAddress
}

// origin ranks Kubernetes' services before those of ServiceEntries, as istiod meets them.
func origin(s *Service) int {
	if s.Kubernetes {
		return 0
	}
	return 1
}

// portsOf returns the named ports of the proxy's workload, and its labels: the proxy's own where it states any.
func (m *Mesh) portsOf(p *Proxy) (named map[string]uint32, labels map[string]string) {
	labels = p.Labels
	t := m.workloads()
	if own := t.podByName[[2]string{p.Namespace, p.Name}]; own != nil {
		return namedPorts(&own.Spec.Spec), labels
	}
	if own := t.podByIP[p.IP]; own != nil && own.Namespace == p.Namespace {
		return namedPorts(&own.Spec.Spec), labels
	}
	for _, w := range m.WorkloadsMatching(p.Namespace, nil) {
		if w.Name == p.Name || slices.Contains(w.Addresses, p.IP) && p.IP != "" {
			return w.NamedPorts, labels
		}
	}
	return nil, labels
}
