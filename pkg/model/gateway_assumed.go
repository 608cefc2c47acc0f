package model

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// assumedGateway is a gateway that the input asks for without holding its workload: Istio's own installation, or a controller, would
// make it.
type assumedGateway struct {
	name, namespace string
	labels          map[string]string
	annotations     map[string]string
	serviceAccount  string
	why             string
	source          resource.Source
	// ports are those of the Service that comes with it; nil where none is assumed.
	ports []*Port
}

// buildAssumedGateways returns the gateways that the input asks for and lacks: those of IstioOperator, those that the Gateway API's controller
// makes, and those that an Istio Gateway's selector is meant for. With a proxies file nothing is assumed.
func (m *Mesh) buildAssumedGateways() []assumedGateway {
	if m.proxiesGiven {
		return nil
	}
	var out []assumedGateway
	add := func(g assumedGateway) {
		same := func(o assumedGateway) bool { return o.name == g.name && o.namespace == g.namespace }
		if i := slices.IndexFunc(out, same); i >= 0 {
			out[i].labels = mergedMap(g.labels, out[i].labels)
			return
		}
		out = append(out, g)
	}
	for _, r := range All[*resource.IstioOperator](m) {
		for _, g := range operatorGateways(r) {
			if !m.hasGatewayWorkload(g.labels) {
				add(g)
			}
		}
	}
	for _, r := range All[*gatewayv1.Gateway](m) {
		if g, ok := managedGateway(r); ok && !m.hasGatewayWorkload(map[string]string{gatewayNameLabel: r.Name}) {
			add(g)
		}
	}
	for _, r := range m.ownGateways() {
		selector := r.Spec.GetSelector()
		picked := slices.ContainsFunc(out, func(g assumedGateway) bool { return Selects(selector, g.labels) })
		if !picked && !m.hasGatewayWorkload(selector) {
			add(selectedGateway(r))
		}
	}
	return out
}

// hasGatewayWorkload tells whether the input holds a gateway workload that the selector picks.
func (m *Mesh) hasGatewayWorkload(selector map[string]string) bool {
	return slices.ContainsFunc(m.WorkloadsMatching("", selector), func(w *Workload) bool { return w.Gateway })
}

// selectedGateway is what a Gateway's selector is meant for. Istio's default installation has istio-ingressgateway and
// istio-egressgateway in istio-system; any other is taken to stand in the Gateway's own namespace, named by the selector's values.
func selectedGateway(r resource.Of[*networking.Gateway]) assumedGateway {
	selector := r.Spec.GetSelector()
	g := assumedGateway{namespace: r.Namespace, labels: maps.Clone(selector), source: r.At("spec.selector")}
	g.why = "the input holds no workload that the selector of " + r.ID() + " picks"
	for _, kind := range []string{"ingressgateway", "egressgateway"} {
		if selector["istio"] == kind || selector["app"] == "istio-"+kind || len(selector) == 0 && kind == "ingressgateway" {
			g.name, g.namespace, g.serviceAccount = "istio-"+kind, systemNamespace, "istio-"+kind+"-service-account"
			g.labels = mergedMap(map[string]string{"app": g.name, "istio": kind}, selector)
			g.why += "; " + g.name + " of Istio's default installation is assumed"
			g.ports = defaultGatewayPorts(g.source)
			return g
		}
	}
	var parts []string
	for _, k := range sortedKeys(selector) {
		parts = append(parts, selector[k])
	}
	g.name = nameOf(parts)
	g.serviceAccount = g.name
	g.why += "; a gateway of that label is assumed in namespace " + g.namespace
	return g
}

// nameOf makes a Kubernetes name of label values.
func nameOf(parts []string) string {
	name := strings.ToLower(strings.Join(parts, "-"))
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-"); name == "" {
		return "assumed-gateway"
	}
	return name
}

// managedGateway is the gateway that istiod deploys for a Gateway of the Gateway API
// (https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment).
func managedGateway(r resource.Of[*gatewayv1.Gateway]) (assumedGateway, bool) {
	if class := string(r.Spec.Spec.GatewayClassName); class != "istio" || managedElsewhere(r.Spec) {
		return assumedGateway{}, false
	}
	name := r.Name + "-istio"
	if own := r.Annotations["gateway.istio.io/name-override"]; own != "" {
		name = own
	}
	account := name
	if own := r.Annotations["gateway.istio.io/service-account"]; own != "" {
		account = own
	}
	labels := maps.Clone(r.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[gatewayNameLabel] = r.Name
	labels[managedGatewayLabel] = "istio.io-gateway-controller"
	g := assumedGateway{
		name: name, namespace: r.Namespace, labels: labels, serviceAccount: account, source: r.At("spec"),
		why: "istiod would deploy it for " + r.ID(),
	}
	g.ports = append(g.ports, gatewayPort("status-port", 15021, 15021, r.At("spec")))
	for i, l := range r.Spec.Spec.Listeners {
		number := uint32(l.Port)
		if !slices.ContainsFunc(g.ports, func(p *Port) bool { return p.Number == number }) {
			protocol := strings.ToLower(string(l.Protocol))
			g.ports = append(g.ports, gatewayPort(protocol+"-"+strconv.Itoa(int(number)), number, number, r.At(resource.Index("spec.listeners", i))))
		}
	}
	return g, true
}

// managedElsewhere tells whether the Gateway names an existing Service to attach to.
func managedElsewhere(g *gatewayv1.Gateway) bool {
	return slices.ContainsFunc(g.Spec.Addresses, func(a gatewayv1.GatewaySpecAddress) bool {
		return a.Type != nil && *a.Type == gatewayv1.HostnameAddressType
	})
}

func gatewayPort(name string, number, target uint32, source resource.Source) *Port {
	return &Port{
		Name: name, Number: number, TargetPort: target, Source: source,
		Protocol: PortProtocol(int32(number), name, "TCP", nil),
	}
}

func defaultGatewayPorts(source resource.Source) []*Port {
	return []*Port{
		gatewayPort("status-port", 15021, 15021, source),
		gatewayPort("http2", 80, 8080, source),
		gatewayPort("https", 443, 8443, source),
	}
}

// assumedServices are the Services of assumed gateways, where the input holds none of the name.
func (m *Mesh) assumedServices(existing []*Service) []*Service {
	var out []*Service
	have := map[string]bool{}
	for _, s := range existing {
		have[s.Hostname] = true
	}
	var keys []string
	for _, g := range m.assumed() {
		keys = append(keys, addressKey("Service", g.namespace, g.name))
	}
	used := map[string]bool{}
	for _, s := range existing {
		for _, a := range s.Addresses {
			used[a] = true
		}
	}
	made := madeUp(madeUpClusterIPs, keys, used)
	for _, g := range m.assumed() {
		host := g.name + "." + g.namespace + ".svc." + m.Settings.DomainSuffix
		if len(g.ports) == 0 || have[host] {
			continue
		}
		out = append(out, &Service{
			Hostname: host, Name: g.name, Namespace: g.namespace, Labels: g.labels, Ports: g.ports, Kubernetes: true, Selector: g.labels,
			Addresses: []string{made[addressKey("Service", g.namespace, g.name)]}, ExportTo: map[string]bool{exportPublic: true},
			Assumed: g.why, Source: g.source,
		})
	}
	return out
}
