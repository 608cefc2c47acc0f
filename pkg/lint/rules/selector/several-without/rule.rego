package selector.several_without

codes := {"PeerAuthentication": ["KIA0002"], "Sidecar": ["KIA0002", "IST0111"], "Telemetry": ["IST0160"]}

bare(r) if {
	count(object.get(r.spec, ["selector", "matchLabels"], {})) == 0
	count(object.get(r.spec, ["workloadSelector", "labels"], {})) == 0
	not r.spec.targetRef
	not r.spec.targetRefs
}

others := [r | some r in mesh.resources_in(input.type, input.namespace); r.id != input.id; bare(r)]

findings contains {
	"path": "",
	"message": sprintf("%s has no selector, and neither has %s: only one of them can count for the namespace %s", [input.name, concat(", ", sort([r.name | some r in others])), input.namespace]),
	"aliases": codes[input.type],
	"related": [{"id": r.id, "path": "metadata.name", "message": "this has no selector either"} | some r in others],
} if {
	bare(input)
	count(others) > 0
}
