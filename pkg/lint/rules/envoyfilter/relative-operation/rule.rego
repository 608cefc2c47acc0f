package envoyfilter.relative_operation

# On routes REMOVE is ignored altogether.
relative contains i if {
	some i, p in input.spec.configPatches
	p.patch.operation in {"INSERT_BEFORE", "INSERT_AFTER", "REPLACE", "REMOVE"}
	not p.applyTo in {"ROUTE_CONFIGURATION", "HTTP_ROUTE"}
}

findings contains {
	"path": sprintf("spec.configPatches[%d].patch.operation", [i]),
	"message": sprintf("%s looks for something that another EnvoyFilter may add later: set spec.priority to fix their order", [p.patch.operation]),
} if {
	object.get(input.spec, "priority", 0) == 0
	i := min(relative)
	p := input.spec.configPatches[i]
}
