package annotation.alpha

# With Istio's CNI plugin the injector writes these itself; it is told by the container that checks the plugin's work.
by_injector := {
	"sidecar.istio.io/interceptionMode", "traffic.sidecar.istio.io/includeOutboundIPRanges", "traffic.sidecar.istio.io/includeInboundPorts",
	"traffic.sidecar.istio.io/excludeInboundPorts", "traffic.sidecar.istio.io/includeOutboundPorts", "sidecar.istio.io/status",
}

injected(name) if {
	name in by_injector
	some c in input.spec.initContainers
	c.name == "istio-validation"
}

injected("sidecar.istio.io/status")

findings contains {
	"path": sprintf("metadata.annotations[%q]", [name]),
	"message": sprintf("%s is part of an alpha feature", [name]),
} if {
	some name, _ in input.metadata.annotations
	mesh.annotations()[name].alpha
	not injected(name)
}
