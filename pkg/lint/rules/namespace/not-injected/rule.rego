package namespace.not_injected

system := {"kube-system", "kube-public", "kube-node-lease", "local-path-storage", "istio-system"}

marks := {"istio-injection", "istio.io/rev", "istio.io/dataplane-mode"}

findings contains {
	"path": "metadata",
	"message": sprintf("the namespace %s is not in the mesh: label it istio-injection=enabled, or disabled if that is meant", [input.name]),
} if {
	not input.name in system
	input.name != mesh.settings().rootNamespace
	not mesh.settings().injectByDefault
	count({k | some k, _ in input.metadata.labels} & marks) == 0
}

findings contains {
	"path": "metadata",
	"message": sprintf("the namespace %s is not in the mesh: label it istio-injection=enabled, or disabled if that is meant", [input.name]),
} if {
	not input.name in system
	not mesh.settings().injectByDefault
	not input.metadata.labels
}
