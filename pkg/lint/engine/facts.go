package engine

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/gatewayapi"
	"github.com/meshc/meshc/pkg/model/resource"
)

// facts answers what rules ask about the mesh. Whatever is dear is worked out when first asked for, and kept.
type facts struct {
	mesh      *model.Mesh
	resources []*resource.Resource
	ids       map[*resource.Resource]int
	documents []func() ast.Value
	byType    func() map[string][]int
	byPlace   func() map[place][]int
	services  func() servicesByHost
	claims    func() map[string][]int
	entries   func() map[string][]int
	routes    func() map[string][]int
	rules     func() rulesByHost
	settings  func() *ast.Term
	spaces    func() *ast.Term
	statuses  func() map[*resource.Resource]*gatewayapi.Status
	notes     func() *ast.Term
	worked    sync.Map // terms by *model.Workload
	custom    func() map[*resource.Resource]*compile.CustomPolicy
}

// place is a type of resource in a namespace.
type place struct{ kind, namespace string }

// servicesByHost finds services by hostname; wildcard ServiceEntries apart.
type servicesByHost struct {
	exact map[string][]*model.Service
	wild  []*model.Service
	terms map[*model.Service]serviceTerms
}

// serviceTerms are a service as a namespace finds it that sees it, and as one that does not.
type serviceTerms struct{ visible, hidden *ast.Term }

// rulesByHost finds DestinationRules by the hostname they mean.
type rulesByHost struct {
	exact map[string][]int
	wild  []wildcardRule
}

type wildcardRule struct {
	host string
	id   int
}

func newFacts(mesh *model.Mesh) *facts {
	f := &facts{mesh: mesh, resources: mesh.Resources(), ids: map[*resource.Resource]int{}}
	f.documents = make([]func() ast.Value, len(f.resources))
	for i, r := range f.resources {
		f.ids[r] = i
		f.documents[i] = sync.OnceValue(func() ast.Value { return document(r, i) })
	}
	f.byType = sync.OnceValue(f.indexTypes)
	f.byPlace = sync.OnceValue(f.indexPlaces)
	f.services = sync.OnceValue(f.indexServices)
	f.claims = sync.OnceValue(f.indexClaims)
	f.entries = sync.OnceValue(f.indexEntries)
	f.routes = sync.OnceValue(f.indexRoutes)
	f.rules = sync.OnceValue(f.indexRules)
	f.settings = sync.OnceValue(f.settingsTerm)
	f.spaces = sync.OnceValue(f.namespacesTerm)
	f.statuses = sync.OnceValue(f.indexStatuses)
	f.notes = sync.OnceValue(annotationsTerm)
	f.custom = sync.OnceValue(func() map[*resource.Resource]*compile.CustomPolicy { return compile.CustomPolicies(mesh) })
	return f
}

func (f *facts) document(r *resource.Resource) ast.Value { return f.documents[f.ids[r]]() }

func (f *facts) indexTypes() map[string][]int {
	byType := map[string][]int{}
	for i, r := range f.resources {
		t := Type(r)
		byType[t] = append(byType[t], i)
	}
	return byType
}

func (f *facts) indexPlaces() map[place][]int {
	byPlace := map[place][]int{}
	for i, r := range f.resources {
		at := place{Type(r), r.Namespace}
		byPlace[at] = append(byPlace[at], i)
	}
	return byPlace
}

// held are the services that the input holds; one that was made up from the reference to be checked proves nothing.
func (f *facts) held() []*model.Service {
	return slices.DeleteFunc(slices.Clone(f.mesh.Services()), func(svc *model.Service) bool { return svc.FromReference })
}

