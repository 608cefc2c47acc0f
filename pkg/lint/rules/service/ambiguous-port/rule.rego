package service.ambiguous_port

labels := input.spec.template.metadata.labels

in_mesh if {
	some w in mesh.workloads(input.namespace, labels)
	w.name == input.name
	w.injected
}

# [port, service] of all Services that select the pods.
ports contains [p, s.name] if {
	some s in mesh.resources_in("Service", input.namespace)
	count(s.spec.selector) > 0
	every k, v in s.spec.selector {
		labels[k] == v
	}
	some p in s.spec.ports
}

protocol(p) := object.get(p, "protocol", "TCP")

findings contains {
	"path": "metadata.name",
	"message": sprintf("Services give port %d of these pods different protocols: %s", [number, concat(", ", sort({name | some [p, name] in ports; p.port == number}))]),
	"aliases": ["IST0116"],
} if {
	in_mesh
	some number in {p.port | some [p, _] in ports}
	count({protocol(p) | some [p, _] in ports; p.port == number}) > 1
}

findings contains {
	"path": "metadata.name",
	"message": sprintf("Services reach targetPort %v of these pods by different ports: %s", [target, concat(", ", sort({name | some [p, name] in ports; p.targetPort == target}))]),
	"aliases": ["IST0137"],
} if {
	in_mesh
	some target in {p.targetPort | some [p, _] in ports}
	count({p.port | some [p, _] in ports; p.targetPort == target}) > 1
}
