package sidecar.unknown_egress_host

found(namespace, host) if {
	some s in mesh.services(host, input.namespace)
	in_namespace(namespace, s.namespace)
	s.visible
}

in_namespace("*", _) := true

in_namespace(".", n) if n == input.namespace

in_namespace(n, n) := true

findings contains {
	"path": sprintf("spec.egress[%d].hosts[%d]", [i, j]),
	"message": sprintf("no Service or ServiceEntry %shas the host %s", [place(parts[0]), parts[1]]),
	"missing": {"host": parts[1]},
} if {
	some i, e in input.spec.egress
	some j, h in e.hosts
	parts := split(h, "/")
	count(parts) == 2
	not startswith(parts[0], "~")
	parts[1] != "*"
	not found(parts[0], parts[1])
}

place("*") := ""

place(".") := sprintf("of the namespace %s ", [input.namespace])

place(n) := sprintf("of the namespace %s ", [n]) if not n in {"*", "."}