func (f *facts) indexServices() servicesByHost {
	s := servicesByHost{exact: map[string][]*model.Service{}, terms: map[*model.Service]serviceTerms{}}
	for _, svc := range f.held() {
		if strings.HasPrefix(svc.Hostname, "*") {
			s.wild = append(s.wild, svc)
		} else {
			s.exact[svc.Hostname] = append(s.exact[svc.Hostname], svc)
		}
		s.terms[svc] = serviceTerms{visible: f.serviceTerm(svc, true), hidden: f.serviceTerm(svc, false)}
	}
	return s
}

func (f *facts) indexClaims() map[string][]int {
	claims := map[string][]int{}
	for _, vs := range model.All[*networking.VirtualService](f.mesh) {
		seen := map[string]bool{}
		for _, h := range vs.Spec.GetHosts() {
			if host := f.mesh.ResolveHost(h, vs.Namespace); !seen[host] {
				seen[host] = true
				claims[host] = append(claims[host], f.ids[vs.Resource])
			}
		}
	}
	return claims
}

// indexRoutes finds VirtualServices by the hosts that their routes lead to.
func (f *facts) indexRoutes() map[string][]int {
	routes := map[string][]int{}
	for _, vs := range model.All[*networking.VirtualService](f.mesh) {
		hosts := map[string]bool{}
		for _, r := range vs.Spec.GetHttp() {
			for _, d := range r.GetRoute() {
				hosts[d.GetDestination().GetHost()] = true
			}
		}
		for _, r := range vs.Spec.GetTls() {
			for _, d := range r.GetRoute() {
				hosts[d.GetDestination().GetHost()] = true
			}
		}
		for _, r := range vs.Spec.GetTcp() {
			for _, d := range r.GetRoute() {
				hosts[d.GetDestination().GetHost()] = true
			}
		}
		for host := range hosts {
			host = f.mesh.ResolveHost(host, vs.Namespace)
			routes[host] = append(routes[host], f.ids[vs.Resource])
		}
	}
	return routes
}

func (f *facts) indexEntries() map[string][]int {
	entries := map[string][]int{}
	for _, se := range model.All[*networking.ServiceEntry](f.mesh) {
		for _, host := range slices.Compact(slices.Sorted(slices.Values(se.Spec.GetHosts()))) {
			entries[host] = append(entries[host], f.ids[se.Resource])
		}
	}
	return entries
}

func (f *facts) indexRules() rulesByHost {
	rules := rulesByHost{exact: map[string][]int{}}
	for _, dr := range model.All[*networking.DestinationRule](f.mesh) {
		host, id := f.mesh.ResolveHost(dr.Spec.GetHost(), dr.Namespace), f.ids[dr.Resource]
		if strings.HasPrefix(host, "*") {
			rules.wild = append(rules.wild, wildcardRule{host, id})
		} else {
			rules.exact[host] = append(rules.exact[host], id)
		}
	}
	return rules
}

func str(t *ast.Term) string {
	s, _ := t.Value.(ast.String)
	return string(s)
}

func stringMap(t *ast.Term) map[string]string {
	m := map[string]string{}
	if o, ok := t.Value.(ast.Object); ok {
		o.Foreach(func(k, v *ast.Term) {
			if s, ok := v.Value.(ast.String); ok {
				m[str(k)] = string(s)
			} else {
				m[str(k)] = v.Value.String()
			}
		})
	}
	return m
}

func (f *facts) array(ids []int) *ast.Term {
	items := make([]*ast.Term, len(ids))
	for i, id := range ids {
		items[i] = ast.NewTerm(f.documents[id]())
	}
	return ast.ArrayTerm(items...)
}

// resourcesOf: mesh.resources(type): all resources of a type.
func (f *facts) resourcesOf(_ rego.BuiltinContext, kind *ast.Term) (*ast.Term, error) {
	return f.array(f.byType()[str(kind)]), nil
}

// resourcesIn: mesh.resources_in(type, namespace).
func (f *facts) resourcesIn(_ rego.BuiltinContext, kind, namespace *ast.Term) (*ast.Term, error) {
	return f.array(f.byPlace()[place{str(kind), str(namespace)}]), nil
}

