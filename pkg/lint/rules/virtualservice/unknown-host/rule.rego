package virtualservice.unknown_host

# Istio's own analysis looks at mirrors as well; Kiali's does not.
destinations contains [sprintf("spec.%s[%d].route[%d].destination.host", [kind, i, j]), r.destination.host, ["IST0101", "KIA1101"]] if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	some j, r in route.route
}

destinations contains [sprintf("spec.http[%d].mirror.host", [i]), route.mirror.host, ["IST0101"]] if {
	some i, route in input.spec.http
}

destinations contains [sprintf("spec.http[%d].mirrors[%d].destination.host", [i, j]), m.destination.host, ["IST0101"]] if {
	some i, route in input.spec.http
	some j, m in route.mirrors
}

findings contains object.union(finding, fix(host)) if {
	some [path, host, aliases] in destinations
	host != ""
	found := mesh.services(host, input.namespace)
	not visible(found)
	finding := {
		"path": path,
		"message": message(host, found),
		"aliases": aliases,
		"missing": {"host": mesh.resolve_host(host, input.namespace)},
		"related": [{"id": s.id, "path": "spec.exportTo", "message": "this is not exported to the namespace"} | some s in found; s.id != ""],
	}
}

visible(found) if {
	some s in found
	s.visible
}

message(host, found) := sprintf("no Service or ServiceEntry has the host %s%s", [host, written(host)]) if count(found) == 0

message(host, found) := sprintf("the host %s is not visible from the namespace %s: its exportTo leaves it out", [host, input.namespace]) if count(found) > 0

written(host) := "" if mesh.resolve_host(host, input.namespace) == host

written(host) := sprintf(" (here it means %s)", [fqdn]) if {
	fqdn := mesh.resolve_host(host, input.namespace)
	fqdn != host
}

default fix(_) := {}

fix(host) := {"fix": {"description": sprintf("did you mean %s?", [near]), "replace": near}} if near := mesh.similar_host(host, input.namespace)
