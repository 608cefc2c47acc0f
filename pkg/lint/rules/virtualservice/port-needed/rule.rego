package virtualservice.port_needed

destinations contains [sprintf("spec.%s[%d].route[%d].destination", [kind, i, j]), r.destination] if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	some j, r in route.route
}

findings contains {
	"path": sprintf("%s.host", [path]),
	"message": sprintf("%s has the ports %s: say which is meant under port.number", [d.host, concat(", ", [format_int(p.number, 10) | some p in services[0].ports])]),
	"related": [{"id": services[0].id, "path": "spec.ports", "message": "the ports"}],
} if {
	some [path, d] in destinations
	not d.port
	not startswith(d.host, "*")
	services := [s | some s in mesh.services(d.host, input.namespace); s.visible]
	count(services[0].ports) > 1
}
