package sidecar.policy_without_mode

findings contains {
	"path": "spec.outboundTrafficPolicy",
	"message": "an outboundTrafficPolicy without mode means REGISTRY_ONLY: say so, or say ALLOW_ANY",
} if {
	policy := input.spec.outboundTrafficPolicy
	not policy.mode
}
