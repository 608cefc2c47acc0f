package destinationrule.plain_text_to_strict

# DISABLE is what a tls without mode means.
mode := object.get(input.spec.trafficPolicy.tls, "mode", "DISABLE")

host := mesh.resolve_host(input.spec.host, input.namespace)

suffix := concat("", [".svc.", mesh.settings().domainSuffix])

# *.shop.svc.cluster.local is about a namespace.
strict := [sprintf("the namespace %s asks", [namespace]), "KIA0207"] if {
	startswith(host, "*.")
	endswith(host, suffix)
	namespace := trim_suffix(trim_prefix(host, "*."), suffix)
	not contains(namespace, ".")
	mesh.mtls(namespace, {}).mode == "STRICT"
}

# *.local, *.cluster.local and * are about the mesh.
strict := ["the mesh asks", "KIA0208"] if {
	host in ["*", "*.local", "*.cluster.local", concat("", ["*", suffix])]
	mesh.mtls(mesh.settings().rootNamespace, {}).mode == "STRICT"
}

strict := [sprintf("the workloads of %s ask", [host]), "KIA0207"] if {
	not startswith(host, "*")
	some s in mesh.services(input.spec.host, input.namespace)
	s.visible
	s.kubernetes
	count(s.selector) > 0
	mesh.mtls(s.namespace, s.selector).mode == "STRICT"
}

findings contains {
	"path": "spec.trafficPolicy.tls.mode",
	"message": sprintf("mode %s sends no mTLS, but %s STRICT mTLS: connections will be refused", [mode, strict[0]]),
	"aliases": [strict[1]],
	"related": [{"id": p.id, "path": "spec.mtls", "message": "STRICT is asked here"} |
		some p in mesh.resources("PeerAuthentication")
		p.spec.mtls.mode == "STRICT"
	],
	"fix": {"description": "let the client speak the mesh's mTLS", "replace": "ISTIO_MUTUAL"},
} if {
	mode in {"DISABLE", "SIMPLE"}
	strict
}
