package compile

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// fieldsWithoutEffect says of each field of a kind that the compiler does know what the bootstraps lack for it. Keys are full names in
// Istio's API.
func fieldsWithoutEffect() map[protoreflect.FullName]string {
	const (
		zones   = "endpoints in the proxy's own zone get no preference beyond that of localityLbSetting"
		ambient = "it is for ambient mode, whose proxies are not compiled"
		unread  = "as in istiod, nothing reads it"
	)
	return map[protoreflect.FullName]string{
		"istio.mesh.v1alpha1.MeshConfig.ca_certificates":              "as in istiod without ISTIO_MULTIROOT_MESH, proxies trust the roots that their agent gives them alone",
		"istio.mesh.v1alpha1.MeshConfig.config_sources":               "resources are those of the input alone",
		"istio.mesh.v1alpha1.MeshConfig.default_traffic_policy":       "clusters without a DestinationRule keep Istio's own defaults",
		"istio.mesh.v1alpha1.MeshConfig.discovery_selectors":          "resources of every namespace in the input count",
		"istio.mesh.v1alpha1.MeshConfig.hbone_idle_timeout":           ambient,
		"istio.mesh.v1alpha1.MeshConfig.service_entry_visibility":     "exportTo alone decides who sees a ServiceEntry",
		"istio.mesh.v1alpha1.MeshConfig.service_scope_configs":        ambient,
		"istio.mesh.v1alpha1.MeshConfig.service_settings":             "services count as one across all clusters",
		"istio.mesh.v1alpha1.MeshConfig.verify_certificate_at_client": "as in istiod, the certificates of servers are always verified",
		"istio.mesh.v1alpha1.MeshConfig.zone_aware_lb_setting":        zones,
		"istio.mesh.v1alpha1.ProxyConfig.connection_settings":         "listeners keep Istio's own limits and timeouts",
		"istio.mesh.v1alpha1.ProxyConfig.private_key_provider":        "private keys are used by Envoy itself",

		"istio.networking.v1alpha3.ConnectionPoolSettings.HTTPSettings.http2_keep_alive": "connections send no HTTP/2 PINGs",
		"istio.networking.v1alpha3.HTTPFaultInjection.Abort.http2_error":                 "as in istiod, aborts are by httpStatus or grpcStatus alone",
		"istio.networking.v1alpha3.HTTPFaultInjection.Delay.exponential_delay":           "as in istiod, delays are fixed",
		"istio.networking.v1alpha3.L4MatchAttributes.source_subnet":                      "as in istiod, clients of any address match",
		"istio.networking.v1alpha3.LoadBalancerSettings.zone_aware_lb_setting":           zones,
		"istio.networking.v1alpha3.OutlierDetection.outlier_detection_http_error_codes":  "answers with a status of 500 or more alone count as errors",
		"istio.networking.v1alpha3.Port.target_port":                                     "as in istiod, the Service in front of the gateway says which port it opens",
		"istio.networking.v1alpha3.Server.default_endpoint":                              unread,
		"istio.networking.v1alpha3.ServerTLSSettings.TLSCertificate.ca_certificates":     "as in istiod, clients are checked against the caCertificates beside tlsCertificates",
		"istio.networking.v1alpha3.SidecarPort.target_port":                              unread,
		"istio.networking.v1alpha3.TrafficPolicy.RetryBudget.budget_interval":            "the budget counts the requests that are under way",
		"istio.networking.v1alpha3.WorkloadGroup.template":                               "machines of the group have no endpoints until they register, each with a WorkloadEntry",
	}
}

// fieldGaps reports what of MeshConfig, of Istio's traffic API and of Services is passed over.
func fieldGaps(mesh *model.Mesh) []diag.Finding {
	gaps := fieldsWithoutEffect()
	var findings []diag.Finding
	if mesh.Settings.Mesh != nil {
		eachGap(mesh.Settings.Mesh.ProtoReflect(), "", gaps, func(path, effect string) {
			findings = append(findings, settingLeftOut(mesh, path, effect))
		})
	}
	for _, r := range mesh.Resources() {
		if spec, ok := r.Object.(proto.Message); ok && r.Group() == "networking.istio.io" {
			eachGap(spec.ProtoReflect(), "spec", gaps, func(path, effect string) {
				findings = append(findings, leftOut(r, path, effect))
			})
		}
	}
	for _, svc := range mesh.Services() {
		if svc.NodeLocal() && nodesUnknown(mesh, svc) {
			findings = append(findings, leftOut(svc.Source.Resource, "spec.internalTrafficPolicy",
				"istiod gives a proxy the endpoints on its own node alone, and the input does not say which pods share a node"))
		}
	}
	return findings
}

// nodesUnknown tells whether some endpoint of a service may be on any node.
func nodesUnknown(mesh *model.Mesh, svc *model.Service) bool {
	return slices.ContainsFunc(svc.Ports, func(port *model.Port) bool {
		endpoints := mesh.Endpoints(svc, port)
		return len(endpoints) == 0 || slices.ContainsFunc(endpoints, func(e *model.Endpoint) bool { return e.Node == "" })
	})
}

// settingLeftOut is the finding about a field of MeshConfig, at the last place that the settings come from.
func settingLeftOut(mesh *model.Mesh, path, effect string) diag.Finding {
	finding := diag.Finding{Rule: notCompiledRule, Severity: diag.Info, Message: path + " of MeshConfig is not compiled: " + effect}
	if sources := mesh.Settings.Sources; len(sources) > 0 && sources[len(sources)-1].Resource != nil {
		last := sources[len(sources)-1]
		finding.Resource, finding.Path, finding.Location = last.Resource.Ref(), last.Path, last.Location()
	}
	return finding
}

// eachGap calls found for each field that is set in a message, however deep, and has an effect that is left out. The order is that of the
// fields in the API.
func eachGap(m protoreflect.Message, path string, gaps map[protoreflect.FullName]string, found func(path, effect string)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		at := f.JSONName()
		if path != "" {
			at = path + "." + at
		}
		if effect, ok := gaps[f.FullName()]; ok {
			found(at, effect)
			continue
		}
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for j := range m.Get(f).List().Len() {
				eachGap(m.Get(f).List().Get(j).Message(), resource.Index(at, j), gaps, found)
			}
		default:
			eachGap(m.Get(f).Message(), at, gaps, found)
		}
	}
}
