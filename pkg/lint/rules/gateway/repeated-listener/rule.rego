package gateway.repeated_listener

key(l) := [l.port, lower(l.protocol), lower(object.get(l, "hostname", ""))]

findings contains {
	"path": sprintf("spec.listeners[%d].name", [i]),
	"message": sprintf("listener %s has the port, protocol and hostname of listener %s", [l.name, concat(", ", sort(others))]),
} if {
	some i, l in input.spec.listeners
	others := {o.name |
		some j, o in input.spec.listeners
		i != j
		key(o) == key(l)
	}
	count(others) > 0
}
