package authorizationpolicy.principal_without_mtls

labels := object.get(input.spec, ["selector", "matchLabels"], {})

off if mesh.mtls(input.namespace, labels).mode == "DISABLE"

findings contains {
	"path": sprintf("spec.rules[%d].from[%d].source.%s", [i, j, field]),
	"message": sprintf("%s are read from the caller's mTLS certificate, but PeerAuthentication switches mTLS off here", [field]),
} if {
	off
	some i, rule in input.spec.rules
	some j, from in rule.from
	some field in ["principals", "notPrincipals", "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts"]
	count(from.source[field]) > 0
}
