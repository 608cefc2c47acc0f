package model

import (
	"encoding/json"

	"github.com/meshc/meshc/pkg/model/resource"
)

// operatorGateway is what meshc reads of a gateway in IstioOperator's components
// (https://istio.io/latest/docs/reference/config/istio.operator.v1alpha1/#GatewaySpec).
type operatorGateway struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Enabled   *bool             `json:"enabled"`
	Label     map[string]string `json:"label"`
	K8s       struct {
		Service struct {
			Ports []struct {
				Name       string          `json:"name"`
				Port       uint32          `json:"port"`
				TargetPort json.RawMessage `json:"targetPort"`
			} `json:"ports"`
		} `json:"service"`
	} `json:"k8s"`
}

// operatorGateways returns the enabled gateways of an IstioOperator. The profiles that install an ingress gateway without being asked
// (default, demo and the like) do so only where a Gateway selects it, which is found by the selector.
func operatorGateways(r *resource.Resource) []assumedGateway {
	var out []assumedGateway
	for _, kind := range []struct{ field, label string }{{"ingressGateways", "ingressgateway"}, {"egressGateways", "egressgateway"}} {
		path := "spec.components." + kind.field
		node, ok := r.NodeAt(path)
		if !ok {
			continue
		}
		var value []any
		if node.Decode(&value) != nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			continue
		}
		var gateways []operatorGateway
		if json.Unmarshal(text, &gateways) != nil {
			continue
		}
		for i, g := range gateways {
			if g.Enabled != nil && *g.Enabled {
				out = append(out, g.assume(r, resource.Index(path, i), kind.label))
			}
		}
	}
	return out
}

func (g operatorGateway) assume(r *resource.Resource, path, kind string) assumedGateway {
	out := assumedGateway{
		name: g.Name, namespace: g.Namespace, source: r.At(path),
		why: r.ID() + " installs it",
	}
	if out.name == "" {
		out.name = "istio-" + kind
	}
	if out.namespace == "" {
		out.namespace = systemNamespace
	}
	out.serviceAccount = out.name + "-service-account"
	out.labels = mergedMap(map[string]string{"app": out.name, "istio": kind}, g.Label)
	for i, p := range g.K8s.Service.Ports {
		target := p.Port
		if n := uint32(0); json.Unmarshal(p.TargetPort, &n) == nil && n != 0 {
			target = n
		}
		out.ports = append(out.ports, gatewayPort(p.Name, p.Port, target, r.At(resource.Index(path+".k8s.service.ports", i))))
	}
	if len(out.ports) == 0 {
		out.ports = defaultGatewayPorts(out.source)
	}
	return out
}
