package authorizationpolicy.unknown_host

local := concat("", [".svc.", mesh.settings().domainSuffix])

gateway_hosts contains h if {
	some vs in mesh.resources("VirtualService")
	some h in vs.spec.hosts
}

known(host) if count(mesh.services(host, input.namespace)) > 0

known(host) if {
	some h in gateway_hosts
	mesh.host_matches(h, host)
}

findings contains {
	"path": sprintf("spec.rules[%d].to[%d].operation.hosts[%d]", [i, j, k]),
	"message": sprintf("no Service, ServiceEntry or VirtualService has the host %s", [host]),
	"missing": {"host": mesh.resolve_host(host, input.namespace)},
} if {
	some i, rule in input.spec.rules
	some j, to in rule.to
	some k, host in to.operation.hosts
	not contains(host, "*")
	not contains(host, ":")
	suspicious(host)
	not known(host)
}

suspicious(host) if endswith(host, local)

suspicious(host) if not contains(host, ".")
