package selector.kubernetes_gateway

label := "gateway.networking.k8s.io/gateway-name"

targeted if input.spec.targetRef

targeted if count(input.spec.targetRefs) > 0

findings contains {
	"path": "spec.selector.matchLabels",
	"message": sprintf("the proxies of the Gateway %s do not heed selectors; name the Gateway in targetRefs", [input.spec.selector.matchLabels[label]]),
} if {
	input.spec.selector.matchLabels[label]
	not targeted
}
