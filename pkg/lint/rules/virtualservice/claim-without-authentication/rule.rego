package virtualservice.claim_without_authentication

claims contains [i, j, name] if {
	some i, route in input.spec.http
	some j, m in route.match
	some field in ["headers", "withoutHeaders"]
	some name, _ in m[field]
	startswith(name, "@request.auth.claims")
}

gateways contains g if {
	some name in input.spec.gateways
	name != "mesh"
	parts := split(name, "/")
	namespace := [input.namespace, parts[0]][count(parts) - 1]
	some g in mesh.resources_in("Gateway", namespace)
	g.name == parts[count(parts) - 1]
}

pods(g) := [[w.namespace, w.labels] | some w in mesh.workloads("", g.spec.selector)] if count(mesh.workloads("", g.spec.selector)) > 0

pods(g) := [["istio-system", g.spec.selector]] if count(mesh.workloads("", g.spec.selector)) == 0

reaches(namespace, namespace) := true

reaches(namespace, own) if {
	namespace != own
	namespace == mesh.settings().rootNamespace
}

covered(pod) if {
	some r in mesh.resources("RequestAuthentication")
	reaches(r.namespace, pod[0])
	every k, v in object.get(r.spec, ["selector", "matchLabels"], {}) { pod[1][k] == v }
}

findings contains {
	"path": sprintf("spec.http[%d].match[%d]", [first[0], first[1]]),
	"message": sprintf("the match on %s never holds: no RequestAuthentication covers the workloads of Gateway %s/%s", [first[2], g.namespace, g.name]),
} if {
	places := sort([c | some c in claims])
	first := places[0]
	some g in gateways
	some pod in pods(g)
	not covered(pod)
}
