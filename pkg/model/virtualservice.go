package model

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/ingress"
	"github.com/meshc/meshc/pkg/model/resource"
)

// MeshGateway is the reserved name that binds a VirtualService to sidecars.
const MeshGateway = "mesh"

// virtualServiceTable holds the VirtualServices as they take effect, where those who see them find them.
type virtualServiceTable struct {
	all []*VirtualService // in istiod's order: those without delegates, then those with; each oldest first
	// By gateway: everyone's; by namespace and gateway: a namespace's own, and exported to it by name.
	public   map[string][]*VirtualService
	private  map[[2]string][]*VirtualService
	exported map[[2]string][]*VirtualService
}

// VirtualServices returns the VirtualServices that take effect by themselves (delegates are merged into their roots), oldest first; those
// that delegate come after the others.
func (m *Mesh) VirtualServices() []*VirtualService { return m.virtualServices().all }

func (m *Mesh) buildVirtualServices() *virtualServiceTable {
	t := &virtualServiceTable{
		public: map[string][]*VirtualService{}, private: map[[2]string][]*VirtualService{}, exported: map[[2]string][]*VirtualService{},
	}
	delegates := map[[2]string]*VirtualService{}
	var roots []*VirtualService
	for _, r := range byAge(slices.Concat(All[*networking.VirtualService](m), m.GatewayAPI().VirtualServices, ingress.VirtualServices(m.ingressWorld()))) {
		v := m.writtenOut(r)
		switch {
		case len(v.Spec.GetHosts()) == 0:
			delegates[[2]string{v.Namespace, v.Name}] = v
		case slices.ContainsFunc(v.Spec.GetHttp(), func(h *networking.HTTPRoute) bool { return h.GetDelegate() != nil }):
			roots = append(roots, v)
		default:
			t.all = append(t.all, v)
		}
	}
	for _, root := range roots {
		root.mergeDelegates(delegates)
		t.all = append(t.all, root)
	}
	for _, v := range t.all {
		t.file(v)
	}
	return t
}

func (t *virtualServiceTable) file(v *VirtualService) {
	for _, gw := range v.Gateways() {
		switch {
		case v.ExportTo[exportPublic]:
			t.public[gw] = append(t.public[gw], v)
		case v.ExportTo[exportNone]:
		default:
			if v.ExportTo[exportPrivate] || v.ExportTo[v.Namespace] {
				t.private[[2]string{v.Namespace, gw}] = append(t.private[[2]string{v.Namespace, gw}], v)
			}
			for ns := range v.ExportTo {
				if ns != exportPrivate && ns != v.Namespace {
					t.exported[[2]string{ns, gw}] = append(t.exported[[2]string{ns, gw}], v)
				}
			}
		}
	}
}

// boundTo returns those bound to the gateway that the namespace may see, its own private ones first.
func (t *virtualServiceTable) boundTo(gateway, ns string) []*VirtualService {
	key := [2]string{ns, gateway}
	return slices.Concat(t.private[key], t.exported[key], t.public[gateway])
}

// Gateways returns what the VirtualService is bound to: "mesh" or NAMESPACE/NAME.
func (v *VirtualService) Gateways() []string {
	if len(v.Spec.GetGateways()) == 0 {
		return []string{MeshGateway}
	}
	return v.Spec.GetGateways()
}

