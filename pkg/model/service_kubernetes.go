package model

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshc/meshc/pkg/model/resource"
)

// exportToAnnotation is where Kubernetes Services say to whom they are visible
// (https://istio.io/latest/docs/reference/config/annotations/#NetworkingExportTo).
const exportToAnnotation = "networking.istio.io/exportTo"

// kubernetesService turns a Kubernetes Service into a service of the mesh.
func (m *Mesh) kubernetesService(r resource.Of[*corev1.Service], madeUp map[string]string) *Service {
	spec := &r.Spec.Spec
	s := &Service{
		Hostname:   r.Name + "." + r.Namespace + ".svc." + m.Settings.DomainSuffix,
		Name:       r.Name,
		Namespace:  r.Namespace,
		Labels:     r.Labels,
		Kubernetes: true,
		Selector:   spec.Selector,
		ExportTo:   exportSet(splitList(r.Annotations[exportToAnnotation]), m.Settings.Mesh.GetDefaultServiceExportTo()),
		Source:     r.At(""),
		created:    r.Created,

		SubjectAltNames: m.annotatedAccounts(r.Annotations, r.Namespace),
	}
	switch {
	case spec.Type == corev1.ServiceTypeExternalName:
		s.ExternalName, s.Resolution, s.MeshExternal = spec.ExternalName, Alias, true
	case spec.ClusterIP == corev1.ClusterIPNone:
		s.Resolution, s.Headless = Passthrough, true
	default:
		s.Addresses = clusterIPs(spec)
		if len(s.Addresses) == 0 {
			s.Addresses = []string{madeUp[addressKey("Service", r.Namespace, r.Name)]}
		}
	}
	for i := range spec.Ports {
		s.Ports = append(s.Ports, kubernetesPort(r.Resource, i, &spec.Ports[i]))
	}
	return s
}

func kubernetesPort(r *resource.Resource, i int, p *corev1.ServicePort) *Port {
	port := &Port{
		Name:       p.Name,
		Number:     uint32(p.Port),
		Protocol:   PortProtocol(p.Port, p.Name, string(p.Protocol), p.AppProtocol),
		TargetPort: uint32(p.Port),
		Source:     r.At(resource.Index("spec.ports", i)),
	}
	switch {
	case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "":
		port.TargetPort, port.TargetPortName = 0, p.TargetPort.StrVal
	case p.TargetPort.IntVal != 0:
		port.TargetPort = uint32(p.TargetPort.IntVal)
	}
	return port
}

// clusterIPs returns the ClusterIPs that the manifest states, the first one first.
func clusterIPs(spec *corev1.ServiceSpec) []string {
	var out []string
	for _, ip := range append([]string{spec.ClusterIP}, spec.ClusterIPs...) {
		if ip != "" && ip != corev1.ClusterIPNone && (len(out) == 0 || ip != out[0]) {
			out = append(out, ip)
		}
	}
	return out
}

func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// addressKey is what a made-up address follows from.
func addressKey(kind, namespace, name string) string { return kind + " " + namespace + "/" + name }