// servicesOf: mesh.services(host, namespace): the services that the host means in the namespace, each with visible: can a proxy of that
// namespace see it.
func (f *facts) servicesOf(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	var items []*ast.Term
	for _, svc := range f.find(str(host), str(namespace)) {
		terms := f.services().terms[svc]
		if model.Visible(svc.ExportTo, svc.Namespace, str(namespace)) {
			items = append(items, terms.visible)
		} else {
			items = append(items, terms.hidden)
		}
	}
	return ast.ArrayTerm(items...), nil
}

func (f *facts) find(host, namespace string) []*model.Service {
	fqdn := f.mesh.ResolveHost(host, namespace)
	index := f.services()
	if found := index.exact[fqdn]; len(found) > 0 {
		return found
	}
	var found []*model.Service
	for _, svc := range index.wild {
		if model.HostMatches(svc.Hostname, fqdn) {
			found = append(found, svc)
		}
	}
	if len(found) > 0 || !strings.HasPrefix(fqdn, "*") {
		return found
	}
	// A wildcard stands for every service below it.
	for _, svc := range f.held() {
		if model.HostMatches(fqdn, svc.Hostname) {
			found = append(found, svc)
		}
	}
	return found
}

func (f *facts) serviceTerm(svc *model.Service, visible bool) *ast.Term {
	ports := make([]*ast.Term, len(svc.Ports))
	for i, p := range svc.Ports {
		ports[i] = ast.ObjectTerm(item("name", ast.StringTerm(p.Name)), item("number", ast.IntNumberTerm(int(p.Number))), item("protocol", ast.StringTerm(string(p.Protocol))))
	}
	id := ""
	if svc.Source.Resource != nil {
		if o, ok := f.document(svc.Source.Resource).(ast.Object); ok {
			id = str(o.Get(ast.StringTerm("id")))
		}
	}
	return ast.ObjectTerm(
		item("hostname", ast.StringTerm(svc.Hostname)), item("name", ast.StringTerm(svc.Name)), item("namespace", ast.StringTerm(svc.Namespace)),
		item("kubernetes", ast.BooleanTerm(svc.Kubernetes)), item("external", ast.BooleanTerm(svc.MeshExternal)), item("headless", ast.BooleanTerm(svc.Headless)),
		item("externalName", ast.StringTerm(svc.ExternalName)),
		item("labels", labelsTerm(svc.Labels)), item("selector", labelsTerm(svc.Selector)), item("ports", ast.ArrayTerm(ports...)), item("id", ast.StringTerm(id)),
		item("visible", ast.BooleanTerm(visible)),
	)
}

func item(key string, value *ast.Term) [2]*ast.Term { return ast.Item(ast.StringTerm(key), value) }

func labelsTerm(labels map[string]string) *ast.Term {
	o := ast.NewObject()
	for k, v := range labels {
		o.Insert(ast.StringTerm(k), ast.StringTerm(v))
	}
	return ast.NewTerm(o)
}

func stringsTerm(list []string) *ast.Term {
	items := make([]*ast.Term, len(list))
	for i, s := range list {
		items[i] = ast.StringTerm(s)
	}
	return ast.ArrayTerm(items...)
}

// resolveHost: mesh.resolve_host(host, namespace): the host written out.
func (f *facts) resolveHost(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	return ast.StringTerm(f.mesh.ResolveHost(str(host), str(namespace))), nil
}

// hostMatches: mesh.host_matches(pattern, host).
func hostMatches(_ rego.BuiltinContext, pattern, host *ast.Term) (*ast.Term, error) {
	return ast.BooleanTerm(model.HostMatches(str(pattern), str(host))), nil
}

