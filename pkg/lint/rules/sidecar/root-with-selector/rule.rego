package sidecar.root_with_selector

findings contains {
	"path": "spec.workloadSelector",
	"message": sprintf("in the root namespace %s a Sidecar is the default of the mesh: with a selector it is none", [input.namespace]),
} if {
	input.namespace == mesh.settings().rootNamespace
	input.spec.workloadSelector
}
