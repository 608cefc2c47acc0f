package gateway.selector_without_workloads

installed := {{"istio": "ingressgateway"}, {"istio": "egressgateway"}, {"istio": "eastwestgateway"}}

findings contains {
	"path": "spec.selector",
	"message": sprintf("no workload has the labels %s: the Gateway is on no proxy", [concat(", ", sort([sprintf("%s=%v", [k, v]) | some k, v in input.spec.selector]))]),
	"missing": {"kind": "Workload", "namespace": input.namespace, "name": ""},
} if {
	count(input.spec.selector) > 0
	not input.spec.selector in installed
	count(mesh.workloads("", input.spec.selector)) == 0
}
