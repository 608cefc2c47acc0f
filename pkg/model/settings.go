package model

import (
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Settings are the mesh-wide settings, merged from their sources over Istio's defaults
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/).
type Settings struct {
	// Mesh is never nil; DefaultConfig in it neither.
	Mesh *meshconfig.MeshConfig
	// Networks is never nil.
	Networks *meshconfig.MeshNetworks
	// Sources are the documents that were merged, lowest precedence first.
	Sources []resource.Source

	// DomainSuffix is the cluster's DNS domain: cluster.local.
	DomainSuffix string
	// ClusterID is the name of the cluster: Kubernetes.
	ClusterID string
	// MeshID and Network are those of the installation, "" where unset.
	MeshID  string
	Network string
	// EnableNamespacesByDefault says that namespaces without an injection label are injected too; from the ConfigMap istio-sidecar-injector
	// or IstioOperator values (https://istio.io/latest/docs/ops/configuration/mesh/injection-concepts/).
	EnableNamespacesByDefault bool

	// fields tells where fields of MeshConfig stand, by the names that Source takes.
	fields map[string]resource.Source
}

// RootNamespace is where mesh-wide policies live: istio-system unless MeshConfig says otherwise.
func (s Settings) RootNamespace() string {
	if ns := s.Mesh.GetRootNamespace(); ns != "" {
		return ns
	}
	return systemNamespace
}

// TrustDomain is the first part of every workload's identity: cluster.local unless MeshConfig says otherwise.
func (s Settings) TrustDomain() string {
	if td := s.Mesh.GetTrustDomain(); td != "" {
		return td
	}
	return defaultDomain
}

const (
	systemNamespace = "istio-system"
	defaultDomain   = "cluster.local"
	defaultCluster  = "Kubernetes"
)
