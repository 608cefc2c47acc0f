package envoyfilter.relative_operation

findings contains {
	"path": sprintf("spec.configPatches[%d].patch.operation", [i]),
	"message": sprintf("%s looks for something that another EnvoyFilter may add later: set spec.priority to fix their order", [p.patch.operation]),
} if {
	object.get(input.spec, "priority", 0) == 0
	some i, p in input.spec.configPatches
	p.patch.operation in {"INSERT_BEFORE", "INSERT_AFTER", "REPLACE", "REMOVE"}
}
