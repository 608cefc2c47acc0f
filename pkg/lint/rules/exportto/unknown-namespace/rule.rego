package exportto.unknown_namespace

findings contains object.union({
	"path": sprintf("spec.exportTo[%d]", [i]),
	"message": sprintf("there is no namespace %s", [name]),
	"missing": {"kind": "Namespace", "namespace": name, "name": name},
}, fix(name)) if {
	some i, name in input.spec.exportTo
	not name in {"*", ".", "~"}
	not name in mesh.namespaces()
}

default fix(_) := {}

fix(name) := {"fix": {"description": sprintf("did you mean %s?", [near]), "replace": near}} if near := mesh.similar(name, mesh.namespaces())
