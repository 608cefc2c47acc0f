package model

import (
	"cmp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Proxies returns those of the proxies file, or, without one, those that the input describes: a sidecar a workload and gateways by
// selector. Ordered by namespace then name.
func (m *Mesh) Proxies() []*Proxy { return m.proxies() }

func (m *Mesh) buildProxies() []*Proxy {
	var out []*Proxy
	if m.proxiesGiven {
		out = m.completeProxies()
	} else {
		out = m.derivedProxies()
	}
	slices.SortStableFunc(out, func(a, b *Proxy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// completeProxies adds to the proxies of the file what the input knows of them: where they come from, annotations, locality.
func (m *Mesh) completeProxies() []*Proxy {
	t := m.workloads()
	out := make([]*Proxy, 0, len(m.givenProxies))
	for _, given := range m.givenProxies {
		p := *given
		own := t.podByName[[2]string{p.Namespace, p.Name}]
		if own == nil && p.IP != "" {
			if own = t.podByIP[p.IP]; own != nil && own.Namespace != p.Namespace {
				own = nil
			}
		}
		if own != nil {
			p.Source, p.Annotations, p.Node = own.At(""), own.Annotations, own.Spec.Spec.NodeName
			if p.Locality == "" {
				p.Locality = m.podLocality(own.labels, own.Spec.Spec.NodeName)
			}
		}
		if p.IP == "" {
			key := addressKey("Pod", p.Namespace, p.Name)
			p.IP = madeUp(madeUpPods, []string{key}, map[string]bool{})[key]
		}
		out = append(out, &p)
	}
	return out
}

func (m *Mesh) derivedProxies() []*Proxy {
	var out []*Proxy
	seen := map[string]bool{}
	add := func(p *Proxy) {
		if id := p.ID(); !seen[id] {
			seen[id] = true
			out = append(out, p)
		}
	}
	for _, w := range m.Workloads() {
		if w.Gateway || w.Injected {
			p := m.workloadProxy(w)
			if seen[p.ID()] {
				// Two workloads of one name: the kind tells them apart.
				p.Name += "-" + strings.ToLower(w.Kind)
			}
			add(p)
		}
	}
	for _, g := range m.assumed() {
		add(m.assumedRouter(g))
	}
	if len(out) == 0 {
		for _, p := range m.assumedSidecars() {
			add(p)
		}
	}
	return out
}

func (m *Mesh) workloadProxy(w *Workload) *Proxy {
	p := &Proxy{
		Name: w.Name, Namespace: w.Namespace, Type: Sidecar, IP: w.Addresses[0], Labels: w.Labels, ServiceAccount: w.ServiceAccount,
		Source: w.Source, Annotations: w.Annotations,
	}
	if w.Gateway {
		p.Type = Router
	}
	if p.ServiceAccount == "" {
		p.ServiceAccount = "default"
	}
	var base *Endpoint
	switch {
	case len(w.pods) > 0:
		base = m.podEndpoint(w.pods[0])
		p.Labels = w.pods[0].labels
	case w.entry != nil:
		base = m.entryWorkloadEndpoint(w)
	default:
		base = m.workloadEndpoint(w)
	}
	p.Locality, p.Network, p.Node = base.Locality, base.Labels[networkLabel], base.Node
	p.Located = located(p.Labels, p.Locality, m.Settings.ClusterID, p.Network, p.Node)
	return p
}

func (m *Mesh) assumedRouter(g assumedGateway) *Proxy {
	key := addressKey("Gateway", g.namespace, g.name)
	return &Proxy{
		Name: g.name, Namespace: g.namespace, Type: Router, IP: madeUp(madeUpPods, []string{key}, map[string]bool{})[key],
		Labels: g.labels, ServiceAccount: g.serviceAccount, Network: m.Settings.Network, Assumed: g.why, Source: g.source,
		Annotations: g.annotations,
	}
}

// assumedSidecars stands in for the workloads of an input that holds mesh configuration and no proxy: one for each namespace that
// holds some, with the labels that the configuration selects, so that its effect can be seen.
func (m *Mesh) assumedSidecars() []*Proxy {
	labels := map[string][]map[string]string{}
	found := false
	for _, r := range m.resources {
		if !isMeshConfiguration(r) {
			continue
		}
		found = true
		if r.Namespace == "" || r.Namespace == systemNamespace || r.Namespace == m.Settings.RootNamespace() {
			continue
		}
		if _, ok := labels[r.Namespace]; !ok {
			labels[r.Namespace] = nil
		}
		if s := selectorOf(r.Object); len(s) > 0 && !slices.ContainsFunc(labels[r.Namespace], func(o map[string]string) bool {
			return Selects(o, s) && Selects(s, o)
		}) {
			labels[r.Namespace] = append(labels[r.Namespace], s)
		}
	}
	if !found && len(m.Settings.Sources) == 0 {
		return nil
	}
	if len(labels) == 0 {
		labels["default"] = nil
	}
	var out []*Proxy
	for _, ns := range sortedKeys(labels) {
		out = append(out, m.assumedSidecar(ns, labels[ns]))
	}
	return out
}

func (m *Mesh) assumedSidecar(ns string, selectors []map[string]string) *Proxy {
	const name = "assumed-sidecar"
	var own map[string]string
	why := "the input holds mesh configuration but no workloads; a sidecar is assumed in namespace " + ns
	if len(selectors) == 1 {
		own = selectors[0]
		why += ", with the labels that the configuration selects"
	}
	key := addressKey("Pod", ns, name)
	return &Proxy{
		Name: name, Namespace: ns, Type: Sidecar, IP: madeUp(madeUpPods, []string{key}, map[string]bool{})[key],
		Labels: withInjectedLabels(own, name), ServiceAccount: "default", Network: m.Settings.Network, Assumed: why,
	}
}

// isMeshConfiguration tells whether a resource shapes what proxies are told.
func isMeshConfiguration(r *resource.Resource) bool {
	switch r.Group() {
	case "networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io", "gateway.networking.k8s.io", "install.istio.io":
		return true
	case "":
		return r.Kind == "Service"
	}
	return r.Kind == "Ingress"
}

// selectorOf returns the labels of the workloads that a resource is for.
func selectorOf(object any) map[string]string {
	switch o := object.(type) {
	case *networking.Sidecar:
		return o.GetWorkloadSelector().GetLabels()
	case *networking.EnvoyFilter:
		return o.GetWorkloadSelector().GetLabels()
	case *networking.DestinationRule:
		return o.GetWorkloadSelector().GetMatchLabels()
	case *security.PeerAuthentication:
		return o.GetSelector().GetMatchLabels()
	case *security.RequestAuthentication:
		return o.GetSelector().GetMatchLabels()
	case *security.AuthorizationPolicy:
		return o.GetSelector().GetMatchLabels()
	}
	return nil
}
