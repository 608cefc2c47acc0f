package resource

import (
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// The functions of this file fill in what the API server does when an object is created: the defaults of the Gateway API's
// custom resource definitions and those of Kubernetes' own kinds that have an effect on proxies. Istio's definitions have none.

// orElse sets a field that is unset.
func orElse[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func orZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func serviceDefaults(object any) {
	spec := &object.(*core.Service).Spec
	orZero(&spec.Type, core.ServiceTypeClusterIP)
	orZero(&spec.SessionAffinity, core.ServiceAffinityNone)
	for i := range spec.Ports {
		port := &spec.Ports[i]
		orZero(&port.Protocol, core.ProtocolTCP)
		if port.TargetPort == (intstr.IntOrString{}) {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
	}
}

// namespaceDefaults adds the label that the API server gives every namespace
// (https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name).
func namespaceDefaults(object any) {
	ns := object.(*core.Namespace)
	if ns.Name == "" {
		return
	}
	labels := map[string]string{core.LabelMetadataName: ns.Name}
	for key, value := range ns.Labels {
		if key != core.LabelMetadataName {
			labels[key] = value
		}
	}
	ns.Labels = labels
}

// secretDefaults moves stringData into data.
func secretDefaults(object any) {
	secret := object.(*core.Secret)
	orZero(&secret.Type, core.SecretTypeOpaque)
	for key, value := range secret.StringData {
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
}

func endpointsDefaults(object any) {
	for _, subset := range object.(*core.Endpoints).Subsets {
		for i := range subset.Ports {
			orZero(&subset.Ports[i].Protocol, core.ProtocolTCP)
		}
	}
}

func endpointSliceDefaults(object any) {
	slice := object.(*discovery.EndpointSlice)
	for i := range slice.Ports {
		orElse(&slice.Ports[i].Protocol, core.ProtocolTCP)
		orElse(&slice.Ports[i].Name, "")
	}
}

func podDefaults(object any) {
	spec := podSpec(object)
	for _, containers := range [][]core.Container{spec.InitContainers, spec.Containers} {
		for _, container := range containers {
			for i := range container.Ports {
				orZero(&container.Ports[i].Protocol, core.ProtocolTCP)
			}
		}
	}
}

func podSpec(object any) *core.PodSpec {
	switch o := object.(type) {
	case *core.Pod:
		return &o.Spec
	case *apps.Deployment:
		return &o.Spec.Template.Spec
	case *apps.StatefulSet:
		return &o.Spec.Template.Spec
	case *apps.DaemonSet:
		return &o.Spec.Template.Spec
	case *apps.ReplicaSet:
		return &o.Spec.Template.Spec
	case *batch.Job:
		return &o.Spec.Template.Spec
	case *batch.CronJob:
		return &o.Spec.JobTemplate.Spec.Template.Spec
	}
	return &core.PodSpec{}
}

func gatewayDefaults(object any) {
	spec := &object.(*gateway.Gateway).Spec
	for i := range spec.Addresses {
		orElse(&spec.Addresses[i].Type, gateway.IPAddressType)
	}
	for i := range spec.Listeners {
		l := &spec.Listeners[i]
		listenerDefaults(&l.AllowedRoutes, l.TLS)
	}
	if spec.AllowedListeners != nil {
		orElse(&spec.AllowedListeners.Namespaces, gateway.ListenerNamespaces{})
		orElse(&spec.AllowedListeners.Namespaces.From, gateway.NamespacesFromNone)
	}
	if spec.TLS == nil {
		return
	}
	if backend := spec.TLS.Backend; backend != nil && backend.ClientCertificateRef != nil {
		secretRefDefaults(backend.ClientCertificateRef)
	}
	if frontend := spec.TLS.Frontend; frontend != nil {
		validationDefaults(&frontend.Default)
		for i := range frontend.PerPort {
			validationDefaults(&frontend.PerPort[i].TLS)
		}
	}
}

func validationDefaults(tls *gateway.TLSConfig) {
	if tls.Validation != nil {
		orZero(&tls.Validation.Mode, gateway.AllowValidOnly)
	}
}

func listenerSetDefaults(object any) {
	spec := &object.(*gateway.ListenerSet).Spec
	orElse(&spec.ParentRef.Group, gateway.GroupName)
	orElse(&spec.ParentRef.Kind, "Gateway")
	for i := range spec.Listeners {
		l := &spec.Listeners[i]
		listenerDefaults(&l.AllowedRoutes, l.TLS)
	}
}

func listenerDefaults(allowed **gateway.AllowedRoutes, tls *gateway.ListenerTLSConfig) {
	orElse(allowed, gateway.AllowedRoutes{})
	orElse(&(*allowed).Namespaces, gateway.RouteNamespaces{})
	orElse(&(*allowed).Namespaces.From, gateway.NamespacesFromSame)
	for i := range (*allowed).Kinds {
		orElse(&(*allowed).Kinds[i].Group, gateway.GroupName)
	}
	if tls == nil {
		return
	}
	orElse(&tls.Mode, gateway.TLSModeTerminate)
	for i := range tls.CertificateRefs {
		secretRefDefaults(&tls.CertificateRefs[i])
	}
}

func secretRefDefaults(ref *gateway.SecretObjectReference) {
	orElse(&ref.Group, "")
	orElse(&ref.Kind, "Secret")
}

func parentDefaults(refs []gateway.ParentReference) {
	for i := range refs {
		orElse(&refs[i].Group, gateway.GroupName)
		orElse(&refs[i].Kind, "Gateway")
	}
}

func backendDefaults(ref *gateway.BackendRef) {
	objectDefaults(&ref.BackendObjectReference)
	orElse(&ref.Weight, 1)
}

func objectDefaults(ref *gateway.BackendObjectReference) {
	orElse(&ref.Group, "")
	orElse(&ref.Kind, "Service")
}

func httpRouteDefaults(object any) {
	spec := &object.(*gateway.HTTPRoute).Spec
	parentDefaults(spec.ParentRefs)
	if spec.Rules == nil {
		spec.Rules = []gateway.HTTPRouteRule{{}}
	}
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		if rule.Matches == nil {
			rule.Matches = []gateway.HTTPRouteMatch{{}}
		}
		for j := range rule.Matches {
			httpMatchDefaults(&rule.Matches[j])
		}
		httpFilterDefaults(rule.Filters)
		for j := range rule.BackendRefs {
			backendDefaults(&rule.BackendRefs[j].BackendRef)
			httpFilterDefaults(rule.BackendRefs[j].Filters)
		}
		sessionDefaults(rule.SessionPersistence)
	}
}

func httpMatchDefaults(match *gateway.HTTPRouteMatch) {
	orElse(&match.Path, gateway.HTTPPathMatch{})
	orElse(&match.Path.Type, gateway.PathMatchPathPrefix)
	orElse(&match.Path.Value, "/")
	for i := range match.Headers {
		orElse(&match.Headers[i].Type, gateway.HeaderMatchExact)
	}
	for i := range match.QueryParams {
		orElse(&match.QueryParams[i].Type, gateway.QueryParamMatchExact)
	}
}

func httpFilterDefaults(filters []gateway.HTTPRouteFilter) {
	for i := range filters {
		f := &filters[i]
		mirrorDefaults(f.RequestMirror)
		if f.RequestRedirect != nil {
			orElse(&f.RequestRedirect.StatusCode, 302)
		}
		if f.CORS != nil {
			orZero(&f.CORS.MaxAge, 5)
		}
		if f.ExternalAuth != nil {
			objectDefaults(&f.ExternalAuth.BackendRef)
		}
	}
}

func mirrorDefaults(mirror *gateway.HTTPRequestMirrorFilter) {
	if mirror == nil {
		return
	}
	objectDefaults(&mirror.BackendRef)
	if mirror.Fraction != nil {
		orElse(&mirror.Fraction.Denominator, 100)
	}
}

func sessionDefaults(session *gateway.SessionPersistence) {
	if session == nil {
		return
	}
	orElse(&session.Type, gateway.CookieBasedSessionPersistence)
	if session.CookieConfig != nil {
		orElse(&session.CookieConfig.LifetimeType, gateway.SessionCookieLifetimeType)
	}
}

func grpcRouteDefaults(object any) {
	spec := &object.(*gateway.GRPCRoute).Spec
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		for j := range rule.Matches {
			match := &rule.Matches[j]
			if match.Method != nil {
				orElse(&match.Method.Type, gateway.GRPCMethodMatchExact)
			}
			for k := range match.Headers {
				orElse(&match.Headers[k].Type, gateway.GRPCHeaderMatchExact)
			}
		}
		for j := range rule.Filters {
			mirrorDefaults(rule.Filters[j].RequestMirror)
		}
		for j := range rule.BackendRefs {
			backendDefaults(&rule.BackendRefs[j].BackendRef)
			for k := range rule.BackendRefs[j].Filters {
				mirrorDefaults(rule.BackendRefs[j].Filters[k].RequestMirror)
			}
		}
		sessionDefaults(rule.SessionPersistence)
	}
}

func tlsRouteDefaults(object any) {
	spec := &object.(*gateway.TLSRoute).Spec
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		refsDefaults(spec.Rules[i].BackendRefs)
	}
}

func tcpRouteDefaults(object any) {
	spec := &object.(*gateway.TCPRoute).Spec
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		refsDefaults(spec.Rules[i].BackendRefs)
	}
}

func udpRouteDefaults(object any) {
	spec := &object.(*gateway.UDPRoute).Spec
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		refsDefaults(spec.Rules[i].BackendRefs)
	}
}

func refsDefaults(refs []gateway.BackendRef) {
	for i := range refs {
		backendDefaults(&refs[i])
	}
}
