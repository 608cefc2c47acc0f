package model

import (
	"cmp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// referencedServices stands in for the Services of an input that holds none: one for each host of the cluster that a VirtualService or
// DestinationRule names, so that a document by itself compiles to something that can be looked at. Where the input holds any
// Service or ServiceEntry, or a proxies file says what the mesh is, nothing is made up.
func (m *Mesh) referencedServices(existing []*Service) []*Service {
	if m.proxiesGiven || len(existing) > 0 {
		return nil
	}
	refs := &references{mesh: m, byHost: map[string]*Service{}}
	for _, r := range All[*networking.DestinationRule](m) {
		refs.add(r.Spec.GetHost(), r.Namespace, 0, r.At("spec.host"))
	}
	for _, r := range All[*networking.VirtualService](m) {
		refs.virtualService(r)
	}
	return refs.services()
}

type references struct {
	mesh   *Mesh
	byHost map[string]*Service
}

func (refs *references) virtualService(r resource.Of[*networking.VirtualService]) {
	destination := func(d *networking.Destination, path string) {
		refs.add(d.GetHost(), r.Namespace, d.GetPort().GetNumber(), r.At(path+".destination.host"))
	}
	for i, h := range r.Spec.GetHosts() {
		refs.add(h, r.Namespace, 0, r.At(resource.Index("spec.hosts", i)))
	}
	for i, route := range r.Spec.GetHttp() {
		for j, d := range route.GetRoute() {
			destination(d.GetDestination(), resource.Index(resource.Index("spec.http", i)+".route", j))
		}
	}
	for i, route := range r.Spec.GetTcp() {
		for j, d := range route.GetRoute() {
			destination(d.GetDestination(), resource.Index(resource.Index("spec.tcp", i)+".route", j))
		}
	}
	for i, route := range r.Spec.GetTls() {
		for j, d := range route.GetRoute() {
			destination(d.GetDestination(), resource.Index(resource.Index("spec.tls", i)+".route", j))
		}
	}
}

// add notes a host with a port, 0 for none said; only names of the cluster's own domain can be Services.
func (refs *references) add(host, namespace string, port uint32, source resource.Source) {
	host = refs.mesh.ResolveHost(host, namespace)
	short, ok := strings.CutSuffix(host, ".svc."+refs.mesh.Settings.DomainSuffix)
	name, ns, two := strings.Cut(short, ".")
	if !ok || !two || strings.ContainsAny(short, "*") || strings.Contains(ns, ".") {
		return
	}
	svc := refs.byHost[host]
	if svc == nil {
		svc = &Service{
			Hostname: host, Name: name, Namespace: ns, Kubernetes: true, ExportTo: map[string]bool{exportPublic: true}, Source: source,
			Assumed: "the input holds no Services; one is assumed because " + source.Resource.ID() + " names its host", FromReference: true,
		}
		refs.byHost[host] = svc
	}
	if port != 0 && svc.Port(port) == nil {
		svc.Ports = append(svc.Ports, &Port{Name: "http", Number: port, Protocol: HTTP, TargetPort: port, Source: source})
	}
}

func (refs *references) services() []*Service {
	keys := make([]string, 0, len(refs.byHost))
	for _, svc := range refs.byHost {
		keys = append(keys, addressKey("Service", svc.Namespace, svc.Name))
	}
	made := madeUp(madeUpClusterIPs, keys, map[string]bool{})
	out := make([]*Service, 0, len(refs.byHost))
	for _, host := range sortedKeys(refs.byHost) {
		svc := refs.byHost[host]
		svc.Addresses = []string{made[addressKey("Service", svc.Namespace, svc.Name)]}
		if len(svc.Ports) == 0 {
			svc.Ports = []*Port{{Name: "http", Number: 80, Protocol: HTTP, TargetPort: 80, Source: svc.Source}}
		}
		slices.SortFunc(svc.Ports, func(a, b *Port) int { return cmp.Compare(a.Number, b.Number) })
		out = append(out, svc)
	}
	return out
}