// destinationRules: mesh.destination_rules(host, namespace): those for the host that a proxy of the namespace can see.
func (f *facts) destinationRules(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	fqdn := f.mesh.ResolveHost(str(host), str(namespace))
	index := f.rules()
	candidates := slices.Clone(index.exact[fqdn])
	for _, w := range index.wild {
		if model.HostMatches(w.host, fqdn) {
			candidates = append(candidates, w.id)
		}
	}
	ids := slices.DeleteFunc(candidates, func(id int) bool {
		r := f.resources[id]
		return !model.Visible(exportTo(r.Object.(*networking.DestinationRule).GetExportTo()), r.Namespace, str(namespace))
	})
	slices.Sort(ids)
	return f.array(ids), nil
}

// overlappingRules: mesh.overlapping_rules(host, namespace): all DestinationRules whose host covers the host, or is covered by it.
func (f *facts) overlappingRules(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	fqdn := f.mesh.ResolveHost(str(host), str(namespace))
	index := f.rules()
	ids := slices.Clone(index.exact[fqdn])
	for _, w := range index.wild {
		if model.HostMatches(w.host, fqdn) || model.HostMatches(fqdn, w.host) {
			ids = append(ids, w.id)
		}
	}
	if strings.HasPrefix(fqdn, "*") {
		for other, rules := range index.exact {
			if model.HostMatches(fqdn, other) {
				ids = append(ids, rules...)
			}
		}
	}
	slices.Sort(ids)
	return f.array(ids), nil
}

// routesTo: mesh.routes_to(host): the VirtualServices with a route to the host, written out.
func (f *facts) routesTo(_ rego.BuiltinContext, host *ast.Term) (*ast.Term, error) {
	return f.array(f.routes()[str(host)]), nil
}

// serviceEntries: mesh.service_entries(host): those that list the host.
func (f *facts) serviceEntries(_ rego.BuiltinContext, host *ast.Term) (*ast.Term, error) {
	return f.array(f.entries()[str(host)]), nil
}

// exportTo is a set as model.Visible reads it; nothing said means everybody.
func exportTo(list []string) map[string]bool {
	set := map[string]bool{}
	for _, e := range list {
		set[e] = true
	}
	if len(set) == 0 {
		set["*"] = true
	}
	return set
}

// virtualServices: mesh.virtual_services(host): those that name the host, written out, among their hosts.
func (f *facts) virtualServices(_ rego.BuiltinContext, host *ast.Term) (*ast.Term, error) {
	return f.array(f.claims()[str(host)]), nil
}

// workloads: mesh.workloads(namespace, labels): those of the namespace ("" for all) that have the labels.
func (f *facts) workloads(_ rego.BuiltinContext, namespace, labels *ast.Term) (*ast.Term, error) {
	found := f.mesh.WorkloadsMatching(str(namespace), stringMap(labels))
	items := make([]*ast.Term, len(found))
	for i, w := range found {
		items[i] = f.workload(w)
	}
	return ast.ArrayTerm(items...), nil
}

// workload is the term of a workload, made when first asked for: many selectors pick the same workloads.
func (f *facts) workload(w *model.Workload) *ast.Term {
	if t, ok := f.worked.Load(w); ok {
		return t.(*ast.Term)
	}
	t := ast.ObjectTerm(
		item("kind", ast.StringTerm(w.Kind)), item("name", ast.StringTerm(w.Name)), item("namespace", ast.StringTerm(w.Namespace)),
		item("labels", labelsTerm(w.Labels)), item("serviceAccount", ast.StringTerm(w.ServiceAccount)),
		item("injected", ast.BooleanTerm(w.Injected)), item("gateway", ast.BooleanTerm(w.Gateway)),
	)
	f.worked.Store(w, t)
	return t
}

// endpointLabels: mesh.endpoint_labels(host, namespace): the labels of each endpoint behind the host.
func (f *facts) endpointLabels(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	var items []*ast.Term
	for _, svc := range f.find(str(host), str(namespace)) {
		for _, port := range svc.Ports[:min(1, len(svc.Ports))] {
			for _, e := range f.mesh.Endpoints(svc, port) {
				items = append(items, labelsTerm(e.Labels))
			}
		}
	}
	return ast.ArrayTerm(items...), nil
}

