package authorizationpolicy.unknown_namespace

names contains [sprintf("spec.rules[%d].from[%d].source.%s[%d]", [i, j, field, k]), name, codes[field]] if {
	some i, rule in input.spec.rules
	some j, from in rule.from
	some field in ["namespaces", "notNamespaces"]
	some k, name in from.source[field]
}

codes := {"namespaces": ["KIA0101", "IST0101"], "notNamespaces": ["IST0101"]}

known(name) if name in mesh.namespaces()

known(name) if {
	contains(name, "*")
	some n in mesh.namespaces()
	glob.match(name, [], n)
}

findings contains {
	"path": path,
	"message": sprintf("there is no namespace %s", [name]),
	"aliases": aliases,
	"missing": {"kind": "Namespace", "namespace": name, "name": name},
} if {
	some [path, name, aliases] in names
	not known(name)
}
