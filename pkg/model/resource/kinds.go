package resource

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	extensions "istio.io/api/extensions/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	networkingbeta "istio.io/api/networking/v1beta1"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	knetworking "k8s.io/api/networking/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	gatewayx "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/meshc/meshc/pkg/diag"
)

// Kind is one kind of resource that meshc reads.
type Kind struct {
	Group, Kind string
	// Versions are those that the API server serves today, the newest first.
	Versions []string
	// Namespaced is false for cluster-scoped kinds.
	Namespaced bool
	// Type is the Go type of Resource.Object: for Istio's kinds that of the spec.
	Type reflect.Type
	// Unknown is how bad a field is that the kind does not have: an error for the mesh's own kinds, a warning where newer versions of Kubernetes
	// may have added it.
	Unknown diag.Severity

	// spec tells that Type is decoded from the field "spec" and not from the whole object.
	spec bool
	// custom tells that the API server checks the kind by a schema, which refuses null for a field.
	custom bool
	// defaults fills what the API server would.
	defaults func(object any)
}

// New returns an empty object of the kind.
func (k *Kind) New() any { return reflect.New(k.Type.Elem()).Interface() }

// APIVersion is the group with the newest version.
func (k *Kind) APIVersion() string {
	if k.Group == "" {
		return k.Versions[0]
	}
	return k.Group + "/" + k.Versions[0]
}

// Lookup finds the kind of a document; served is false where the API server does not serve that version of it.
func Lookup(apiVersion, kind string) (k *Kind, served bool) {
	group, version := splitAPIVersion(apiVersion)
	k = kindsByName()[kind+"."+group]
	return k, k != nil && slices.Contains(k.Versions, version)
}

// Wanted tells whether documents of the kind are worth parsing: meshc reads them, once did, or they are a List that may hold some.
func Wanted(apiVersion, kind string) bool {
	if k, _ := Lookup(apiVersion, kind); k != nil {
		return true
	}
	_, retired := retiredKind(apiVersion, kind)
	return retired || strings.HasSuffix(kind, "List")
}

func splitAPIVersion(apiVersion string) (group, version string) {
	if group, version, ok := strings.Cut(apiVersion, "/"); ok {
		return group, version
	}
	return "", apiVersion
}

// Kinds returns every kind that meshc reads, ordered by group and kind.
func Kinds() []*Kind {
	kinds := kindTable()
	slices.SortFunc(kinds, func(a, b *Kind) int {
		return strings.Compare(a.Group+"/"+a.Kind, b.Group+"/"+b.Kind)
	})
	return kinds
}

// kindsByName is the table by Kind.group.
var kindsByName = sync.OnceValue(func() map[string]*Kind {
	byName := map[string]*Kind{}
	for _, k := range kindTable() {
		byName[k.Kind+"."+k.Group] = k
	}
	return byName
})

func kindTable() []*Kind {
	return slices.Concat(istioKinds(), gatewayKinds(), kubernetesKinds())
}

func istioKinds() []*Kind {
	istio := func(group, kind string, object any, versions ...string) *Kind {
		return &Kind{Group: group, Kind: kind, Versions: versions, Namespaced: true, Type: reflect.TypeOf(object), Unknown: diag.Error, spec: true,
			custom: kind != "IstioOperator"}
	}
	const net, sec, ext = "networking.istio.io", "security.istio.io", "extensions.istio.io"
	return []*Kind{
		istio(net, "VirtualService", (*networking.VirtualService)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "DestinationRule", (*networking.DestinationRule)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "Gateway", (*networking.Gateway)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "ServiceEntry", (*networking.ServiceEntry)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "WorkloadEntry", (*networking.WorkloadEntry)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "WorkloadGroup", (*networking.WorkloadGroup)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "Sidecar", (*networking.Sidecar)(nil), "v1", "v1beta1", "v1alpha3"),
		istio(net, "EnvoyFilter", (*networking.EnvoyFilter)(nil), "v1alpha3"),
		istio(net, "ProxyConfig", (*networkingbeta.ProxyConfig)(nil), "v1beta1"),
		istio(sec, "PeerAuthentication", (*security.PeerAuthentication)(nil), "v1", "v1beta1"),
		istio(sec, "RequestAuthentication", (*security.RequestAuthentication)(nil), "v1", "v1beta1"),
		istio(sec, "AuthorizationPolicy", (*security.AuthorizationPolicy)(nil), "v1", "v1beta1"),
		istio("telemetry.istio.io", "Telemetry", (*telemetry.Telemetry)(nil), "v1", "v1alpha1"),
		istio(ext, "WasmPlugin", (*extensions.WasmPlugin)(nil), "v1alpha1"),
		istio(ext, "TrafficExtension", (*extensions.TrafficExtension)(nil), "v1alpha1"),
		istio("install.istio.io", "IstioOperator", (*IstioOperator)(nil), "v1alpha1"),
	}
}

