package serviceentry.several_for_host

protocol(p) := upper(object.get(p, "protocol", "unstated"))

repeated contains [i, other, j] if {
	some host in input.spec.hosts
	some other in mesh.service_entries(host)
	other.id != input.id
	mesh.exports_meet(input.id, other.id)
	some i, p in input.spec.ports
	some j, o in other.spec.ports
	o.number == p.number
	protocol(o) == protocol(p)
}

findings contains {
	"path": sprintf("spec.ports[%d]", [first]),
	"message": sprintf("port %d of the host is described by %s too", [input.spec.ports[first].number, concat(", ", sort({sprintf("ServiceEntry %s/%s", [c[1].namespace, c[1].name]) | some c in mine}))]),
	"related": [{"id": c[1].id, "path": sprintf("spec.ports[%d]", [c[2]]), "message": "the same port of the same host"} | some c in mine],
} if {
	first := min({c[0] | some c in repeated})
	mine := {c | some c in repeated; c[0] == first}
}
