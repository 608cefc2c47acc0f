package telemetry.no_provider

findings contains {
	"path": sprintf("spec.accessLogging[%d]", [i]),
	"message": "the entry names no provider, and MeshConfig has no default: it is ignored",
} if {
	some i, entry in input.spec.accessLogging
	count(object.get(entry, "providers", [])) == 0
	not entry.disabled
	mesh.settings().accessLogProviders == 0
	mesh.settings().accessLogFile == ""
}
