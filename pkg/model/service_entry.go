package model

import (
	"net/netip"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// entryServices turns a ServiceEntry into services, one a host (https://istio.io/latest/docs/reference/config/networking/service-entry/).
func (m *Mesh) entryServices(r resource.Of[*networking.ServiceEntry]) []*Service {
	ports := entryPorts(r)
	addresses := entryAddresses(r.Spec)
	exportTo := exportSet(r.Spec.GetExportTo(), m.Settings.Mesh.GetDefaultServiceExportTo())
	out := make([]*Service, 0, len(r.Spec.GetHosts()))
	for i, host := range r.Spec.GetHosts() {
		s := &Service{
			Hostname:        host,
			Name:            host,
			Namespace:       r.Namespace,
			Labels:          r.Labels,
			Ports:           ports,
			Addresses:       addresses,
			Resolution:      entryResolution(r.Spec.GetResolution()),
			MeshExternal:    r.Spec.GetLocation() == networking.ServiceEntry_MESH_EXTERNAL,
			Selector:        r.Spec.GetWorkloadSelector().GetLabels(),
			ExportTo:        exportTo,
			SubjectAltNames: r.Spec.GetSubjectAltNames(),
			Source:          r.At(resource.Index("spec.hosts", i)),
			created:         r.Created,
		}
		out = append(out, s)
	}
	return out
}

func entryResolution(r networking.ServiceEntry_Resolution) Resolution {
	switch r {
	case networking.ServiceEntry_STATIC:
		return ClientSideLB
	case networking.ServiceEntry_DNS:
		return DNSLB
	case networking.ServiceEntry_DNS_ROUND_ROBIN:
		return DNSRoundRobinLB
	case networking.ServiceEntry_DYNAMIC_DNS:
		return DynamicDNS
	}
	return Passthrough
}

func entryPorts(r resource.Of[*networking.ServiceEntry]) []*Port {
	var out []*Port
	for i, p := range r.Spec.GetPorts() {
		target := p.GetTargetPort()
		if target == 0 {
			target = p.GetNumber()
		}
		out = append(out, &Port{
			Name:       p.GetName(),
			Number:     p.GetNumber(),
			Protocol:   ParseProtocol(p.GetProtocol()),
			TargetPort: target,
			Source:     r.At(resource.Index("spec.ports", i)),
		})
	}
	return out
}

// entryAddresses returns the valid addresses and CIDRs; a CIDR of one address is that address.
func entryAddresses(spec *networking.ServiceEntry) []string {
	var out []string
	for _, a := range spec.GetAddresses() {
		if _, err := netip.ParseAddr(a); err == nil {
			out = append(out, a)
		} else if cidr, err := netip.ParsePrefix(a); err == nil {
			if cidr.IsSingleIP() {
				a = cidr.Addr().String()
			}
			out = append(out, a)
		}
	}
	return out
}
