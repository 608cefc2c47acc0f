package destinationrule.default_tls_lost

defaults := [r |
	some r in mesh.destination_rules(input.spec.host, input.namespace)
	r.id != input.id
	startswith(r.spec.host, "*")
	r.spec.host != input.spec.host
	r.spec.trafficPolicy.tls.mode == "ISTIO_MUTUAL"
]

silent contains "spec.host" if not input.spec.trafficPolicy

silent contains "spec.trafficPolicy" if {
	input.spec.trafficPolicy
	not input.spec.trafficPolicy.tls
	not every_port_has_tls
}

silent contains sprintf("spec.trafficPolicy.portLevelSettings[%d]", [i]) if {
	some i, p in input.spec.trafficPolicy.portLevelSettings
	not p.tls
}

every_port_has_tls if {
	count(input.spec.trafficPolicy.portLevelSettings) > 0
	every p in input.spec.trafficPolicy.portLevelSettings { p.tls }
}

findings contains {
	"path": path,
	"message": sprintf("this rule takes the place of %s for %s and says nothing of TLS: ISTIO_MUTUAL does not carry over", [concat(", ", sort([sprintf("DestinationRule %s/%s", [r.namespace, r.name]) | some r in defaults])), input.spec.host]),
	"severity": severity,
	"related": [{"id": r.id, "path": "spec.trafficPolicy.tls", "message": "mTLS is switched on here"} | some r in defaults],
} if {
	count(defaults) > 0
	not startswith(input.spec.host, "*")
	path := min(silent)
}

severity := "info" if mesh.settings().autoMtls

severity := "warning" if not mesh.settings().autoMtls
