package destinationrule.subset_without_workloads

services := [s | some s in mesh.services(input.spec.host, input.namespace); s.visible]

# Labels about the place are those of the node, which files don't know.
known(labels) := {k: v |
	some k, v in labels
	not startswith(k, "topology.kubernetes.io/")
	not startswith(k, "topology.istio.io/")
}

picks(labels) if {
	some s in services
	s.kubernetes
	count(s.selector) > 0
	agree(s.selector, labels)
	count(mesh.workloads(s.namespace, object.union(s.selector, labels))) > 0
}

agree(a, b) if every k, v in a { object.get(b, k, v) == v }

picks(labels) if {
	some have in mesh.endpoint_labels(input.spec.host, input.namespace)
	every k, v in labels { have[k] == v }
}

# Without a selector anything may stand behind the host.
undecidable if count(services) == 0

undecidable if {
	some s in services
	s.kubernetes
	count(s.selector) == 0
}

undecidable if {
	some s in services
	not s.kubernetes
	count(mesh.endpoint_labels(input.spec.host, input.namespace)) == 0
}

# A subset that nothing routes to does no harm yet.
routed(subset) if {
	host := mesh.resolve_host(input.spec.host, input.namespace)
	some vs in mesh.routes_to(host)
	some kind in ["http", "tcp", "tls"]
	some route in vs.spec[kind]
	some r in route.route
	r.destination.subset == subset
	mesh.resolve_host(r.destination.host, vs.namespace) == host
}

severity(subset) := "error" if routed(subset)

severity(subset) := "warning" if not routed(subset)

findings contains {
	"path": sprintf("spec.subsets[%d]", [i]),
	"message": sprintf("the subset %s picks nothing: no workload behind %s has the labels %s", [subset.name, input.spec.host, concat(", ", sort([sprintf("%s=%v", [k, v]) | some k, v in subset.labels]))]),
	"severity": severity(subset.name),
	"missing": {"kind": "Workload", "namespace": services[0].namespace, "name": ""},
	"related": [{"id": s.id, "path": "spec.selector", "message": "the workloads of this Service are meant"} | some s in services],
} if {
	some i, subset in input.spec.subsets
	count(subset.labels) > 0
	labels := known(subset.labels)
	not undecidable
	not picks(labels)
}
