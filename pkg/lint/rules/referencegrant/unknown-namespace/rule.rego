package referencegrant.unknown_namespace

findings contains {
	"path": sprintf("spec.from[%d].namespace", [i]),
	"message": sprintf("there is no namespace %s", [from.namespace]),
	"missing": {"kind": "Namespace", "namespace": "", "name": from.namespace},
} if {
	some i, from in input.spec.from
	not from.namespace in mesh.namespaces()
}
