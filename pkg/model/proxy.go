package model

import (
	"github.com/meshc/meshc/pkg/model/resource"
)

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
	// Node is the Kubernetes node that the proxy runs on, "" where that is not known.
	Node string `json:"-"`
	// Located are the labels together with those of where the proxy is, which failoverPriority compares with those of endpoints. Nil for
	// proxies from the proxies file, whose labels are complete.
	Located map[string]string `json:"-"`
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
