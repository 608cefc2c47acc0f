package gateway.shared_address

findings contains {
	"path": sprintf("spec.addresses[%d].value", [i]),
	"message": sprintf("the address %s is asked for by %s too", [a.value, concat(", ", sort([sprintf("%s/%s", [g.namespace, g.name]) | some g in others]))]),
	"related": [{"id": g.id, "path": "spec.addresses", "message": "the same address"} | some g in others],
} if {
	some i, a in input.spec.addresses
	kind := object.get(a, "type", "IPAddress")
	kind != "Hostname"
	others := {g |
		some g in mesh.resources("Gateway.gateway.networking.k8s.io")
		g.id != input.id
		some b in g.spec.addresses
		b.value == a.value
		object.get(b, "type", "IPAddress") == kind
	}
	count(others) > 0
}
