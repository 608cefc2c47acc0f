package selector.several_for_workload

codes := {"PeerAuthentication": ["KIA0003"], "Sidecar": ["KIA0003", "IST0110"], "Telemetry": ["IST0159"]}

labels(r) := r.spec.selector.matchLabels

labels(r) := r.spec.workloadSelector.labels

shared[other.id] := {"other": other, "workload": names[0]} if {
	mine := labels(input)
	count(mine) > 0
	some other in mesh.resources_in(input.type, input.namespace)
	other.id != input.id
	theirs := labels(other)
	count(theirs) > 0
	consistent(mine, theirs)
	names := sort([sprintf("%s %s", [w.kind, w.name]) | some w in mesh.workloads(input.namespace, object.union(mine, theirs))])
}

# Two selectors can meet in one workload only if they agree on the keys that both name.
consistent(a, b) if every k, v in a { object.get(b, k, v) == v }

findings contains {
	"path": "metadata.name",
	"message": sprintf("%s is picked by %s too: only one of them can count", [first.workload, concat(", ", sort([s.other.name | some s in shared]))]),
	"aliases": codes[input.type],
	"related": [{"id": s.other.id, "path": "metadata.name", "message": "this picks the workload too"} | some s in shared],
} if {
	ids := sort(object.keys(shared))
	first := shared[ids[0]]
}
