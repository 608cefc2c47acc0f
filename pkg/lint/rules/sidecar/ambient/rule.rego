package sidecar.ambient

findings contains {
	"path": "metadata.namespace",
	"message": sprintf("the namespace %s is in ambient mode, where a Sidecar has no effect", [input.namespace]),
} if {
	some n in mesh.resources("Namespace")
	n.name == input.namespace
	n.metadata.labels["istio.io/dataplane-mode"] == "ambient"
	object.get(n.metadata.labels, "istio-injection", "disabled") == "disabled"
	not n.metadata.labels["istio.io/rev"]
}
