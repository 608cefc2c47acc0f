package resource

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"
)

// InferencePool is a pool of model servers that a route can lead to (https://gateway-api-inference-extension.sigs.k8s.io/); only that it exists
// is looked at.
type InferencePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

func backendSpecDefaults(object any) {
	spec := &object.(*gatewayx.XBackend).Spec
	if spec.TLS != nil && spec.TLS.ClientCertificateRef != nil {
		secretRefDefaults(spec.TLS.ClientCertificateRef)
	}
}

func trafficPolicyDefaults(object any) {
	constraint := object.(*gatewayx.XBackendTrafficPolicy).Spec.RetryConstraint
	if constraint == nil {
		return
	}
	orElse(&constraint.Budget, gatewayx.BudgetDetails{})
	orElse(&constraint.Budget.Percent, 20)
	orElse(&constraint.Budget.Interval, "10s")
	orElse(&constraint.MinRetryRate, gatewayx.RequestRate{})
	orElse(&constraint.MinRetryRate.Count, 10)
	orElse(&constraint.MinRetryRate.Interval, "1s")
}
