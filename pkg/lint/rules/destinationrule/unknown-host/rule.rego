package destinationrule.unknown_host

findings contains object.union(finding, fix) if {
	host := input.spec.host
	host != ""
	not startswith(host, "*")
	count([s | some s in mesh.services(host, input.namespace); s.visible]) == 0
	finding := {
		"path": "spec.host",
		"message": sprintf("no Service or ServiceEntry that the namespace can see has the host %s", [mesh.resolve_host(host, input.namespace)]),
		"missing": {"host": mesh.resolve_host(host, input.namespace)},
	}
}

default fix := {}

fix := {"fix": {"description": sprintf("did you mean %s?", [near]), "replace": near}} if {
	near := mesh.similar_host(input.spec.host, input.namespace)
}
