package virtualservice.repeated_destination

findings contains {
	"path": sprintf("spec.%s[%d].route[%d].destination.host", [kind, i, j]),
	"message": sprintf("%s%s is a destination of this route already", [d.host, subset(d)]),
} if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	some j, r in route.route
	some k, earlier in route.route
	k < j
	d := r.destination
	same(d, earlier.destination)
}

same(a, b) if {
	mesh.resolve_host(a.host, input.namespace) == mesh.resolve_host(b.host, input.namespace)
	object.get(a, "subset", "") == object.get(b, "subset", "")
	object.get(a, "port", {}) == object.get(b, "port", {})
}

default subset(_) := ""

subset(d) := sprintf(" (subset %s)", [d.subset])
