package sidecar.deprecated_egress_proxy

findings contains {
	"path": "spec.outboundTrafficPolicy.egressProxy",
	"message": "egressProxy is deprecated: route through an egress gateway instead",
} if input.spec.outboundTrafficPolicy.egressProxy
