package gateway.duplicate_certificate

# A credential is a Secret beside the gateway's pods; a certificate file is one of the pods themselves.
certificate(s) := sprintf("credentialName %s", [s.tls.credentialName]) if s.tls.credentialName != ""

certificate(s) := sprintf("certificate %s", [s.tls.serverCertificate]) if {
	object.get(s.tls, "credentialName", "") == ""
	s.tls.serverCertificate != ""
}

same_workloads(a, b) if every k, v in a { b[k] == v }

same_workloads(a, b) if every k, v in b { a[k] == v }

duplicates contains [i, other, k] if {
	some i, s in input.spec.servers
	certificate(s)
	some other in mesh.resources("Gateway")
	other.id != input.id
	same_workloads(object.get(input.spec, "selector", {}), object.get(other.spec, "selector", {}))
	some k, o in other.spec.servers
	certificate(o) == certificate(s)
}

findings contains {
	"path": sprintf("spec.servers[%d].tls", [first]),
	"message": sprintf("%s is presented by %s too: clients that reuse a connection may get 404", [certificate(input.spec.servers[first]), concat(", ", sort({sprintf("Gateway %s/%s", [d[1].namespace, d[1].name]) | some d in duplicates}))]),
	"related": [{"id": d[1].id, "path": sprintf("spec.servers[%d].tls", [d[2]]), "message": "the same certificate"} | some d in duplicates; d[0] == first],
} if first := min({d[0] | some d in duplicates})
