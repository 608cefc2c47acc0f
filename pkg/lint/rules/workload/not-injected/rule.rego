package workload.not_injected

proxied(pod) if {
	some list in ["containers", "initContainers"]
	some c in pod.spec[list]
	c.name == "istio-proxy"
}

# The input was exported from a cluster.
live if input.status

live if {
	some pod in mesh.resources("Pod")
	proxied(pod)
}

opted_out if input.metadata.labels["sidecar.istio.io/inject"] == "false"

opted_out if {
	not input.metadata.labels["sidecar.istio.io/inject"]
	input.metadata.annotations["sidecar.istio.io/inject"] == "false"
}

opted_out if input.spec.hostNetwork

findings contains {
	"path": "metadata.name",
	"message": sprintf("the namespace %s is injected, and the pod has no container istio-proxy", [input.namespace]),
} if {
	some n in mesh.resources("Namespace")
	n.name == input.namespace
	n.metadata.labels["istio-injection"] == "enabled"
	not n.metadata.labels["istio.io/rev"]
	not proxied(input)
	not opted_out
	live
}
