package model

import (
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// endpointTable holds the endpoints of services, worked out when first asked for.
type endpointTable struct {
	slices    map[[2]string][]resource.Of[*discoveryv1.EndpointSlice] // namespace, service name
	legacy    map[[2]string]resource.Of[*corev1.Endpoints]
	nodes     map[string]*corev1.Node
	perHost   sync.Map // serviceKey → func() map[string][]*Endpoint, by port name
	networks  networkTable
	trust     string
	clusterID string
}

// Endpoints returns the addresses behind a port of the service: from EndpointSlices and Endpoints, else from Pods, else from workloads that the
// selector picks (with made-up addresses); for ServiceEntries from endpoints, WorkloadEntries and selected Pods. They come in the order
// in which istiod lists them: by the name of the EndpointSlice and in its order, by workload name, in the ServiceEntry's order.
func (m *Mesh) Endpoints(svc *Service, port *Port) []*Endpoint {
	t := m.endpoints()
	key := svc.identity()
	load, ok := t.perHost.Load(key)
	if !ok {
		load, _ = t.perHost.LoadOrStore(key, sync.OnceValue(func() map[string][]*Endpoint { return m.endpointsOf(key) }))
	}
	return load.(func() map[string][]*Endpoint)()[port.Name]
}

func (m *Mesh) buildEndpoints() *endpointTable {
	t := &endpointTable{
		slices: map[[2]string][]resource.Of[*discoveryv1.EndpointSlice]{}, legacy: map[[2]string]resource.Of[*corev1.Endpoints]{},
		nodes: map[string]*corev1.Node{}, networks: m.buildNetworks(), trust: m.Settings.TrustDomain(), clusterID: m.Settings.ClusterID,
	}
	for _, r := range All[*discoveryv1.EndpointSlice](m) {
		if svc := r.Labels[discoveryv1.LabelServiceName]; svc != "" && r.Spec.AddressType != discoveryv1.AddressTypeFQDN {
			key := [2]string{r.Namespace, svc}
			t.slices[key] = append(t.slices[key], r)
		}
	}
	for _, r := range All[*corev1.Endpoints](m) {
		t.legacy[[2]string{r.Namespace, r.Name}] = r
	}
	for _, r := range All[*corev1.Node](m) {
		t.nodes[r.Name] = r.Spec
	}
	return t
}

// endpointsOf collects the endpoints of every service that has the hostname in the namespace, by port name.
func (m *Mesh) endpointsOf(key serviceKey) map[string][]*Endpoint {
	out := map[string][]*Endpoint{}
	for _, s := range m.services().hosts[key.hostname] {
		if s.Namespace != key.namespace {
			continue
		}
		if s.Kubernetes {
			m.kubernetesEndpoints(s, out)
		} else {
			m.entryEndpoints(s, out)
		}
	}
	return out
}

// kubernetesEndpoints adds those of a Kubernetes Service.
func (m *Mesh) kubernetesEndpoints(s *Service, out map[string][]*Endpoint) {
	if s.Resolution == Alias {
		return
	}
	t, key := m.endpoints(), [2]string{s.Namespace, s.Name}
	switch {
	case len(t.slices[key]) > 0:
		seen := map[[2]string]bool{}
		for _, r := range t.slices[key] {
			m.sliceEndpoints(s, r, seen, out)
		}
	case t.legacy[key].Resource != nil:
		m.legacyEndpoints(t.legacy[key], out)
	case len(s.Selector) > 0:
		m.selectedEndpoints(s, out)
	}
	if len(s.Selector) > 0 {
		m.selectedEntries(s, out)
	}
}

// sliceEndpoints adds those of an EndpointSlice that no other of the Service's has listed: by address and port name, which are in seen. One
// that moves stands in two for a while
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#duplicate-endpoints).
func (m *Mesh) sliceEndpoints(s *Service, r resource.Of[*discoveryv1.EndpointSlice], seen map[[2]string]bool, out map[string][]*Endpoint) {
	for i, e := range r.Spec.Endpoints {
		health := healthOf(s, e.Conditions)
		for _, address := range e.Addresses {
			node, zone := "", ""
			if e.NodeName != nil {
				node = *e.NodeName
			}
			if e.Zone != nil {
				zone = *e.Zone
			}
			base := m.addressEndpoint(r.Namespace, address, e.TargetRef, node, zone)
			base.Ready, base.Health, base.Source = health == Healthy, health, r.At(resource.Index("endpoints", i))
			for _, p := range r.Spec.Ports {
				if p.Port == nil || p.Protocol != nil && *p.Protocol == corev1.ProtocolUDP {
					continue
				}
				name := ""
				if p.Name != nil {
					name = *p.Name
				}
				if key := [2]string{address, name}; !seen[key] {
					seen[key] = true
					out[name] = append(out[name], base.onPort(uint32(*p.Port)))
				}
			}
		}
	}
}

// healthOf reads the conditions of an endpoint. One that is about to end drains where its service keeps sessions.
func healthOf(s *Service, c discoveryv1.EndpointConditions) Health {
	orTrue := func(v *bool) bool { return v == nil || *v }
	switch {
	case orTrue(c.Ready):
		return Healthy
	case s.KeepsSessions() && orTrue(c.Serving) && orTrue(c.Terminating):
		return Draining
	case c.Terminating != nil && *c.Terminating:
		return Terminating
	}
	return Unhealthy
}

func (m *Mesh) legacyEndpoints(r resource.Of[*corev1.Endpoints], out map[string][]*Endpoint) {
	for i, subset := range r.Spec.Subsets {
		add := func(a corev1.EndpointAddress, ready bool) {
			node := ""
			if a.NodeName != nil {
				node = *a.NodeName
			}
			base := m.addressEndpoint(r.Namespace, a.IP, a.TargetRef, node, "")
			base.Ready, base.Source = ready, r.At(resource.Index("subsets", i))
			if !ready {
				base.Health = Unhealthy
			}
			for _, p := range subset.Ports {
				out[p.Name] = append(out[p.Name], base.onPort(uint32(p.Port)))
			}
		}
		for _, a := range subset.Addresses {
			add(a, true)
		}
		for _, a := range subset.NotReadyAddresses {
			add(a, false)
		}
	}
}

// onPort returns a copy for a port.
func (e *Endpoint) onPort(port uint32) *Endpoint {
	c := *e
	c.Port = port
	return &c
}

// addressEndpoint describes an address that an EndpointSlice lists, by the pod behind it where the input holds that.
func (m *Mesh) addressEndpoint(namespace, address string, ref *corev1.ObjectReference, node, zone string) *Endpoint {
	t := m.workloads()
	var p *pod
	if ref != nil && ref.Kind == "Pod" {
		p = t.podByName[[2]string{namespace, ref.Name}]
	} else if p = t.podByIP[address]; p != nil && p.Namespace != namespace {
		p = nil
	}
	if p != nil {
		e := m.podEndpoint(p)
		e.Address = address
		return e
	}
	locality := m.nodeLocality(node)
	if locality == "" && zone != "" && node == "" {
		locality = "/" + zone
	}
	return m.describe(&Endpoint{Address: address, Namespace: namespace, TLSMode: tlsModeDisabled, Locality: locality, Ready: true}, nil, node)
}

// podEndpoint describes a pod as an endpoint without a port.
func (m *Mesh) podEndpoint(p *pod) *Endpoint {
	spec := &p.Spec.Spec
	e := &Endpoint{
		Address: p.address, Namespace: p.Namespace, WorkloadName: p.workloadName(), TLSMode: firstLabel(p.labels, tlsModeDisabled, tlsModeLabel),
		ServiceAccount: m.spiffe(p.Namespace, p.serviceAccount()), Locality: m.podLocality(p.labels, spec.NodeName), Ready: true,
		Source: p.At(""),
	}
	if spec.Subdomain != "" {
		e.SubDomain = spec.Subdomain
		if e.HostName = spec.Hostname; e.HostName == "" {
			e.HostName = p.Name
		}
	}
	return m.describe(e, p.labels, spec.NodeName)
}

// describe adds what istiod adds to every endpoint's labels: where it is.
func (m *Mesh) describe(e *Endpoint, labels map[string]string, node string) *Endpoint {
	t := m.endpoints()
	e.Node = node
	if e.Network == "" {
		e.Network = t.networks.of(e.Address, labels)
	}
	e.Labels = located(labels, e.Locality, t.clusterID, e.Network, node)
	return e
}

// located adds to labels where something is, for failoverPriority to look at.
func located(labels map[string]string, locality, cluster, network, node string) map[string]string {
	out := make(map[string]string, len(labels)+5)
	for k, v := range labels {
		out[k] = v
	}
	region, zone, subzone := SplitLocality(locality)
	for k, v := range map[string]string{
		corev1.LabelTopologyRegion: region, corev1.LabelTopologyZone: zone, "topology.istio.io/subzone": subzone,
		"topology.istio.io/cluster": cluster, networkLabel: network, corev1.LabelHostname: node,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// spiffe is the identity of a service account.
func (m *Mesh) spiffe(namespace, account string) string {
	if account == "" {
		return ""
	}
	return "spiffe://" + m.Settings.TrustDomain() + "/ns/" + namespace + "/sa/" + account
}

// selectedEndpoints adds the pods that the Service selects, and the workloads of which the input has no pods.
func (m *Mesh) selectedEndpoints(s *Service, out map[string][]*Endpoint) {
	for _, p := range m.workloads().pods[s.Namespace].selected(s.Selector) {
		base := m.podEndpoint(p)
		m.addPorts(s, base, namedPorts(&p.Spec.Spec), out)
	}
	for _, w := range m.WorkloadsMatching(s.Namespace, s.Selector) {
		if len(w.pods) > 0 || w.entry != nil {
			continue
		}
		m.addPorts(s, m.workloadEndpoint(w), w.NamedPorts, out)
	}
}

func (m *Mesh) addPorts(s *Service, base *Endpoint, named map[string]uint32, out map[string][]*Endpoint) {
	for _, port := range s.Ports {
		if target, ok := targetPort(port, named); ok {
			out[port.Name] = append(out[port.Name], base.onPort(target))
		}
	}
}

// targetPort returns the number that a workload with the named ports listens on for a service port; ok is false where it has no port of
// the name.
func targetPort(port *Port, named map[string]uint32) (number uint32, ok bool) {
	if port.TargetPortName == "" {
		return port.TargetPort, true
	}
	number, ok = named[port.TargetPortName]
	return number, ok
}

// workloadEndpoint describes a workload of which the input holds no pods: one endpoint, whatever its replicas.
func (m *Mesh) workloadEndpoint(w *Workload) *Endpoint {
	node := ""
	if w.podSpec != nil {
		node = w.podSpec.NodeName
	}
	e := &Endpoint{
		Address: w.Addresses[0], Namespace: w.Namespace, WorkloadName: w.Name, TLSMode: firstLabel(w.Labels, tlsModeDisabled, tlsModeLabel),
		ServiceAccount: m.spiffe(w.Namespace, w.ServiceAccount), Locality: m.podLocality(w.Labels, node), Ready: true, Source: w.Source,
	}
	if set := w.statefulSet(); set != "" {
		e.SubDomain, e.HostName = set, w.Name+"-0"
	}
	return m.describe(e, w.Labels, node)
}

// podLocality is where a pod runs: by its own label, else by its node's
// (https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/).
func (m *Mesh) podLocality(labels map[string]string, node string) string {
	if own := labelledLocality(labels); own != "" {
		return own
	}
	return m.nodeLocality(node)
}

// labelledLocality is where labels say that something is, "" where they do not. Labels of Kubernetes cannot hold slashes, dots stand in.
// (https://istio.io/latest/docs/reference/config/labels/#TopologyLocality)
func labelledLocality(labels map[string]string) string {
	locality, ok := labels["topology.istio.io/locality"]
	if !ok {
		locality = labels["istio-locality"]
	}
	if strings.Contains(locality, "/") {
		return locality
	}
	return strings.ReplaceAll(locality, ".", "/")
}

func (m *Mesh) nodeLocality(name string) string {
	node := m.endpoints().nodes[name]
	if node == nil {
		return ""
	}
	region := firstLabel(node.Labels, "", corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion)
	zone := firstLabel(node.Labels, "", corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone)
	return joinLocality(region, zone, node.Labels["topology.istio.io/subzone"])
}

// SplitLocality splits region/zone/subzone; missing parts are "".
func SplitLocality(locality string) (region, zone, subzone string) {
	parts := strings.SplitN(locality, "/", 3)
	parts = append(parts, "", "")
	return parts[0], parts[1], parts[2]
}

func joinLocality(region, zone, subzone string) string {
	parts := []string{region, zone, subzone}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = slices.Delete(parts, len(parts)-1, len(parts))
	}
	return strings.Join(parts, "/")
}
