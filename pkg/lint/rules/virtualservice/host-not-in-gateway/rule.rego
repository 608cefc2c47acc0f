package virtualservice.host_not_in_gateway

named(name) := [split(name, "/")[0], split(name, "/")[1]] if contains(name, "/")

named(name) := [input.namespace, name] if not contains(name, "/")

# The hosts that a Gateway serves to the VirtualService's namespace.
served(namespace, name) := {open(h, namespace) |
	some g in mesh.resources_in("Gateway", namespace)
	g.name == name
	some s in g.spec.servers
	some h in s.hosts
	open(h, namespace)
}

# A Gateway of the Gateway API is named in the same way.
listened(namespace, name) := {object.get(l, "hostname", "*") |
	some g in mesh.resources_in("Gateway.gateway.networking.k8s.io", namespace)
	g.name == name
	some l in g.spec.listeners
}

open(h, _) := h if not contains(h, "/")

open(h, namespace) := parts[1] if {
	parts := split(h, "/")
	count(parts) == 2
	allowed(parts[0], namespace)
}

allowed("*", _) := true

allowed(".", namespace) if namespace == input.namespace

allowed(n, _) if n == input.namespace

overlap(a, b) if mesh.host_matches(a, b)

overlap(a, b) if mesh.host_matches(b, a)

reached(hosts) if {
	some h in input.spec.hosts
	some served in hosts
	overlap(served, h)
}

reached(hosts) if {
	some h in input.spec.hosts
	some served in hosts
	overlap(served, mesh.resolve_host(h, input.namespace))
}

findings contains {
	"path": sprintf("spec.gateways[%d]", [i]),
	"message": sprintf("the Gateway %s serves none of the hosts %s to the namespace %s%s", [name, concat(", ", input.spec.hosts), input.namespace, has(hosts)]),
	"missing": {"kind": "Gateway", "namespace": place[0], "name": place[1]},
	"related": [{"id": g.id, "path": "spec.servers", "message": "the Gateway's servers"} | some g in mesh.resources_in("Gateway", place[0]); g.name == place[1]],
} if {
	count(input.spec.hosts) > 0
	some i, name in input.spec.gateways
	name != "mesh"
	place := named(name)
	hosts := served(place[0], place[1]) | listened(place[0], place[1])
	exists(place[0], place[1])
	not reached(hosts)
}

exists(namespace, name) if {
	some g in mesh.resources_in("Gateway", namespace)
	g.name == name
}

exists(namespace, name) if {
	some g in mesh.resources_in("Gateway.gateway.networking.k8s.io", namespace)
	g.name == name
}

has(hosts) := sprintf("; it has %s", [concat(", ", sort(hosts))]) if count(hosts) > 0

has(hosts) := "" if count(hosts) == 0
