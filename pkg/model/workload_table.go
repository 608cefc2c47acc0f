package model

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// workloadTable holds everything that runs.
type workloadTable struct {
	all         []*Workload // by namespace, name, kind
	byNamespace map[string]*labelIndex[*Workload]
	everywhere  *labelIndex[*Workload]
	pods        map[string]*labelIndex[*pod] // by namespace
	podByName   map[[2]string]*pod           // namespace, name
	podByIP     map[string]*pod
}

// Workloads returns every workload, ordered by namespace then name then kind.
func (m *Mesh) Workloads() []*Workload { return m.workloads().all }

// WorkloadsMatching returns the workloads of a namespace ("" for all) whose labels include all of the selector; an empty selector picks all.
func (m *Mesh) WorkloadsMatching(namespace string, selector map[string]string) []*Workload {
	t := m.workloads()
	if namespace == "" {
		return t.everywhere.selected(selector)
	}
	return t.byNamespace[namespace].selected(selector)
}

func (m *Mesh) buildWorkloads() *workloadTable {
	t := &workloadTable{
		byNamespace: map[string]*labelIndex[*Workload]{}, pods: map[string]*labelIndex[*pod]{},
		podByName: map[[2]string]*pod{}, podByIP: map[string]*pod{},
	}
	pods := m.readPods()
	t.all = m.templateWorkloads()
	t.all = append(t.all, m.adoptPods(t.all, pods)...)
	t.all = append(t.all, m.entryWorkloads()...)
	slices.SortStableFunc(t.all, func(a, b *Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	m.giveAddresses(t.all, pods)
	for _, p := range pods {
		p.labels = p.Labels
		if !p.live() {
			p.labels = p.workload.Labels
			if p.workload.Injected {
				p.labels = withInjectedLabels(p.Labels, p.workload.Name)
			}
		}
		t.podByName[[2]string{p.Namespace, p.Name}] = p
		if _, have := t.podByIP[p.address]; !have && !p.Spec.Spec.HostNetwork {
			t.podByIP[p.address] = p
		}
	}
	workloadLabels := func(w *Workload) map[string]string { return w.Labels }
	t.everywhere = newLabelIndex(t.all, workloadLabels)
	for ns, list := range groupBy(t.all, func(w *Workload) string { return w.Namespace }) {
		t.byNamespace[ns] = newLabelIndex(list, workloadLabels)
	}
	for ns, list := range groupBy(pods, func(p *pod) string { return p.Namespace }) {
		t.pods[ns] = newLabelIndex(list, func(p *pod) map[string]string { return p.labels })
	}
	return t
}

func groupBy[K comparable, T any](all []T, key func(T) K) map[K][]T {
	out := map[K][]T{}
	for _, t := range all {
		out[key(t)] = append(out[key(t)], t)
	}
	return out
}

func (m *Mesh) readPods() []*pod {
	var pods []*pod
	for _, r := range All[*corev1.Pod](m) {
		if p := (&pod{Of: r}); !p.finished() {
			pods = append(pods, p)
		}
	}
	return pods
}

// template is what the kinds that make pods have in common.
type template struct {
	r        *resource.Resource
	path     string // where the pod template stands
	selector *metav1.LabelSelector
	pod      *corev1.PodTemplateSpec
	owners   []metav1.OwnerReference
}

func (m *Mesh) templates() []template {
	var all []template
	for _, r := range m.resources {
		switch o := r.Object.(type) {
		case *appsv1.Deployment:
			all = append(all, template{r, "spec.template", o.Spec.Selector, &o.Spec.Template, o.OwnerReferences})
		case *appsv1.StatefulSet:
			all = append(all, template{r, "spec.template", o.Spec.Selector, &o.Spec.Template, o.OwnerReferences})
		case *appsv1.DaemonSet:
			all = append(all, template{r, "spec.template", o.Spec.Selector, &o.Spec.Template, o.OwnerReferences})
		case *appsv1.ReplicaSet:
			all = append(all, template{r, "spec.template", o.Spec.Selector, &o.Spec.Template, o.OwnerReferences})
		case *batchv1.Job:
			all = append(all, template{r, "spec.template", o.Spec.Selector, &o.Spec.Template, o.OwnerReferences})
		case *batchv1.CronJob:
			all = append(all, template{r, "spec.jobTemplate.spec.template", nil, &o.Spec.JobTemplate.Spec.Template, o.OwnerReferences})
		}
	}
	return all
}

// templateWorkloads returns the workloads that make pods. A ReplicaSet or Job that belongs to another workload of the input is left out.
func (m *Mesh) templateWorkloads() []*Workload {
	templates := m.templates()
	names := map[string]bool{}
	for _, t := range templates {
		names[t.r.Kind+" "+t.r.Namespace+"/"+t.r.Name] = true
	}
	var out []*Workload
	for _, t := range templates {
		owned := slices.ContainsFunc(t.owners, func(o metav1.OwnerReference) bool {
			return names[o.Kind+" "+t.r.Namespace+"/"+o.Name]
		})
		if !owned {
			out = append(out, m.templateWorkload(t))
		}
	}
	return out
}

func (m *Mesh) templateWorkload(t template) *Workload {
	spec := &t.pod.Spec
	w := &Workload{
		Kind: t.r.Kind, Name: t.r.Name, Namespace: t.r.Namespace,
		Labels: t.pod.Labels, Annotations: t.pod.Annotations, ServiceAccount: spec.ServiceAccountName,
		NamedPorts: namedPorts(spec), Source: t.r.At(t.path), podSpec: spec, selector: t.selector,
	}
	if w.ServiceAccount == "" {
		w.ServiceAccount = "default"
	}
	m.decideInjection(w)
	return w
}

func (m *Mesh) decideInjection(w *Workload) {
	if m.looksLikeGateway(w) {
		w.Gateway, w.Why = true, "it is a gateway"
		return
	}
	w.Injected, w.Why = m.injected(w.Namespace, w.Labels, w.Annotations, w.podSpec)
	if w.Injected {
		w.Labels = withInjectedLabels(w.Labels, w.Name)
	}
}

// adoptPods gives each pod to the workload that made it, and makes a workload of each that has none.
func (m *Mesh) adoptPods(workloads []*Workload, pods []*pod) []*Workload {
	named := map[[2]string]*Workload{}
	byNamespace := groupBy(workloads, func(w *Workload) string { return w.Namespace })
	for _, w := range workloads {
		named[[2]string{w.Namespace, w.Name}] = w
	}
	var bare []*Workload
	for _, p := range pods {
		w := named[[2]string{p.Namespace, p.workloadName()}]
		if w == nil {
			w = ownerBySelector(byNamespace[p.Namespace], p)
		}
		if w == nil {
			w = m.podWorkload(p)
			bare = append(bare, w)
		}
		p.workload = w
		w.pods = append(w.pods, p)
		// A live pod shows whether the workload is injected; its template does not.
		if p.live() && w.Kind != "Pod" && len(w.pods) == 1 {
			m.learnFromPod(w, p)
		}
	}
	return bare
}

func (m *Mesh) learnFromPod(w *Workload, p *pod) {
	if w.Gateway {
		return
	}
	if p.Labels[tlsModeLabel] == tlsModeIstio && !w.Injected {
		w.Injected, w.Why = true, "its Pod carries the labels that the injector adds"
	}
	if w.Injected {
		w.Labels = withInjectedLabels(w.Labels, w.Name)
	}
}

// ownerBySelector finds the Deployment or the like whose selector picks the pod, for pods that state no owner.
func ownerBySelector(workloads []*Workload, p *pod) *Workload {
	var best *Workload
	for _, w := range workloads {
		if w.selector == nil || len(w.selector.MatchLabels) == 0 || !Selects(w.selector.MatchLabels, p.Labels) {
			continue
		}
		// Where several do, the one whose name the pod's begins with.
		if best == nil || strings.HasPrefix(p.Name, w.Name+"-") && !strings.HasPrefix(p.Name, best.Name+"-") {
			best = w
		}
	}
	return best
}

func (m *Mesh) podWorkload(p *pod) *Workload {
	w := &Workload{
		Kind: "Pod", Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations,
		ServiceAccount: p.serviceAccount(), NamedPorts: namedPorts(&p.Spec.Spec), Source: p.At(""), podSpec: &p.Spec.Spec,
	}
	if !p.live() {
		m.decideInjection(w)
		return w
	}
	switch {
	case m.looksLikeGateway(w):
		w.Gateway, w.Why = true, "it is a gateway"
	case p.Labels[tlsModeLabel] == tlsModeIstio:
		w.Injected, w.Why = true, "it carries the labels that the injector adds"
	case hasProxy(&p.Spec.Spec):
		w.Injected, w.Why = true, "it has a container istio-proxy"
	default:
		w.Injected, w.Why = false, "the running Pod has neither a container istio-proxy nor the injector's labels"
	}
	return w
}

// entryWorkloads returns WorkloadEntries: virtual machines that run a proxy where they name a service account.
func (m *Mesh) entryWorkloads() []*Workload {
	var out []*Workload
	for _, r := range All[*networking.WorkloadEntry](m) {
		w := &Workload{
			Kind: "WorkloadEntry", Name: r.Name, Namespace: r.Namespace, Labels: entryLabels(r.Spec, r.Labels), Annotations: r.Annotations,
			ServiceAccount: r.Spec.GetServiceAccount(), NamedPorts: r.Spec.GetPorts(), Source: r.At(""), entry: r.Spec,
		}
		if a := r.Spec.GetAddress(); a != "" {
			w.Addresses = []string{a}
		}
		w.Injected, w.Why = false, "it names no service account, so no proxy is assumed there"
		if w.ServiceAccount != "" || w.Labels[tlsModeLabel] == tlsModeIstio {
			w.Injected, w.Why = true, "a WorkloadEntry with a service account stands for a machine with a proxy"
			w.Labels = withInjectedLabels(w.Labels, w.Name)
		}
		out = append(out, w)
	}
	return out
}

// entryLabels are the labels that selectors see: those of the spec over those of the metadata.
func entryLabels(e *networking.WorkloadEntry, metadata map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, metadata)
	maps.Copy(out, e.GetLabels())
	return out
}

// giveAddresses makes up the addresses that the input lacks.
func (m *Mesh) giveAddresses(workloads []*Workload, pods []*pod) {
	var keys []string
	used := map[string]bool{}
	for _, p := range pods {
		if p.live() {
			used[p.Spec.Status.PodIP] = true
		} else {
			keys = append(keys, addressKey("Pod", p.Namespace, p.Name))
		}
	}
	for _, w := range workloads {
		if len(w.pods) == 0 && len(w.Addresses) == 0 {
			keys = append(keys, addressKey(w.Kind, w.Namespace, w.Name))
		}
	}
	made := madeUp(madeUpPods, keys, used)
	for _, p := range pods {
		if p.address = p.Spec.Status.PodIP; p.address == "" {
			p.address = made[addressKey("Pod", p.Namespace, p.Name)]
		}
	}
	for _, w := range workloads {
		for _, p := range w.pods {
			w.Addresses = append(w.Addresses, p.address)
		}
		if len(w.Addresses) == 0 {
			w.Addresses = []string{made[addressKey(w.Kind, w.Namespace, w.Name)]}
		}
	}
}

// statefulSet returns the headless service that names the pods of a StatefulSet, "" for other workloads.
func (w *Workload) statefulSet() string {
	if set, ok := w.Source.Resource.Object.(*appsv1.StatefulSet); ok {
		return set.Spec.ServiceName
	}
	return ""
}
