package resource

import (
	"reflect"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	meshconfig "istio.io/api/mesh/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/pkg/diag"
)

var protoMessageType = reflect.TypeFor[proto.Message]()

// IstioOperator is the spec of an installation, as far as it has an effect on proxies
// (https://istio.io/latest/docs/reference/config/istio.operator.v1alpha1/).
type IstioOperator struct {
	Profile    string                 `json:"profile"`
	Revision   string                 `json:"revision"`
	Namespace  string                 `json:"namespace"`
	MeshConfig *meshconfig.MeshConfig `json:"meshConfig"`
	Components IstioComponents        `json:"components"`
	// Values are the Helm values, free-form.
	Values map[string]any `json:"values"`
	// UnvalidatedValues are the Helm values that the operator does not look at.
	UnvalidatedValues map[string]any `json:"unvalidatedValues"`
	// The rest says how things are installed and has no effect on proxies.
	Hub                  any `json:"hub"`
	Tag                  any `json:"tag"`
	InstallPackagePath   any `json:"installPackagePath"`
	CompatibilityVersion any `json:"compatibilityVersion"`
}

// IstioComponents are the parts that an IstioOperator installs.
type IstioComponents struct {
	IngressGateways []IstioGatewayComponent `json:"ingressGateways"`
	EgressGateways  []IstioGatewayComponent `json:"egressGateways"`
	// The others are free-form.
	Base         any `json:"base"`
	Pilot        any `json:"pilot"`
	CNI          any `json:"cni"`
	Ztunnel      any `json:"ztunnel"`
	IstiodRemote any `json:"istiodRemote"`
}

// IstioGatewayComponent is a gateway that an IstioOperator installs.
type IstioGatewayComponent struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Enabled   *bool             `json:"enabled"`
	Label     map[string]string `json:"label"`
	Hub       any               `json:"hub"`
	Tag       any               `json:"tag"`
	K8s       IstioGatewayK8s   `json:"k8s"`
}

// IstioGatewayK8s are the Kubernetes settings of a gateway.
type IstioGatewayK8s struct {
	Env                []IstioEnv          `json:"env"`
	PodAnnotations     map[string]string   `json:"podAnnotations"`
	ServiceAnnotations map[string]string   `json:"serviceAnnotations"`
	Service            IstioGatewayService `json:"service"`
	// Overlays are patches to the manifests, free-form.
	Overlays []any `json:"overlays"`
}

// IstioEnv is one environment variable of a gateway.
type IstioEnv struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// IstioGatewayService is the Service in front of a gateway.
type IstioGatewayService struct {
	Type           string             `json:"type"`
	LoadBalancerIP string             `json:"loadBalancerIP"`
	Ports          []IstioServicePort `json:"ports"`
	Selector       map[string]string  `json:"selector"`
}

// IstioServicePort is a port of a gateway's Service. TargetPort is 0 where it is that of the port itself.
type IstioServicePort struct {
	Name       string `json:"name"`
	Protocol   string `json:"protocol"`
	Port       int32  `json:"port"`
	TargetPort int32  `json:"targetPort"`
	NodePort   int32  `json:"nodePort"`
}

// CustomResourceDefinition tells which kinds the cluster knows; schemas are not looked at.
type CustomResourceDefinition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Group string `json:"group"`
		Scope string `json:"scope"`
		Names struct {
			Kind   string `json:"kind"`
			Plural string `json:"plural"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

// inMessage fills a protobuf message that stands inside a Go struct. Those are mesh-wide settings: see Settings.
func (w *walker) inMessage(v reflect.Value, n *yaml.Node) {
	inner := *w
	inner.protoNames = true
	inner.unknown = diag.Warning
	inner.message(v.Addr().Interface().(protoreflect.ProtoMessage).ProtoReflect(), n)
	w.findings, w.more = inner.findings, inner.more
}
