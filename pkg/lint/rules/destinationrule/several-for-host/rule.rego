package destinationrule.several_for_host

mine := mesh.resolve_host(input.spec.host, input.namespace)

names(r) := {s.name | some s in r.spec.subsets}

# A rule that does nothing but switch mTLS on for a wildcard is the usual default beside rules for single hosts.
default_mtls(r) if {
	startswith(r.spec.host, "*")
	r.spec.trafficPolicy.tls.mode == "ISTIO_MUTUAL"
}

clash(r) if {
	count(names(input)) > 0
	count(names(r)) > 0
	count(names(input) & names(r)) > 0
}

clash(r) if count(names(input)) == 0

clash(r) if count(names(r)) == 0

scope(r) := {own(e, r.namespace) | some e in r.spec.exportTo} if count(r.spec.exportTo) > 0

scope(r) := {"*"} if count(object.get(r.spec, "exportTo", [])) == 0

own(e, namespace) := namespace if e == "."

own(e, _) := e if e != "."

meet(a, b) if {
	some x in scope(a)
	some y in scope(b)
	same(x, y)
}

same("*", _) := true

same(x, "*") if x != "*"

same(x, x) if x != "*"

others := [r |
	some r in mesh.overlapping_rules(input.spec.host, input.namespace)
	r.id != input.id
	object.get(r.spec, "workloadSelector", {}) == object.get(input.spec, "workloadSelector", {})
	not default_mtls(r)
	meet(input, r)
	clash(r)
]

findings contains {
	"path": "spec.host",
	"message": sprintf("%s is about the host %s too%s: a proxy follows one trafficPolicy and one subset of a name", [concat(", ", sort([sprintf("DestinationRule %s/%s", [r.namespace, r.name]) | some r in others])), mine, shared]),
	"related": [{"id": r.id, "path": "spec.host", "message": "this is about the host too"} | some r in others],
} if {
	not default_mtls(input)
	count(others) > 0
	both := {n | some n in names(input); some r in others; n in names(r)}
	shared := listed(both)
}

listed(both) := "" if count(both) == 0

listed(both) := sprintf(", with the subset %s", [concat(", ", sort(both))]) if count(both) > 0
