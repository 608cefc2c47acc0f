package service.ambiguous_port

labels := input.spec.template.metadata.labels

in_mesh if {
	some w in mesh.workloads(input.namespace, labels)
	w.name == input.name
	w.injected
}

# [port, service] of all Services that select the pods.
ports contains [p, s.name] if {
	some s in mesh.selecting(input.namespace, labels)
	some p in s.spec.ports
}

numbers := [p.port | some [p, _] in ports]

targets := [p.targetPort | some [p, _] in ports]

# Only what is there twice can differ.
repeated(list) if count({x | some x in list}) < count(list)

protocol(p) := object.get(p, "protocol", "TCP")

findings contains {
	"path": "metadata.name",
	"message": sprintf("Services give port %d of these pods different protocols: %s", [number, concat(", ", sort({name | some [p, name] in ports; p.port == number}))]),
	"aliases": ["IST0116"],
} if {
	repeated(numbers)
	some number in {n | some n in numbers}
	count({protocol(p) | some [p, _] in ports; p.port == number}) > 1
	in_mesh
}

findings contains {
	"path": "metadata.name",
	"message": sprintf("Services reach targetPort %v of these pods by different ports: %s", [target, concat(", ", sort({name | some [p, name] in ports; p.targetPort == target}))]),
	"aliases": ["IST0137"],
} if {
	repeated(targets)
	some target in {t | some t in targets}
	count({p.port | some [p, _] in ports; p.targetPort == target}) > 1
	in_mesh
}
