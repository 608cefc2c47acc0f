package serviceentry.conflicting_protocol

protocol(p) := upper(object.get(p, "protocol", "unstated"))

conflicts contains [i, other, j] if {
	some host in input.spec.hosts
	some other in mesh.service_entries(host)
	other.id != input.id
	mesh.exports_meet(input.id, other.id)
	some i, p in input.spec.ports
	some j, o in other.spec.ports
	o.number == p.number
	protocol(o) != protocol(p)
}

findings contains {
	"path": sprintf("spec.ports[%d]", [first]),
	"message": sprintf("port %d is %s here and %s in %s", [port.number, protocol(port), concat(", ", {protocol(c[1].spec.ports[c[2]]) | some c in mine}), concat(", ", sort({sprintf("ServiceEntry %s/%s", [c[1].namespace, c[1].name]) | some c in mine}))]),
	"related": [{"id": c[1].id, "path": sprintf("spec.ports[%d]", [c[2]]), "message": "another protocol is stated here"} | some c in mine],
} if {
	first := min({c[0] | some c in conflicts})
	mine := {c | some c in conflicts; c[0] == first}
	port := input.spec.ports[first]
}