// mtls: mesh.mtls(namespace, labels): what PeerAuthentications ask of a workload: {"mode", "ports": {NUMBER: MODE}}.
func (f *facts) mtls(_ rego.BuiltinContext, namespace, labels *ast.Term) (*ast.Term, error) {
	m := f.mesh.MTLSFor(str(namespace), stringMap(labels))
	ports := ast.NewObject()
	for number, mode := range m.Ports {
		ports.Insert(ast.IntNumberTerm(int(number)), ast.StringTerm(mode.String()))
	}
	return ast.ObjectTerm(item("mode", ast.StringTerm(m.Mode.String())), item("ports", ast.NewTerm(ports))), nil
}

func (f *facts) settingsTerm() *ast.Term {
	s := f.mesh.Settings
	auto := s.Mesh.GetEnableAutoMtls() == nil || s.Mesh.GetEnableAutoMtls().GetValue()
	open := s.Mesh.GetOutboundTrafficPolicy() == nil || s.Mesh.GetOutboundTrafficPolicy().GetMode() == meshconfig.MeshConfig_OutboundTrafficPolicy_ALLOW_ANY
	return ast.ObjectTerm(
		item("rootNamespace", ast.StringTerm(s.RootNamespace())), item("trustDomain", ast.StringTerm(s.TrustDomain())),
		item("trustDomainAliases", stringsTerm(s.Mesh.GetTrustDomainAliases())),
		item("domainSuffix", ast.StringTerm(s.DomainSuffix)), item("autoMtls", ast.BooleanTerm(auto)), item("allowAny", ast.BooleanTerm(open)),
		item("injectByDefault", ast.BooleanTerm(s.EnableNamespacesByDefault)),
		item("accessLogFile", ast.StringTerm(s.Mesh.GetAccessLogFile())),
		item("accessLogProviders", ast.IntNumberTerm(len(s.Mesh.GetDefaultProviders().GetAccessLogging()))),
	)
}

// namespacesTerm: mesh.namespaces(): those that a Namespace stands for, that a resource is in, or that every cluster has.
func (f *facts) namespacesTerm() *ast.Term {
	names := map[string]bool{"default": true, "kube-system": true, f.mesh.Settings.RootNamespace(): true}
	for _, r := range f.resources {
		if r.Kind == "Namespace" && r.Group() == "" {
			names[r.Name] = true
		} else if r.Namespace != "" {
			names[r.Namespace] = true
		}
	}
	set := ast.NewSet()
	for n := range names {
		set.Add(ast.StringTerm(n))
	}
	return ast.NewTerm(set)
}

// similarHost: mesh.similar_host(host, namespace): the host that was probably meant, written as briefly as the namespace allows;
// undefined where nothing is near.
func (f *facts) similarHost(_ rego.BuiltinContext, host, namespace *ast.Term) (*ast.Term, error) {
	asked := f.mesh.ResolveHost(str(host), str(namespace))
	best, distance := "", len(asked)/4+2
	for _, svc := range f.held() {
		if !model.Visible(svc.ExportTo, svc.Namespace, str(namespace)) {
			continue
		}
		name := svc.Hostname
		d := edits(asked, svc.Hostname, distance)
		if short, _, _ := strings.Cut(str(host), "."); svc.Kubernetes && short == svc.Name {
			// The right service in the wrong namespace.
			d = min(d, 2)
		}
		if svc.Kubernetes && svc.Namespace == str(namespace) && !strings.Contains(str(host), ".") {
			name = svc.Name
			d = edits(str(host), svc.Name, min(distance, len(str(host))/3+2))
		}
		if d < distance || d == distance && best != "" && cmp.Less(name, best) {
			best, distance = name, d
		}
	}
	if best == "" {
		return nil, nil
	}
	return ast.StringTerm(best), nil
}
