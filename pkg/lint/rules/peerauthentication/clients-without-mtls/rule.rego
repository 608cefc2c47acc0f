package peerauthentication.clients_without_mtls

root := mesh.settings().rootNamespace

suffix := concat("", [".svc.", mesh.settings().domainSuffix])

probe := concat("", ["any", suffix]) if input.namespace == root

probe := concat("", ["any.", input.namespace, suffix]) if input.namespace != root

covered if {
	some r in mesh.resources("DestinationRule")
	startswith(r.spec.host, "*")
	mesh.host_matches(r.spec.host, probe)
	r.spec.trafficPolicy.tls.mode in {"ISTIO_MUTUAL", "MUTUAL"}
}

findings contains {
	"path": "spec.mtls",
	"message": "STRICT asks mTLS of every client, but auto-mTLS is off and no DestinationRule switches it on for these hosts",
	"aliases": [code],
} if {
	not mesh.settings().autoMtls
	input.spec.mtls.mode == "STRICT"
	count(object.get(input.spec, ["selector", "matchLabels"], {})) == 0
	not covered
}

code := "KIA0401" if input.namespace == root

code := "KIA0501" if input.namespace != root
