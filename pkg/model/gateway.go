package model

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

// gatewayTable holds the Istio Gateways, oldest first.
type gatewayTable struct {
	all []resource.Of[*networking.Gateway]
}

func (m *Mesh) buildGateways() *gatewayTable {
	return &gatewayTable{all: byAge(All[*networking.Gateway](m))}
}

// GatewaysFor returns the Istio Gateways whose selector picks the proxy, oldest first.
func (m *Mesh) GatewaysFor(p *Proxy) []resource.Of[*networking.Gateway] {
	if p.Type != Router {
		return nil
	}
	var out []resource.Of[*networking.Gateway]
	for _, g := range m.gateways().all {
		if Selects(g.Spec.GetSelector(), p.Labels) {
			out = append(out, g)
		}
	}
	return out
}

// GatewayProxies returns the gateway proxies that the Gateway's selector picks, ordered by namespace then name.
func (m *Mesh) GatewayProxies(g resource.Of[*networking.Gateway]) []*Proxy {
	var out []*Proxy
	for _, p := range m.Proxies() {
		if p.Type == Router && Selects(g.Spec.GetSelector(), p.Labels) {
			out = append(out, p)
		}
	}
	return out
}

// looksLikeGateway tells whether a workload's pods are gateways: those that ask for the gateway template, those that are labelled as one, and
// those that a Gateway selects and that run nothing but a proxy.
func (m *Mesh) looksLikeGateway(w *Workload) bool {
	if w.entry != nil {
		return false
	}
	if slices.Contains(templateNames(w.Labels, w.Annotations), "gateway") || w.Labels[managedGatewayLabel] != "" {
		return true
	}
	named := isGatewayName(w.Labels["istio"]) || w.Labels["operator.istio.io/component"] == "IngressGateways" ||
		w.Labels["operator.istio.io/component"] == "EgressGateways"
	onlyProxy := w.podSpec != nil && len(w.podSpec.Containers) == 1 && isProxyContainer(w)
	if named {
		return true
	}
	selected := slices.ContainsFunc(m.gateways().all, func(g resource.Of[*networking.Gateway]) bool {
		return len(g.Spec.GetSelector()) > 0 && Selects(g.Spec.GetSelector(), w.Labels)
	})
	return selected && (onlyProxy || isGatewayName(w.Labels["app"]) || isGatewayName(w.Name))
}

func isGatewayName(name string) bool {
	return strings.Contains(name, "gateway") || strings.HasSuffix(name, "-gw") || strings.HasPrefix(name, "ingress") || strings.HasPrefix(name, "egress")
}

func isProxyContainer(w *Workload) bool {
	c := w.podSpec.Containers[0]
	return c.Name == proxyContainer || c.Image == "auto" || strings.Contains(c.Image, "istio/proxyv2")
}
