package virtualservice.unknown_subset

destinations contains [sprintf("spec.%s[%d].route[%d].destination.subset", [kind, i, j]), r.destination, ["IST0101", "KIA1107"]] if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	some j, r in route.route
	r.destination.subset != ""
}

destinations contains [sprintf("spec.http[%d].mirror.subset", [i]), route.mirror, ["IST0101"]] if {
	some i, route in input.spec.http
	route.mirror.subset != ""
}

destinations contains [sprintf("spec.http[%d].mirrors[%d].destination.subset", [i, j]), m.destination, ["IST0101"]] if {
	some i, route in input.spec.http
	some j, m in route.mirrors
	m.destination.subset != ""
}

findings contains object.union(finding, fix(d.subset, names)) if {
	some [path, d, aliases] in destinations
	defining := mesh.destination_rules(d.host, input.namespace)
	names := {s.name | some r in defining; some s in r.spec.subsets}
	not d.subset in names
	finding := {
		"path": path,
		"message": message(d, defining, names),
		"aliases": aliases,
		"missing": {"host": mesh.resolve_host(d.host, input.namespace)},
		"related": [{"id": r.id, "path": "spec.subsets", "message": "subsets of the host are defined here"} | some r in defining],
	}
}

message(d, defining, _) := sprintf("no DestinationRule for %s defines the subset %s", [d.host, d.subset]) if count(defining) == 0

message(d, defining, names) := sprintf("the DestinationRule for %s has no subset %s; it has %s", [d.host, d.subset, concat(", ", sort(names))]) if {
	count(defining) > 0
	count(names) > 0
}

message(d, defining, names) := sprintf("the DestinationRule for %s has no subsets, so no %s", [d.host, d.subset]) if {
	count(defining) > 0
	count(names) == 0
}

default fix(_, _) := {}

fix(subset, names) := {"fix": {"description": sprintf("did you mean %s?", [near]), "replace": near}} if near := mesh.similar(subset, names)
