package gatewayapi

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// ignoreAnnotation keeps Istio from looking at a policy.
const ignoreAnnotation = "istio.io/ignore-policy-attachment"

// target is what a policy is for, by kind and name.
type target struct {
	groupKind
	namespace, name string
}

// backendPolicy is what one policy asks for one target.
type backendPolicy struct {
	source *resource.Resource
	place  string // of the target
	target target
	// host is set where the policy names the host itself, not a target.
	host string
	// section is the port's name, "" for all; port its number.
	section string
	port    uint32
	tls     *networking.ClientTLSSettings
	lb      *networking.LoadBalancerSettings
	budget  *networking.TrafficPolicy_RetryBudget
}

// convertPolicies turns policies for backends, and Backends outside of the mesh, into DestinationRules, one for each host.
func (c *conversion) convertPolicies() {
	var all []backendPolicy
	for _, r := range c.TrafficPolicies {
		all = append(all, c.convertTrafficPolicy(r)...)
	}
	for _, r := range c.TLSPolicies {
		all = append(all, c.convertTLSPolicy(r)...)
	}
	for _, r := range c.Backends {
		all = append(all, c.convertBackend(r)...)
	}
	c.mergePolicies(all)
}

// comparePolicies puts the policy first that wins: the oldest, then by namespace and name.
func comparePolicies(a, b *resource.Resource) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// resolveTarget says why a policy's target is not there, or returns the number of the port that the section names.
func (c *conversion) resolveTarget(t target, section string) (port uint32, bad *problem) {
	missing := func(text string) *problem {
		return &problem{reason: "TargetNotFound", message: "targetRefs invalid: " + text}
	}
	switch t.groupKind {
	case groupKind{"", "Service"}, groupKind{istioGroup, "ServiceEntry"}:
	default:
		return 0, missing("unsupported kind " + t.kind)
	}
	r := c.Find(t.kind, t.group, t.namespace, t.name)
	if r == nil {
		return 0, missing(fmt.Sprintf("reference %s/%s (of kind %s) not found", t.namespace, t.name, t.kind))
	}
	if section == "" {
		return 0, nil
	}
	switch o := r.Object.(type) {
	case *core.Service:
		if port, ok := servicePort(o, section); ok {
			return port, nil
		}
	case *networking.ServiceEntry:
		for _, p := range o.GetPorts() {
			if p.GetName() == section {
				return p.GetNumber(), nil
			}
		}
	}
	return 0, missing(fmt.Sprintf("sectionName %q does not exist in %s %s/%s", section, t.kind, t.namespace, t.name))
}

func ignored() *problem {
	return &problem{reason: "IgnoredByIstio", message: "Ignored by Istio due to annotation " + ignoreAnnotation + "=true", place: "metadata.annotations"}
}

