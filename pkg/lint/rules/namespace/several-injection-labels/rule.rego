package namespace.several_injection_labels

marks := {"istio-injection", "istio.io/rev", "istio.io/dataplane-mode"}

findings contains {
	"path": "metadata.labels",
	"message": sprintf("the labels %s say different things about injection: keep one", [concat(", ", sort(both))]),
} if {
	both := {k | some k, _ in input.metadata.labels} & marks
	count(both) > 1
}
