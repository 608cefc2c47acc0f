package selector.matches_nothing

codes := {
	"AuthorizationPolicy": ["KIA0004", "IST0127"], "PeerAuthentication": ["KIA0004"], "RequestAuthentication": ["KIA0004"],
	"Sidecar": ["KIA0004", "IST0101"], "Telemetry": ["IST0101"], "WasmPlugin": [],
}

selector := ["spec.selector.matchLabels", input.spec.selector.matchLabels]

selector := ["spec.workloadSelector.labels", input.spec.workloadSelector.labels]

# In the root namespace a policy counts for the whole mesh.
everywhere if {
	input.type != "Sidecar"
	input.namespace == mesh.settings().rootNamespace
}

scope := "" if everywhere

scope := input.namespace if not everywhere

where := "the mesh" if everywhere

where := sprintf("the namespace %s", [input.namespace]) if not everywhere

findings contains {
	"path": selector[0],
	"message": sprintf("no workload of %s has the labels %s", [where, concat(", ", sort([sprintf("%s=%v", [k, v]) | some k, v in selector[1]]))]),
	"aliases": codes[input.type],
	"missing": {"kind": "Workload", "namespace": input.namespace, "name": ""},
} if {
	count(selector[1]) > 0
	count(mesh.workloads(scope, selector[1])) == 0
}
