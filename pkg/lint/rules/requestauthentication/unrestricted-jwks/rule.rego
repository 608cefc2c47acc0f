package requestauthentication.unrestricted_jwks

findings contains {
	"path": sprintf("spec.template.spec.containers[%d]", [i]),
	"message": "BLOCKED_CIDRS_IN_JWKS_URIS is not set: RequestAuthentications can make istiod call any address",
} if {
	input.metadata.labels.app == "istiod"
	count(mesh.resources("RequestAuthentication")) > 0
	some i, c in input.spec.template.spec.containers
	c.name == "discovery"
	set := {e.name | some e in c.env}
	not "BLOCKED_CIDRS_IN_JWKS_URIS" in set
}
