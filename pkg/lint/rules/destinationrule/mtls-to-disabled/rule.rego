package destinationrule.mtls_to_disabled

findings contains {
	"path": "spec.trafficPolicy.tls.mode",
	"message": sprintf("mode ISTIO_MUTUAL sends mTLS, but the workloads of %s take none (PeerAuthentication DISABLE)", [s.hostname]),
	"related": [{"id": p.id, "path": "spec.mtls", "message": "mTLS is switched off here"} |
		some p in mesh.resources("PeerAuthentication")
		p.spec.mtls.mode == "DISABLE"
	],
} if {
	input.spec.trafficPolicy.tls.mode == "ISTIO_MUTUAL"
	not startswith(input.spec.host, "*")
	some s in mesh.services(input.spec.host, input.namespace)
	s.visible
	s.kubernetes
	count(s.selector) > 0
	mesh.mtls(s.namespace, s.selector).mode == "DISABLE"
}
