package gateway.port_not_on_service

pods := mesh.workloads("", input.spec.selector)

# Target ports by number, and the numbers of the ports themselves: a gateway may be written either way.
open contains number if {
	some pod in pods
	some s in mesh.resources_in("Service", pod.namespace)
	count(s.spec.selector) > 0
	every k, v in s.spec.selector { pod.labels[k] == v }
	some p in s.spec.ports
	object.get(p, "protocol", "TCP") == "TCP"
	some number in [p.port, object.get(p, "targetPort", p.port)]
}

# What the chart of Istio's ingress gateway opens.
open contains number if {
	count(pods) == 0
	input.spec.selector == {"istio": "ingressgateway"}
	some number in [15021, 80, 443, 31400, 15443]
}

findings contains {
	"path": sprintf("spec.servers[%d].port.number", [i]),
	"message": sprintf("port %d is on no Service of the workloads that the Gateway selects; they have %s", [s.port.number, concat(", ", [sprintf("%v", [n]) | some n in sort(open)])]),
} if {
	count(open) > 0
	some i, s in input.spec.servers
	not startswith(object.get(s, "bind", ""), "unix:")
	not s.port.number in open
}
