package model

import (
	"cmp"
	"slices"
	"time"

	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// serviceTable holds every service, in the orders that the questions ask for.
type serviceTable struct {
	byHost []*Service // by hostname, then namespace
	byAge  []*Service // oldest first, as istiod lists them
	// hosts maps hostname to its services, oldest first.
	hosts map[string][]*Service
	// byNamespace holds Kubernetes Services and ServiceEntries by the namespace that they stand in, oldest first.
	byNamespace map[string][]*Service
	// Visibility: everyone's, one namespace's own, and exported to a namespace by name.
	public   []*Service
	private  map[string][]*Service
	exported map[string][]*Service
}

// Services returns every service of the mesh, ordered by hostname then namespace.
func (m *Mesh) Services() []*Service { return m.services().byHost }

// ServicesByHost returns the services that answer to the hostname, oldest first; several namespaces can offer one name.
func (m *Mesh) ServicesByHost(hostname string) []*Service { return m.services().hosts[hostname] }

func (m *Mesh) buildServices() *serviceTable {
	t := &serviceTable{
		hosts: map[string][]*Service{}, byNamespace: map[string][]*Service{},
		private: map[string][]*Service{}, exported: map[string][]*Service{},
	}
	kubernetes := All[*corev1.Service](m)
	madeUp := madeUpServiceAddresses(kubernetes)
	for _, r := range kubernetes {
		t.byAge = append(t.byAge, m.kubernetesService(r, madeUp))
	}
	entries := []*Service{}
	for _, r := range All[*networking.ServiceEntry](m) {
		entries = append(entries, m.entryServices(r)...)
	}
	allocateAddresses(entries)
	t.byAge = append(t.byAge, entries...)
	referenced := m.referencedServices(t.byAge)
	t.byAge = append(t.byAge, m.assumedServices(t.byAge)...)
	t.byAge = append(t.byAge, referenced...)
	slices.SortStableFunc(t.byAge, func(a, b *Service) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
	})
	t.byHost = slices.Clone(t.byAge)
	slices.SortStableFunc(t.byHost, func(a, b *Service) int {
		return cmp.Or(cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.Namespace, b.Namespace))
	})
	for _, s := range t.byAge {
		if ns, ok := m.Namespace(s.Namespace); ok {
			s.namespaceDistribution = ns.Annotations[trafficDistribution]
		}
		t.hosts[s.Hostname] = append(t.hosts[s.Hostname], s)
		t.byNamespace[s.Namespace] = append(t.byNamespace[s.Namespace], s)
		t.file(s)
	}
	return t
}

// file puts the service where those who may see it find it.
func (t *serviceTable) file(s *Service) {
	switch {
	case s.ExportTo[exportPublic]:
		t.public = append(t.public, s)
	case s.ExportTo[exportNone]:
	default:
		for ns := range s.ExportTo {
			if ns == exportPrivate || ns == s.Namespace {
				if own := t.private[s.Namespace]; len(own) == 0 || own[len(own)-1] != s {
					t.private[s.Namespace] = append(own, s)
				}
			} else {
				t.exported[ns] = append(t.exported[ns], s)
			}
		}
	}
}

// visibleIn returns what a namespace may see, its own private services first.
func (t *serviceTable) visibleIn(ns string) []*Service {
	return slices.Concat(t.private[ns], t.exported[ns], t.public)
}

// madeUpServiceAddresses returns ClusterIPs for the Services whose manifests state none.
func madeUpServiceAddresses(services []resource.Of[*corev1.Service]) map[string]string {
	var keys []string
	used := map[string]bool{}
	for _, r := range services {
		stated := clusterIPs(&r.Spec.Spec)
		for _, ip := range stated {
			used[ip] = true
		}
		if len(stated) == 0 && r.Spec.Spec.ClusterIP != corev1.ClusterIPNone && r.Spec.Spec.Type != corev1.ServiceTypeExternalName {
			keys = append(keys, addressKey("Service", r.Namespace, r.Name))
		}
	}
	return madeUp(madeUpClusterIPs, keys, used)
}

// byAge orders configuration as istiod does: oldest first, then by name, then by namespace.
func byAge[T any](all []resource.Of[T]) []resource.Of[T] {
	type aged struct {
		r   resource.Of[T]
		age time.Time
	}
	list := make([]aged, 0, len(all))
	for _, r := range all {
		list = append(list, aged{r, r.Created})
	}
	slices.SortStableFunc(list, func(a, b aged) int {
		return cmp.Or(a.age.Compare(b.age), cmp.Compare(a.r.Name, b.r.Name), cmp.Compare(a.r.Namespace, b.r.Namespace))
	})
	out := make([]resource.Of[T], 0, len(list))
	for _, a := range list {
		out = append(out, a.r)
	}
	return out
}
