package destinationrule.several_for_host

mine := mesh.resolve_host(input.spec.host, input.namespace)

names(r) := {s.name | some s in r.spec.subsets}

# A rule that does nothing but switch mTLS on for a wildcard is the usual default beside rules for single hosts.
default_mtls(r) if {
	startswith(r.spec.host, "*")
	r.spec.trafficPolicy.tls.mode == "ISTIO_MUTUAL"
}

own := names(input)

# Two rules for one host get on where each has subsets that the other lacks.
clash(_) if count(own) == 0

clash(theirs) if count(theirs) == 0

clash(theirs) if count(own & theirs) > 0

others := [r |
	some r in mesh.overlapping_rules(input.spec.host, input.namespace)
	r.id != input.id
	object.get(r.spec, "workloadSelector", {}) == object.get(input.spec, "workloadSelector", {})
	not default_mtls(r)
	mesh.exports_meet(input.id, r.id)
	clash(names(r))
]

findings contains {
	"path": "spec.host",
	"message": sprintf("%s is about the host %s too%s: a proxy follows one trafficPolicy and one subset of a name", [concat(", ", sort([sprintf("DestinationRule %s/%s", [r.namespace, r.name]) | some r in others])), mine, shared]),
	"related": [{"id": r.id, "path": "spec.host", "message": "this is about the host too"} | some r in others],
} if {
	not default_mtls(input)
	count(others) > 0
	both := {n | some n in own; some r in others; n in names(r)}
	shared := listed(both)
}

listed(both) := "" if count(both) == 0

listed(both) := sprintf(", with the subset %s", [concat(", ", sort(both))]) if count(both) > 0
