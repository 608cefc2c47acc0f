package namespace.injected_by_default

system := {"kube-system", "kube-public", "kube-node-lease", "local-path-storage", "istio-system"}

marks := {"istio-injection", "istio.io/rev", "istio.io/dataplane-mode"}

findings contains {
	"path": "metadata",
	"message": sprintf("the namespace %s is injected because the installation injects by default", [input.name]),
} if {
	mesh.settings().injectByDefault
	not input.name in system
	input.name != mesh.settings().rootNamespace
	count({k | some k, _ in object.get(input.metadata, "labels", {})} & marks) == 0
}
