package authorizationpolicy.unknown_service_account

own := {mesh.settings().trustDomain, "cluster.local"} | {d | some d in mesh.settings().trustDomainAliases}

# Istio's own gateways are installed apart.
installed(namespace, _) if namespace == mesh.settings().rootNamespace

runs(namespace, account) if {
	some w in mesh.workloads(namespace, {})
	w.serviceAccount == account
}

runs(namespace, account) if {
	some a in mesh.resources_in("ServiceAccount", namespace)
	a.name == account
}

findings contains {
	"path": sprintf("spec.rules[%d].from[%d].source.%s[%d]", [i, j, field, k]),
	"message": sprintf("no workload of the namespace %s runs as the service account %s", [parts[2], parts[4]]),
	"missing": {"kind": "ServiceAccount", "namespace": parts[2], "name": parts[4]},
} if {
	some i, rule in input.spec.rules
	some j, from in rule.from
	some field in ["principals", "notPrincipals"]
	some k, principal in from.source[field]
	not contains(principal, "*")
	parts := split(principal, "/")
	count(parts) == 5
	parts[1] == "ns"
	parts[3] == "sa"
	parts[0] in own
	not installed(parts[2], parts[4])
	not runs(parts[2], parts[4])
}
