package model

import (
	"github.com/meshc/meshc/pkg/model/resource"
)

// operatorGateways returns the enabled gateways of an IstioOperator
// (https://istio.io/latest/docs/reference/config/istio.operator.v1alpha1/#GatewaySpec). The gateway that some profiles install without
// being asked is found by the selectors of the Gateways that want it.
func operatorGateways(r resource.Of[*resource.IstioOperator]) []assumedGateway {
	var out []assumedGateway
	add := func(gateways []resource.IstioGatewayComponent, field, kind string) {
		for i, g := range gateways {
			if g.Enabled != nil && *g.Enabled {
				out = append(out, operatorGateway(r, g, resource.Index("spec.components."+field, i), kind))
			}
		}
	}
	add(r.Spec.Components.IngressGateways, "ingressGateways", "ingressgateway")
	add(r.Spec.Components.EgressGateways, "egressGateways", "egressgateway")
	return out
}

func operatorGateway(r resource.Of[*resource.IstioOperator], g resource.IstioGatewayComponent, path, kind string) assumedGateway {
	out := assumedGateway{name: g.Name, namespace: g.Namespace, source: r.At(path), why: r.ID() + " installs it"}
	if out.name == "" {
		out.name = "istio-" + kind
	}
	if out.namespace == "" {
		out.namespace = systemNamespace
	}
	out.serviceAccount = out.name + "-service-account"
	out.labels = mergedMap(map[string]string{"app": out.name, "istio": kind}, g.Label)
	out.annotations = g.K8s.PodAnnotations
	for i, p := range g.K8s.Service.Ports {
		target := p.TargetPort
		if target == 0 {
			target = p.Port
		}
		out.ports = append(out.ports, gatewayPort(p.Name, uint32(p.Port), uint32(target), r.At(resource.Index(path+".k8s.service.ports", i))))
	}
	if len(out.ports) == 0 {
		out.ports = defaultGatewayPorts(out.source)
	}
	return out
}