func gatewayKinds() []*Kind {
	kind := func(name string, object any, defaults func(any), versions ...string) *Kind {
		return &Kind{Group: gateway.GroupName, Kind: name, Versions: versions, Namespaced: name != "GatewayClass",
			Type: reflect.TypeOf(object), Unknown: diag.Error, custom: true, defaults: defaults}
	}
	experimental := func(name string, object any, defaults func(any)) *Kind {
		return &Kind{Group: "gateway.networking.x-k8s.io", Kind: name, Versions: []string{"v1alpha1"}, Namespaced: true,
			Type: reflect.TypeOf(object), Unknown: diag.Error, custom: true, defaults: defaults}
	}
	return []*Kind{
		kind("GatewayClass", (*gateway.GatewayClass)(nil), nil, "v1", "v1beta1"),
		kind("Gateway", (*gateway.Gateway)(nil), gatewayDefaults, "v1", "v1beta1"),
		kind("ListenerSet", (*gateway.ListenerSet)(nil), listenerSetDefaults, "v1"),
		kind("HTTPRoute", (*gateway.HTTPRoute)(nil), httpRouteDefaults, "v1", "v1beta1"),
		kind("GRPCRoute", (*gateway.GRPCRoute)(nil), grpcRouteDefaults, "v1", "v1alpha2"),
		kind("TLSRoute", (*gateway.TLSRoute)(nil), tlsRouteDefaults, "v1", "v1alpha3", "v1alpha2"),
		kind("TCPRoute", (*gateway.TCPRoute)(nil), tcpRouteDefaults, "v1", "v1alpha2"),
		kind("UDPRoute", (*gateway.UDPRoute)(nil), udpRouteDefaults, "v1", "v1alpha2"),
		kind("ReferenceGrant", (*gateway.ReferenceGrant)(nil), nil, "v1", "v1beta1", "v1alpha2"),
		kind("BackendTLSPolicy", (*gateway.BackendTLSPolicy)(nil), nil, "v1", "v1alpha3"),
		experimental("XBackend", (*gatewayx.XBackend)(nil), backendSpecDefaults),
		experimental("XBackendTrafficPolicy", (*gatewayx.XBackendTrafficPolicy)(nil), trafficPolicyDefaults),
		{Group: "inference.networking.k8s.io", Kind: "InferencePool", Versions: []string{"v1"}, Namespaced: true, Type: reflect.TypeOf((*InferencePool)(nil))},
	}
}

func kubernetesKinds() []*Kind {
	kind := func(group, version, name string, object any, unknown diag.Severity, defaults func(any)) *Kind {
		return &Kind{Group: group, Kind: name, Versions: []string{version}, Namespaced: true, Type: reflect.TypeOf(object),
			Unknown: unknown, defaults: defaults}
	}
	kinds := []*Kind{
		kind("", "v1", "Service", (*core.Service)(nil), diag.Error, serviceDefaults),
		kind("", "v1", "Endpoints", (*core.Endpoints)(nil), diag.Error, endpointsDefaults),
		kind("discovery.k8s.io", "v1", "EndpointSlice", (*discovery.EndpointSlice)(nil), diag.Error, endpointSliceDefaults),
		kind("", "v1", "Pod", (*core.Pod)(nil), diag.Warning, podDefaults),
		kind("apps", "v1", "Deployment", (*apps.Deployment)(nil), diag.Warning, podDefaults),
		kind("apps", "v1", "StatefulSet", (*apps.StatefulSet)(nil), diag.Warning, podDefaults),
		kind("apps", "v1", "DaemonSet", (*apps.DaemonSet)(nil), diag.Warning, podDefaults),
		kind("apps", "v1", "ReplicaSet", (*apps.ReplicaSet)(nil), diag.Warning, podDefaults),
		kind("batch", "v1", "Job", (*batch.Job)(nil), diag.Warning, podDefaults),
		kind("batch", "v1", "CronJob", (*batch.CronJob)(nil), diag.Warning, podDefaults),
		kind("", "v1", "ServiceAccount", (*core.ServiceAccount)(nil), diag.Warning, nil),
		kind("", "v1", "Secret", (*core.Secret)(nil), diag.Error, secretDefaults),
		kind("", "v1", "ConfigMap", (*core.ConfigMap)(nil), diag.Error, nil),
		kind("networking.k8s.io", "v1", "Ingress", (*knetworking.Ingress)(nil), diag.Error, nil),
	}
	clusterScoped := []*Kind{
		kind("", "v1", "Namespace", (*core.Namespace)(nil), diag.Warning, namespaceDefaults),
		kind("", "v1", "Node", (*core.Node)(nil), diag.Warning, nil),
		kind("networking.k8s.io", "v1", "IngressClass", (*knetworking.IngressClass)(nil), diag.Error, nil),
		kind("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", (*admission.MutatingWebhookConfiguration)(nil), diag.Warning, nil),
		kind("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", (*admission.ValidatingWebhookConfiguration)(nil), diag.Warning, nil),
		kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", (*CustomResourceDefinition)(nil), "", nil),
	}
	for _, k := range clusterScoped {
		k.Namespaced = false
	}
	return append(kinds, clusterScoped...)
}
