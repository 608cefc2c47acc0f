package authorizationpolicy.foreign_trust_domain

own := {mesh.settings().trustDomain, "cluster.local"} | {d | some d in mesh.settings().trustDomainAliases}

findings contains {
	"path": sprintf("spec.rules[%d].from[%d].source.%s[%d]", [i, j, field, k]),
	"message": sprintf("the trust domain %s is not this mesh's (%s): no caller of the mesh has this identity", [domain, concat(", ", sort(own))]),
} if {
	some i, rule in input.spec.rules
	some j, from in rule.from
	some field in ["principals", "notPrincipals"]
	some k, principal in from.source[field]
	domain := split(principal, "/")[0]
	contains(principal, "/ns/")
	not contains(domain, "*")
	domain != ""
	not domain in own
}
