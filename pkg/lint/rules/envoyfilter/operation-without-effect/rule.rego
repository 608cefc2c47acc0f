package envoyfilter.operation_without_effect

idle("REPLACE", to) := "IST0152" if not to in {"NETWORK_FILTER", "HTTP_FILTER", "VIRTUAL_HOST"}

idle("ADD", to) := "IST0153" if to in {"ROUTE_CONFIGURATION", "HTTP_ROUTE"}

idle("REMOVE", to) := "IST0154" if to in {"ROUTE_CONFIGURATION", "HTTP_ROUTE"}

findings contains {
	"path": sprintf("spec.configPatches[%d].patch.operation", [i]),
	"message": sprintf("%s does nothing on %s", [p.patch.operation, p.applyTo]),
	"aliases": [code],
} if {
	some i, p in input.spec.configPatches
	code := idle(p.patch.operation, p.applyTo)
}
