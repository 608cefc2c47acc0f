package route.unknown_backend

references contains [sprintf("spec.rules[%d].backendRefs[%d].name", [i, j]), ref] if {
	some i, rule in input.spec.rules
	some j, ref in rule.backendRefs
}

references contains [sprintf("spec.parentRefs[%d].name", [i]), ref] if {
	some i, ref in input.spec.parentRefs
	ref.kind == "Service"
}

exists(namespace, name) if {
	some s in mesh.resources_in("Service", namespace)
	s.name == name
}

findings contains {
	"path": path,
	"message": sprintf("there is no Service %s in the namespace %s", [ref.name, namespace]),
	"missing": {"kind": "Service", "namespace": namespace, "name": ref.name},
} if {
	some [path, ref] in references
	object.get(ref, "kind", "Service") == "Service"
	object.get(ref, "group", "") in {"", "core"}
	namespace := object.get(ref, "namespace", input.namespace)
	not exists(namespace, ref.name)
}