// writtenOut copies a VirtualService with every short name written out for its namespace.
func (m *Mesh) writtenOut(r resource.Of[*networking.VirtualService]) *VirtualService {
	spec := proto.CloneOf(r.Spec)
	v := &VirtualService{
		Resource: r.Resource, Spec: spec,
		ExportTo: exportSet(spec.GetExportTo(), m.Settings.Mesh.GetDefaultVirtualServiceExportTo()),
	}
	ns := r.Namespace
	for i, h := range spec.GetHosts() {
		spec.Hosts[i] = m.ResolveHost(h, ns)
	}
	resolveGateways(spec.GetGateways(), ns)
	destination := func(d *networking.Destination) {
		if d != nil {
			d.Host = m.ResolveHost(d.GetHost(), ns)
		}
	}
	for i, h := range spec.GetHttp() {
		v.HTTPFrom = append(v.HTTPFrom, []resource.Source{r.At(resource.Index("spec.http", i))})
		for _, match := range h.GetMatch() {
			resolveGateways(match.GetGateways(), ns)
		}
		for _, w := range h.GetRoute() {
			destination(w.GetDestination())
		}
		destination(h.GetMirror())
		for _, mirror := range h.GetMirrors() {
			destination(mirror.GetDestination())
		}
	}
	for _, t := range spec.GetTcp() {
		for _, match := range t.GetMatch() {
			resolveGateways(match.GetGateways(), ns)
		}
		for _, w := range t.GetRoute() {
			destination(w.GetDestination())
		}
	}
	for _, t := range spec.GetTls() {
		for _, match := range t.GetMatch() {
			resolveGateways(match.GetGateways(), ns)
		}
		for _, w := range t.GetRoute() {
			destination(w.GetDestination())
		}
	}
	return v
}

func resolveGateways(names []string, namespace string) {
	for i, name := range names {
		names[i] = ResolveGateway(name, namespace)
	}
}

// ResolveGateway writes out a gateway's name as a VirtualService of the namespace means it: NAMESPACE/NAME, with "mesh" kept. The old forms
// NAME.NAMESPACE and NAME.NAMESPACE.svc.cluster.local are understood.
func ResolveGateway(name, namespace string) string {
	if name == MeshGateway {
		return name
	}
	if ns, local, ok := strings.Cut(name, "/"); ok {
		if ns == exportPrivate {
			return namespace + "/" + local
		}
		return name
	}
	local, rest, ok := strings.Cut(name, ".")
	if !ok {
		return namespace + "/" + name
	}
	ns, _, _ := strings.Cut(rest, ".")
	return ns + "/" + local
}

// destinations returns the hosts that the VirtualService can send a proxy of the namespace to, each with the ports that it names; a nil
// set means any port. sourceNamespace matches of other namespaces are left out.
func (v *VirtualService) destinations(namespace string) []hostPorts {
	var out []hostPorts
	at := map[string]int{}
	add := func(d *networking.Destination) {
		if d == nil {
			return
		}
		i, ok := at[d.GetHost()]
		if !ok {
			i = len(out)
			at[d.GetHost()] = i
			out = append(out, hostPorts{host: d.GetHost(), ports: map[uint32]bool{}})
		}
		if number := d.GetPort().GetNumber(); number != 0 && out[i].ports != nil {
			out[i].ports[number] = true
		} else {
			out[i].ports = nil
		}
	}
	for _, h := range v.Spec.GetHttp() {
		if !anyFromNamespace(h.GetMatch(), namespace) {
			continue
		}
		for _, w := range h.GetRoute() {
			add(w.GetDestination())
		}
		add(h.GetMirror())
		for _, mirror := range h.GetMirrors() {
			add(mirror.GetDestination())
		}
	}
	for _, t := range v.Spec.GetTcp() {
		if !anyFromNamespace(t.GetMatch(), namespace) {
			continue
		}
		for _, w := range t.GetRoute() {
			add(w.GetDestination())
		}
	}
	for _, t := range v.Spec.GetTls() {
		if !anyFromNamespace(t.GetMatch(), namespace) {
			continue
		}
		for _, w := range t.GetRoute() {
			add(w.GetDestination())
		}
	}
	return out
}

// hostPorts is a destination host with the ports named for it.
type hostPorts struct {
	host  string
	ports map[uint32]bool
}

// anyFromNamespace tells whether a route is for clients of the namespace: no match asks for another one, or some match asks for it.
func anyFromNamespace[M interface{ GetSourceNamespace() string }](matches []M, namespace string) bool {
	ours := true
	for _, m := range matches {
		switch m.GetSourceNamespace() {
		case "":
		case namespace:
			return true
		default:
			ours = false
		}
	}
	return ours
}