// convertTLSPolicy turns a BackendTLSPolicy into the TLS settings of its targets (https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/).
func (c *conversion) convertTLSPolicy(r resource.Of[*gateway.BackendTLSPolicy]) []backendPolicy {
	var out []backendPolicy
	fine := valid("", "Configuration is valid")
	tls, badAccepted, badRefs := c.clientTLS(r.Resource, r.Spec.Spec.Validation)
	ignore := r.Annotations[ignoreAnnotation] == "true"
	var mine []AncestorStatus
	gateways := map[parentKey]bool{}
	conditionsNow := func(existing []Condition) []Condition {
		ok := fine
		ok.Reason = accepted
		if ignore {
			return withCondition(existing, accepted, ok.or(ignored()))
		}
		existing = withCondition(existing, accepted, ok.or(badAccepted))
		ok.Reason = resolvedRefs
		return withCondition(existing, resolvedRefs, ok.or(badRefs))
	}
	for i, t := range r.Spec.Spec.TargetRefs {
		to := target{groupKind: groupKind{string(t.Group), string(t.Kind)}, namespace: r.Namespace, name: string(t.Name)}
		section := string(orElse(t.SectionName, ""))
		place := resource.Index("spec.targetRefs", i)
		port, bad := c.resolveTarget(to, section)
		switch {
		case bad != nil:
			// As in istiod what is wrong with one target is said of those after it as well.
			badAccepted = bad.at(place)
		case !ignore:
			if winner := c.winner(r, to, section); winner != "" {
				badAccepted = &problem{reason: "Conflicted", place: place, message: fmt.Sprintf("Conflicts with BackendTLSPolicy %q targeting the same backend", winner)}
			}
			out = append(out, backendPolicy{source: r.Resource, place: place, target: to, section: section, port: port, tls: tls})
			for _, gw := range c.ancestors[to] {
				gateways[gw] = true
			}
		}
		ref := gateway.ParentReference{Group: &t.Group, Kind: &t.Kind, Name: t.Name, SectionName: t.SectionName}
		mine = append(mine, AncestorStatus{ref, waypointController, conditionsNow(existingAncestor(r.Spec.Status.Ancestors, ref, r.Namespace))})
	}
	for _, gw := range sortedGateways(gateways) {
		ref := gatewayRef(gw, "")
		mine = append(mine, AncestorStatus{ref, gatewayController, conditionsNow(existingAncestor(r.Spec.Status.Ancestors, ref, r.Namespace))})
	}
	c.reportAncestors(r.Resource, r.Spec.Status.Ancestors, mine)
	return out
}

// winner names another policy that takes the target first, "" where there is none. Resources are told apart by their uid, which only a
// cluster gives them.
func (c *conversion) winner(r resource.Of[*gateway.BackendTLSPolicy], t target, section string) string {
	var best *resource.Resource
	for _, other := range c.TLSPolicies {
		if other.Namespace != r.Namespace || other.Spec.UID == r.Spec.UID || other.Annotations[ignoreAnnotation] == "true" ||
			comparePolicies(other.Resource, r.Resource) >= 0 {
			continue
		}
		for _, ref := range other.Spec.Spec.TargetRefs {
			same := groupKind{string(ref.Group), string(ref.Kind)} == t.groupKind && string(ref.Name) == t.name && string(orElse(ref.SectionName, "")) == section
			if same && (best == nil || comparePolicies(other.Resource, best) < 0) {
				best = other.Resource
			}
		}
	}
	if best == nil {
		return ""
	}
	return best.Name
}

