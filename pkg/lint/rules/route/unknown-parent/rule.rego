package route.unknown_parent

exists(namespace, name) if {
	some g in mesh.resources_in("Gateway.gateway.networking.k8s.io", namespace)
	g.name == name
}

findings contains {
	"path": sprintf("spec.parentRefs[%d].name", [i]),
	"message": sprintf("there is no Gateway %s in the namespace %s", [ref.name, namespace]),
	"missing": {"kind": "Gateway", "namespace": namespace, "name": ref.name},
} if {
	some i, ref in input.spec.parentRefs
	object.get(ref, "kind", "Gateway") == "Gateway"
	object.get(ref, "group", "gateway.networking.k8s.io") == "gateway.networking.k8s.io"
	namespace := object.get(ref, "namespace", input.namespace)
	not exists(namespace, ref.name)
}
