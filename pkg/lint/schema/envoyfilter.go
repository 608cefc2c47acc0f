package schema

import (
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func envoyFilter(c *check) {
	ef, ok := c.Object.(*networking.EnvoyFilter)
	if !ok || ef == nil {
		return
	}
	c.warnf(InternalsExposed, "", "an EnvoyFilter edits what istiod generates, which changes from version to version without notice: prefer Istio's own API where it can say the same, and check it at every upgrade")
	c.oneOf("spec", "workloadSelector", "targetRefs")
	if sel := ef.GetWorkloadSelector(); sel != nil {
		if len(sel.GetLabels()) == 0 {
			c.warnf(Ineffective, "spec.workloadSelector", "the workloadSelector has no labels, so every workload of the namespace is patched")
		}
		c.selectorLabels("spec.workloadSelector.labels", sel.GetLabels())
	}
	for i, r := range ef.GetTargetRefs() {
		c.targetRef(resource.Index("spec.targetRefs", i), r)
	}
	for i, p := range ef.GetConfigPatches() {
		c.patch(resource.Index("spec.configPatches", i), p)
	}
}

func (c *check) patch(path string, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	if p == nil {
		c.errorf(MissingField, path, "the patch is empty")
		return
	}
	if p.GetApplyTo() == networking.EnvoyFilter_INVALID {
		c.errorf(MissingField, path+".applyTo", "applyTo must say what is patched: LISTENER, HTTP_FILTER, CLUSTER…")
	}
	c.patchMatch(path+".match", p)
	switch {
	case p.GetPatch() == nil:
		c.errorf(MissingField, path+".patch", "a patch needs patch.operation and, unless it removes, patch.value")
	case p.GetPatch().GetOperation() == networking.EnvoyFilter_Patch_INVALID:
		c.errorf(MissingField, path+".patch.operation", "operation must say how to patch: MERGE, ADD, REMOVE, INSERT_BEFORE…")
	case p.GetPatch().GetOperation() != networking.EnvoyFilter_Patch_REMOVE && p.GetPatch().GetValue() == nil:
		c.errorf(MissingField, path+".patch.value", "operation %s needs a value", p.GetPatch().GetOperation())
	default:
		c.patchValue(path+".patch.value", p)
	}
}

func (c *check) patchMatch(path string, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	m := p.GetMatch()
	if m == nil {
		return
	}
	if v := m.GetProxy().GetProxyVersion(); v != "" {
		c.bad(path+".proxy.proxyVersion", v, pattern(v))
	}
	waypoint := m.GetContext() == networking.EnvoyFilter_WAYPOINT
	if (m.GetWaypoint() != nil) != waypoint {
		c.errorf(ConflictingFields, path, "context WAYPOINT and a waypoint match go together")
	}
	if n := m.GetWaypoint().GetPortNumber(); n > 65535 {
		c.port(path+".waypoint.portNumber", n)
	}
	type objects struct {
		listener, route, cluster bool
	}
	has := objects{m.GetListener() != nil, m.GetRouteConfiguration() != nil, m.GetCluster() != nil}
	switch p.GetApplyTo() {
	case networking.EnvoyFilter_LISTENER, networking.EnvoyFilter_FILTER_CHAIN, networking.EnvoyFilter_NETWORK_FILTER, networking.EnvoyFilter_HTTP_FILTER, networking.EnvoyFilter_LISTENER_FILTER:
		if has.route || has.cluster {
			c.errorf(ConflictingFields, path, "applyTo %s patches listeners: match by listener", p.GetApplyTo())
		}
		c.filterMatch(path+".listener.filterChain.filter", p)
	case networking.EnvoyFilter_ROUTE_CONFIGURATION, networking.EnvoyFilter_VIRTUAL_HOST, networking.EnvoyFilter_HTTP_ROUTE:
		if has.listener || has.cluster {
			c.errorf(ConflictingFields, path, "applyTo %s patches routes: match by routeConfiguration", p.GetApplyTo())
		}
	case networking.EnvoyFilter_CLUSTER:
		if has.listener || has.route {
			c.errorf(ConflictingFields, path, "applyTo CLUSTER patches clusters: match by cluster")
		}
	}
}

func (c *check) filterMatch(path string, p *networking.EnvoyFilter_EnvoyConfigObjectPatch) {
	filter := p.GetMatch().GetListener().GetFilterChain().GetFilter()
	if filter.GetSubFilter() == nil {
		return
	}
	name := filter.GetName()
	if p.GetApplyTo() != networking.EnvoyFilter_HTTP_FILTER {
		c.errorf(ConflictingFields, path+".subFilter", "subFilter finds HTTP filters: applyTo must be HTTP_FILTER")
	} else if name != "envoy.filters.network.http_connection_manager" && name != "envoy.http_connection_manager" && name != "" {
		c.errorf(ConflictingFields, path+".name", "a subFilter is inside the HTTP connection manager: filter.name must be envoy.filters.network.http_connection_manager")
	}
}