func sortedGateways(set map[parentKey]bool) []parentKey {
	return slices.SortedFunc(maps.Keys(set), func(a, b parentKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
}

func gatewayRef(gw parentKey, namespace string) gateway.ParentReference {
	group, kind := gateway.Group(gatewayGroup), gateway.Kind("Gateway")
	ref := gateway.ParentReference{Group: &group, Kind: &kind, Name: gateway.ObjectName(gw.name)}
	if namespace != "" {
		ns := gateway.Namespace(namespace)
		ref.Namespace = &ns
	}
	return ref
}

func existingAncestor(existing []gateway.PolicyAncestorStatus, ref gateway.ParentReference, namespace string) []Condition {
	for _, e := range existing {
		if isOurs(string(e.ControllerName)) && refString(e.AncestorRef, namespace) == refString(ref, namespace) {
			return conditionsOf(e.Conditions)
		}
	}
	return nil
}

// maxAncestors is how many a status can hold.
const maxAncestors = 16

// reportAncestors keeps what other controllers said and adds what Istio says.
func (c *conversion) reportAncestors(r *resource.Resource, existing []gateway.PolicyAncestorStatus, mine []AncestorStatus) {
	status := &Status{}
	for _, e := range existing {
		if controller := string(e.ControllerName); controller != gatewayController && controller != waypointController {
			status.Ancestors = append(status.Ancestors, AncestorStatus{e.AncestorRef, controller, conditionsOf(e.Conditions)})
		}
	}
	status.Ancestors = append(status.Ancestors, mine...)
	status.Ancestors = status.Ancestors[:min(len(status.Ancestors), maxAncestors)]
	c.report(r, status)
}

// clientTLS turns what a backend's certificate must be into TLS settings of clients. Without usable roots the settings name a credential that
// cannot be had, so that nothing is sent in the clear or unchecked.
func (c *conversion) clientTLS(r *resource.Resource, v gateway.BackendTLSPolicyValidation) (tls *networking.ClientTLSSettings, badAccepted, badRefs *problem) {
	tls = &networking.ClientTLSSettings{Mode: networking.ClientTLSSettings_SIMPLE, Sni: string(v.Hostname)}
	for _, name := range v.SubjectAltNames {
		switch name.Type {
		case gateway.HostnameSubjectAltNameType:
			tls.SubjectAltNames = append(tls.SubjectAltNames, string(name.Hostname))
		case gateway.URISubjectAltNameType:
			tls.SubjectAltNames = append(tls.SubjectAltNames, string(name.URI))
		}
	}
	if v.WellKnownCACertificates != nil {
		if *v.WellKnownCACertificates != gateway.WellKnownCACertificatesSystem {
			badAccepted = &problem{reason: "Invalid", message: fmt.Sprintf("Unknown wellKnownCACertificates: %s", *v.WellKnownCACertificates)}
		}
		return tls, badAccepted, nil
	}
	if len(v.CACertificateRefs) == 0 {
		return tls, nil, nil
	}
	const place = "spec.validation.caCertificateRefs[0]"
	ref := v.CACertificateRefs[0]
	var why string
	switch kind := (groupKind{string(ref.Group), string(ref.Kind)}); {
	case kind != (groupKind{"", "ConfigMap"}):
		why = "unsupported kind " + kind.kind
		if kind == (groupKind{"", "Secret"}) {
			why = "unsupported reference kind: " + kind.kind
		}
		badRefs = &problem{reason: invalidKind, message: "Certificate reference not supported: " + why, place: place}
	default:
		found := c.Find("ConfigMap", "", r.Namespace, string(ref.Name))
		if found == nil && c.HoldsSecrets {
			why = fmt.Sprintf("reference %s/%s (of kind ConfigMap) not found", r.Namespace, ref.Name)
			badRefs = &problem{reason: invalidCARef, message: "Certificate reference not found: " + why, place: place}
		} else if found != nil {
			if _, why = rootsIn(found); why != "" {
				badRefs = &problem{reason: invalidCARef, message: "Certificate invalid: " + why, place: place}
			}
		}
	}
	if badRefs != nil {
		tls.CredentialName = "invalid://"
		return tls, &problem{reason: "NoValidCACertificate", message: "Certificate reference invalid: " + why, place: place}, badRefs
	}
	tls.CredentialName = "configmap://" + r.Namespace + "/" + string(ref.Name)
	return tls, nil, nil
}

// convertTrafficPolicy turns an XBackendTrafficPolicy into the retry budget of its targets.
func (c *conversion) convertTrafficPolicy(r resource.Of[*gatewayx.XBackendTrafficPolicy]) []backendPolicy {
	var out []backendPolicy
	spec := r.Spec.Spec
	ok := valid(accepted, "Configuration is valid")
	if spec.SessionPersistence != nil {
		ok.Message = "Configuration is valid, but Istio does not support the following fields: sessionPersistence"
	}
	ignore := r.Annotations[ignoreAnnotation] == "true"
	var bad *problem
	if ignore {
		bad = ignored()
	}
	var mine []AncestorStatus
	for i, t := range spec.TargetRefs {
		to := target{groupKind: groupKind{string(t.Group), string(t.Kind)}, namespace: r.Namespace, name: string(t.Name)}
		place := resource.Index("spec.targetRefs", i)
		if _, missing := c.resolveTarget(to, ""); !ignore {
			if missing != nil {
				bad = missing.at(place)
			} else {
				out = append(out, backendPolicy{
					source: r.Resource, place: place, target: to, lb: &networking.LoadBalancerSettings{}, budget: retryBudget(spec.RetryConstraint),
				})
			}
		}
		ref := gateway.ParentReference{Group: &t.Group, Kind: &t.Kind, Name: t.Name}
		existing := existingAncestor(r.Spec.Status.Ancestors, ref, r.Namespace)
		mine = append(mine, AncestorStatus{ref, waypointController, withCondition(existing, accepted, ok.or(bad))})
	}
	c.reportAncestors(r.Resource, r.Spec.Status.Ancestors, mine)
	return out
}

// minRetries is the Gateway API's default of how many retries a budget leaves in any case.
const minRetries = 10

func retryBudget(constraint *gatewayx.RetryConstraint) *networking.TrafficPolicy_RetryBudget {
	if constraint == nil {
		return nil
	}
	out := &networking.TrafficPolicy_RetryBudget{MinRetryConcurrency: minRetries}
	if budget := constraint.Budget; budget != nil {
		if budget.Percent != nil {
			out.Percent = wrapperspb.Double(float64(*budget.Percent))
		}
		if budget.Interval != nil {
			out.BudgetInterval = duration(gateway.Duration(*budget.Interval))
		}
	}
	if rate := constraint.MinRetryRate; rate != nil && rate.Count != nil {
		out.MinRetryConcurrency = uint32(*rate.Count)
	}
	return out
}

// convertBackend turns a Backend outside of the mesh into the TLS settings of its host's port.
func (c *conversion) convertBackend(r resource.Of[*gatewayx.XBackend]) []backendPolicy {
	spec := &r.Spec.Spec
	ok := valid("", "Configuration is valid")
	var badAccepted, badRefs *problem
	var out []backendPolicy
	host := externalHost(spec)
	switch {
	case spec.Protocol != nil && *spec.Protocol == gatewayx.BackendProtocolMCP:
		badAccepted = &problem{reason: "Invalid", message: "unsupported protocol MCP: Istio has no such backend", place: "spec.protocol"}
	case spec.TLS == nil || spec.TLS.Mode == gatewayx.BackendTLSModeNone:
	case spec.TLS.Mode == gatewayx.BackendTLSModeClientAndServer:
		badAccepted = &problem{reason: "Invalid", message: "unsupported ClientAndServer TLS mode: Istio does not support client certificates on backend", place: "spec.tls.mode"}
	default:
		var tls *networking.ClientTLSSettings
		tls, badAccepted, badRefs = c.clientTLS(r.Resource, spec.TLS.Validation)
		if tls.Sni == "" {
			tls.Sni = host
		}
		out = append(out, backendPolicy{
			source: r.Resource, place: "spec.tls", host: host, port: uint32(spec.Port.Port), section: fmt.Sprint(spec.Port.Port), tls: tls,
			target: target{groupKind: groupKind{experimentalGroup, "XBackend"}, namespace: r.Namespace, name: host},
		})
	}
	conditionsNow := func() []Condition {
		fine := ok
		fine.Reason = accepted
		list := withCondition(nil, accepted, fine.or(badAccepted))
		fine.Reason = resolvedRefs
		return withCondition(list, resolvedRefs, fine.or(badRefs))
	}
	status := &Status{}
	for _, e := range r.Spec.Status.Ancestors {
		if controller := string(e.ControllerName); controller != gatewayController && controller != waypointController {
			status.Parents = append(status.Parents, ParentStatus{e.AncestorRef, controller, conditionsOf(e.Conditions)})
		}
	}
	group, kind := gateway.Group(experimentalGroup), gateway.Kind("XBackend")
	own := gateway.ParentReference{Group: &group, Kind: &kind, Name: gateway.ObjectName(r.Name)}
	status.Parents = append(status.Parents, ParentStatus{own, waypointController, conditionsNow()})
	gateways := map[parentKey]bool{}
	for _, gw := range c.ancestors[target{groupKind{experimentalGroup, "XBackend"}, r.Namespace, r.Name}] {
		gateways[gw] = true
	}
	for _, gw := range sortedGateways(gateways) {
		status.Parents = append(status.Parents, ParentStatus{gatewayRef(gw, gw.namespace), gatewayController, conditionsNow()})
	}
	c.report(r.Resource, status)
	return out
}

// mergePolicies makes one DestinationRule of all policies for a target, the first policy winning where two say the same.
func (c *conversion) mergePolicies(all []backendPolicy) {
	byTarget := map[target][]backendPolicy{}
	for _, p := range all {
		byTarget[p.target] = append(byTarget[p.target], p)
	}
	targets := slices.SortedFunc(maps.Keys(byTarget), func(a, b target) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.kind, b.kind), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, to := range targets {
		policies := byTarget[to]
		slices.SortStableFunc(policies, func(a, b backendPolicy) int { return comparePolicies(a.source, b.source) })
		spec := &networking.TrafficPolicy{}
		sections := map[string]bool{}
		var parents []string
		first := policies[0]
		for _, p := range policies {
			switch {
			case p.tls == nil:
			case p.section != "":
				if !sections[p.section] {
					sections[p.section] = true
					spec.PortLevelSettings = append(spec.PortLevelSettings, &networking.TrafficPolicy_PortTrafficPolicy{
						Port: &networking.PortSelector{Number: p.port}, Tls: p.tls,
					})
				}
			case spec.Tls != nil:
				continue
			default:
				spec.Tls = p.tls
			}
			if p.lb != nil {
				if spec.LoadBalancer != nil {
					continue
				}
				spec.LoadBalancer = p.lb
			}
			if p.budget != nil {
				if spec.RetryBudget != nil {
					continue
				}
				spec.RetryBudget = p.budget
			}
			if name := p.source.Kind + "/" + p.source.Namespace + "." + p.source.Name; !slices.Contains(parents, name) {
				parents = append(parents, name)
			}
		}
		slices.SortStableFunc(spec.PortLevelSettings, func(a, b *networking.TrafficPolicy_PortTrafficPolicy) int {
			return cmp.Compare(a.GetPort().GetNumber(), b.GetPort().GetNumber())
		})
		c.addRules(to, first, policies, strings.Join(parents, ","), spec)
	}
}

// addRules adds the DestinationRule of a target: of a ServiceEntry one for each host.
func (c *conversion) addRules(to target, first backendPolicy, policies []backendPolicy, parents string, policy *networking.TrafficPolicy) {
	names := map[string]string{} // host → name
	switch {
	case first.host != "":
		names[first.host] = first.source.Name + "~" + strings.ReplaceAll(first.host, ".", "-")
	case to.kind == "ServiceEntry":
		for _, host := range c.entryHosts(to.namespace, to.name) {
			names[host] = to.name + "~" + strings.ReplaceAll(host, ".", "-")
		}
	default:
		names[to.name+"."+to.namespace+".svc."+c.DomainSuffix] = to.name
	}
	origin := func(path string) resource.Source {
		if strings.HasPrefix(path, "spec.host") {
			return first.source.At(first.place)
		}
		if strings.HasPrefix(path, "spec.trafficPolicy.tls") || strings.HasPrefix(path, "spec.trafficPolicy.portLevelSettings") {
			for _, p := range policies {
				if p.tls != nil && p.source.Kind == "BackendTLSPolicy" {
					return p.source.At("spec.validation")
				}
			}
		}
		return first.source.At("spec")
	}
	for _, host := range slices.Sorted(maps.Keys(names)) {
		name, annotations := names[host], map[string]string{parentsAnnotation: parents}
		r := istioResource("DestinationRule", to.namespace, name+"~"+generated, annotations, first.source, origin)
		spec := &networking.DestinationRule{Host: host, TrafficPolicy: policy}
		r.Object = spec
		c.result.DestinationRules = append(c.result.DestinationRules, resource.Of[*networking.DestinationRule]{Resource: r, Spec: spec})
	}
}
