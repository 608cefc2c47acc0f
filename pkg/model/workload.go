package model

import (
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
	// Gateway is true for a workload whose pods are Envoy gateways (gateway injection template, or picked by a Gateway's selector).
	Gateway bool
	// ContainerPorts by name ("" for unnamed ones is left out), and all numbers.
	NamedPorts map[string]uint32
	// Addresses are pod addresses: from Pods in the input, else made up.
	Addresses []string
	Source    resource.Source
}

// ProxyType tells sidecars from gateways, in the words of the proxies file.
type ProxyType string

const (
	Sidecar ProxyType = "sidecar"
	Router  ProxyType = "router"
)

// Proxy is one Envoy of the mesh.
type Proxy struct {
	Name           string            `json:"name"`
	Namespace      string            `json:"namespace"`
	Type           ProxyType         `json:"type"`
	IP             string            `json:"ip"`
	Labels         map[string]string `json:"labels"`
	ServiceAccount string            `json:"serviceAccount"`
	Locality       string            `json:"locality,omitempty"`
	Network        string            `json:"network,omitempty"`
	// Assumed says why meshc made the proxy up, "" for one that the input describes.
	Assumed string `json:"assumed,omitempty"`
	// Source is the workload, the Gateway whose selector asks for it, or nothing for one from the proxies file.
	Source resource.Source `json:"-"`
	// Annotations of the pod, where known (proxy.istio.io/config, traffic.sidecar.istio.io/…).
	Annotations map[string]string `json:"-"`
}

// ID is NAME.NAMESPACE, as --proxy takes it.
func (p *Proxy) ID() string { return p.Name + "." + p.Namespace }

// ServiceTarget is a port of a service that selects a proxy's workload, and the number that the workload listens on.
type ServiceTarget struct {
	Service    *Service
	Port       *Port
	TargetPort uint32
}
