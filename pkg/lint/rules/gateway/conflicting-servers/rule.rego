package gateway.conflicting_servers

servers(g) := [[i, s] | some i, s in g.spec.servers]

host(h) := split(h, "/")[1] if contains(h, "/")

host(h) := h if not contains(h, "/")

overlap(a, b) if mesh.host_matches(a, b)

overlap(a, b) if mesh.host_matches(b, a)

# The namespace whose VirtualServices a host is for.
space(h, _) := "*" if not contains(h, "/")

space(h, g) := own(split(h, "/")[0], g) if contains(h, "/")

own(".", g) := g.namespace

own(n, _) := n if n != "."

meet("*", _) := true

meet(a, "*") if a != "*"

meet(a, a) if a != "*"

same_workloads(a, b) if a == b

same_workloads(a, b) if {
	a != b
	every k, v in a { object.get(b, k, v) == v }
	part(a, b)
	count(mesh.workloads("", object.union(a, b))) > 0
}

part(a, b) if every k, v in a { b[k] == v }

part(a, b) if every k, v in b { a[k] == v }

conflicts contains [i, j, other, k] if {
	some other in mesh.resources("Gateway")
	other.id != input.id
	same_workloads(object.get(input.spec, "selector", {}), object.get(other.spec, "selector", {}))
	some i, s in input.spec.servers
	some j, mine in s.hosts
	some k, o in other.spec.servers
	o.port.number == s.port.number
	object.get(o, "bind", "") == object.get(s, "bind", "")
	some theirs in o.hosts
	overlap(host(mine), host(theirs))
	meet(space(mine, input), space(theirs, other))
}

findings contains {
	"path": sprintf("spec.servers[%d].hosts[%d]", [first[0], first[1]]),
	"message": sprintf("%s listens on port %d for %s too, on the same workloads", [concat(", ", sort({sprintf("Gateway %s/%s", [c[2].namespace, c[2].name]) | some c in conflicts})), server.port.number, server.hosts[first[1]]]),
	"related": [{"id": c[2].id, "path": sprintf("spec.servers[%d]", [c[3]]), "message": "this listens there too"} | some c in conflicts; c[0] == first[0]; c[1] == first[1]],
} if {
	places := sort([[c[0], c[1]] | some c in conflicts])
	first := places[0]
	server := input.spec.servers[first[0]]
}
