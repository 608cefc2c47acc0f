package virtualservice.unknown_port

destinations contains [sprintf("spec.%s[%d].route[%d].destination", [kind, i, j]), r.destination] if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	some j, r in route.route
}

destinations contains [sprintf("spec.http[%d].mirror", [i]), route.mirror] if {
	some i, route in input.spec.http
}

destinations contains [sprintf("spec.http[%d].mirrors[%d].destination", [i, j]), m.destination] if {
	some i, route in input.spec.http
	some j, m in route.mirrors
}

findings contains {
	"path": sprintf("%s.port.number", [path]),
	"message": sprintf("%s has no port %d; it has %s", [d.host, d.port.number, concat(", ", sort(ports))]),
	"missing": {"host": mesh.resolve_host(d.host, input.namespace)},
	"related": [{"id": s.id, "path": "spec.ports", "message": "the ports"} | some s in services],
} if {
	some [path, d] in destinations
	d.port.number
	services := [s | some s in mesh.services(d.host, input.namespace); s.visible]
	count(services) > 0
	ports := {format_int(p.number, 10) | some s in services; some p in s.ports}
	count(ports) > 0
	not format_int(d.port.number, 10) in ports
}
