package model

import (
	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Workload is something that runs: a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, a bare Pod, or a WorkloadEntry. Pods that
// belong to one of the former are its Pods, not workloads of their own.
type Workload struct {
	Kind      string
	Name      string
	Namespace string
	// Labels are the pod template's, with those that the sidecar injector adds (security.istio.io/tlsMode,
	// service.istio.io/canonical-name, service.istio.io/canonical-revision) where it is injected.
	Labels         map[string]string
	Annotations    map[string]string
	ServiceAccount string
	// Injected tells whether it gets a sidecar, and Why says what decided.
	Injected bool
	Why      string
	// Gateway is true for a workload whose pods are Envoy gateways (gateway injection template, Istio's gateway labels, or
	// picked by a Gateway's selector and running the proxy alone).
	Gateway bool
	// NamedPorts are the numbers of the containers' named TCP ports, or a WorkloadEntry's ports.
	NamedPorts map[string]uint32
	// Addresses are pod addresses: from Pods in the input, else made up.
	Addresses []string
	Source    resource.Source

	// pods are those of the input that belong to it.
	pods []*pod
	// podSpec and selector are those of what makes the pods, entry that of a WorkloadEntry; each nil for the others.
	podSpec  *corev1.PodSpec
	selector *metav1.LabelSelector
	entry    *networking.WorkloadEntry
}
