package resource

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/meshc/meshc/pkg/diag"
)

// successor is what took the place of something that Istio's API no longer has.
type successor struct {
	// use is the new field, or what else to do.
	use string
	// description words the mend where "use …" does not do.
	description string
	// rename is the new name where the field merely changed its name, "" elsewhere.
	rename string
}

func (s successor) fix() string {
	if s.description != "" {
		return s.description
	}
	return "use " + s.use + " instead"
}

// deprecated reports a field that the API still has and Istio no longer heeds.
func (w *walker) deprecated(key *yaml.Node, fd protoreflect.FieldDescriptor) {
	options, ok := fd.Options().(*descriptorpb.FieldOptions)
	if !ok || !options.GetDeprecated() {
		return
	}
	if s, ok := w.retired(key.Value); ok {
		w.retiredField(key, diag.Warning, "has no effect any more", s)
	}
}

func (w *walker) retiredField(key *yaml.Node, severity diag.Severity, what string, s successor) {
	w.pushKey(key.Value)
	defer w.pop()
	f := w.report("schema/retired-field", severity, key, fmt.Sprintf("%s %s; %s", w.path(), what, s.fix()))
	f.Fix = &diag.Fix{Description: s.fix()}
	if s.rename != "" {
		f.Fix.Edits = []diag.Edit{{Location: w.doc.Location(key), NewText: s.rename}}
	}
}

// retired finds what took the place of a field at the current place of the walk.
func (w *walker) retired(field string) (successor, bool) {
	if w.kind == nil {
		return successor{}, false
	}
	s, ok := retiredFields(w.kind.Kind, w.pattern(field))
	return s, ok
}

// retiredFields is the table of fields that Istio's API once had, by kind and path without indices.
func retiredFields(kind, path string) (successor, bool) {
	switch kind {
	case "DestinationRule":
		// Traffic policies stand at several levels; the end of the path tells the field.
		switch {
		case strings.HasSuffix(path, ".outlierDetection.consecutiveErrors"):
			return successor{description: "use consecutive5xxErrors instead, or consecutiveGatewayErrors to count only 502, 503 and 504", rename: "consecutive5xxErrors"}, true
		case strings.HasSuffix(path, ".connectionPool.http.maxRetriesPerRequest"):
			return successor{use: "connectionPool.http.maxRetries, or retries.attempts of the VirtualService"}, true
		case strings.HasSuffix(path, ".loadBalancer.consistentHash.httpHeader"):
			return successor{use: "consistentHash.httpHeaderName", rename: "httpHeaderName"}, true
		}
	case "VirtualService":
		switch path {
		case "spec.http.appendHeaders", "spec.http.appendRequestHeaders":
			return successor{use: "headers.request.add"}, true
		case "spec.http.removeRequestHeaders":
			return successor{use: "headers.request.remove"}, true
		case "spec.http.appendResponseHeaders":
			return successor{use: "headers.response.add"}, true
		case "spec.http.removeResponseHeaders":
			return successor{use: "headers.response.remove"}, true
		case "spec.http.route.appendRequestHeaders":
			return successor{use: "headers.request.add of the route's destination"}, true
		case "spec.http.route.removeRequestHeaders":
			return successor{use: "headers.request.remove of the route's destination"}, true
		case "spec.http.route.appendResponseHeaders":
			return successor{use: "headers.response.add of the route's destination"}, true
		case "spec.http.route.removeResponseHeaders":
			return successor{use: "headers.response.remove of the route's destination"}, true
		case "spec.http.websocketUpgrade":
			return successor{description: "remove it: WebSocket upgrades are always allowed"}, true
		case "spec.http.match.sourceSubnet", "spec.tls.match.sourceSubnet":
			return successor{use: "an AuthorizationPolicy with ipBlocks"}, true
		case "spec.http.fault.abort.percent":
			return successor{use: "percentage.value"}, true
		}
	case "EnvoyFilter":
		switch path {
		case "spec.filters":
			return successor{description: "write its items as configPatches"}, true
		case "spec.workloadLabels":
			return successor{use: "workloadSelector.labels"}, true
		}
	case "Ingress":
		switch path {
		case "spec.backend":
			return successor{use: "spec.defaultBackend", rename: "defaultBackend"}, true
		case "spec.rules.http.paths.backend.serviceName", "spec.defaultBackend.serviceName", "spec.backend.serviceName":
			return successor{use: "service.name"}, true
		case "spec.rules.http.paths.backend.servicePort", "spec.defaultBackend.servicePort", "spec.backend.servicePort":
			return successor{use: "service.port.number or service.port.name"}, true
		}
	case "Sidecar":
		if path == "spec.workloadLabels" {
			return successor{use: "workloadSelector.labels"}, true
		}
	case "RequestAuthentication", "AuthorizationPolicy", "PeerAuthentication":
		switch path {
		case "spec.targets":
			return successor{use: "selector.matchLabels"}, true
		case "spec.peers":
			return successor{use: "mtls of a PeerAuthentication"}, true
		case "spec.origins":
			return successor{use: "jwtRules of a RequestAuthentication"}, true
		case "spec.principalBinding":
			return successor{description: "remove it: principals are always those of the token"}, true
		}
	}
	return successor{}, false
}

// retiredKind finds what took the place of a kind that Istio, or Kubernetes, no longer reads.
func retiredKind(apiVersion, kind string) (successor, bool) {
	group, _ := splitAPIVersion(apiVersion)
	switch group {
	case "authentication.istio.io":
		switch kind {
		case "Policy", "MeshPolicy":
			return successor{use: "PeerAuthentication for its peers and RequestAuthentication for its origins (security.istio.io/v1)"}, true
		}
	case "extensions":
		switch kind {
		case "Deployment", "DaemonSet", "ReplicaSet":
			return successor{use: kind + " of apps/v1"}, true
		case "Ingress":
			return successor{use: "Ingress of networking.k8s.io/v1"}, true
		}
	case "rbac.istio.io":
		switch kind {
		case "RbacConfig", "ClusterRbacConfig", "ServiceRole", "ServiceRoleBinding", "AuthorizationPolicy":
			return successor{use: "AuthorizationPolicy (security.istio.io/v1)"}, true
		}
	case "config.istio.io":
		switch kind {
		case "HTTPAPISpec", "HTTPAPISpecBinding":
			return successor{use: "RequestAuthentication and AuthorizationPolicy (security.istio.io/v1)"}, true
		case "QuotaSpec", "QuotaSpecBinding":
			return successor{use: "Envoy's rate limits, by an EnvoyFilter"}, true
		case "attributemanifest", "handler", "instance", "rule", "template", "adapter", "kubernetes", "logentry", "metric", "prometheus", "stdio":
			return successor{use: "Telemetry (telemetry.istio.io/v1)"}, true
		case "RouteRule", "EgressRule", "DestinationPolicy":
			return successor{use: "VirtualService, DestinationRule and ServiceEntry (networking.istio.io/v1)"}, true
		}
	}
	return successor{}, false
}
