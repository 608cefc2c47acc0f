package namespace.several_injection_labels

marks := {"istio-injection", "istio.io/rev", "istio.io/dataplane-mode"}

says_no("istio-injection", "disabled") := true

says_no("istio.io/dataplane-mode", "none") := true

findings contains {
	"path": "metadata.labels",
	"message": sprintf("the labels %s say different things about injection: keep one", [concat(", ", sort(both))]),
} if {
	both := {k | some k, v in input.metadata.labels; not says_no(k, v)} & marks
	count(both) > 1
}
