package virtualservice.conflicting_hosts

mine := mesh.gateways_of(input.id)

claims contains [i, other, shared] if {
	some i, host in input.spec.hosts
	some other in mesh.virtual_services(mesh.resolve_host(host, input.namespace))
	other.id != input.id
	mesh.exports_meet(input.id, other.id)
	shared := mine & mesh.gateways_of(other.id)
	count(shared) > 0
}

findings contains {
	"path": sprintf("spec.hosts[%d]", [i]),
	"message": sprintf("the host %s is claimed by %s too, for %s: %s", [input.spec.hosts[i], names, where, effect(bound)]),
	"aliases": codes(bound),
	"severity": severity(bound),
	"related": [{"id": o.id, "path": "spec.hosts", "message": "this names the host too"} | some [j, o, _] in claims; j == i],
} if {
	some i, _ in input.spec.hosts
	others := [o | some [j, o, _] in claims; j == i]
	count(others) > 0
	bound := union({s | some [j, _, s] in claims; j == i})
	names := concat(" and ", sort([sprintf("VirtualService %s/%s", [o.namespace, o.name]) | some o in others]))
	where := concat(" and ", sort([label(g) | some g in bound]))
}

label("mesh") := "the sidecars"

label(g) := sprintf("Gateway %s", [g]) if g != "mesh"

effect(bound) := "sidecars follow only one of them" if "mesh" in bound

effect(bound) := "which routes come first depends on their age" if not "mesh" in bound

codes(bound) := ["IST0109", "KIA1106"] if "mesh" in bound

codes(bound) := ["KIA1106"] if not "mesh" in bound

severity(bound) := "error" if "mesh" in bound

severity(bound) := "warning" if not "mesh" in bound
