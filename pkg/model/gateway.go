package model

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/ingress"
	"github.com/meshc/meshc/pkg/model/resource"
)

// gatewayTable holds the Istio Gateways, oldest first.
type gatewayTable struct {
	all []resource.Of[*networking.Gateway]
}

func (m *Mesh) buildGateways() *gatewayTable {
	return &gatewayTable{all: byAge(slices.Concat(m.ownGateways(), m.GatewayAPI().Gateways))}
}

// buildOwnGateways returns the Gateways that have selectors: the input's own and those of Ingresses. They depend on nothing else, so what is
// found out for the others (which services and workloads there are) may ask for them.
func (m *Mesh) buildOwnGateways() []resource.Of[*networking.Gateway] {
	return byAge(slices.Concat(All[*networking.Gateway](m), ingress.Gateways(m.ingressWorld())))
}

// GatewaysFor returns the Istio Gateways that the proxy serves, oldest first: those whose selector picks it, and those of the Gateway API and
// of Ingresses that amount to such.
func (m *Mesh) GatewaysFor(p *Proxy) []resource.Of[*networking.Gateway] {
	if p.Type != Router {
		return nil
	}
	var out []resource.Of[*networking.Gateway]
	for _, g := range m.gateways().all {
		if m.serves(p, g) {
			out = append(out, g)
		}
	}
	return out
}

// GatewayProxies returns the gateway proxies that serve the Gateway, ordered by namespace then name.
func (m *Mesh) GatewayProxies(g resource.Of[*networking.Gateway]) []*Proxy {
	var out []*Proxy
	for _, p := range m.Proxies() {
		if p.Type == Router && m.serves(p, g) {
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
	selected := slices.ContainsFunc(m.ownGateways(), func(g resource.Of[*networking.Gateway]) bool {
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
