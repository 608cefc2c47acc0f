package compile

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	meshconfig "istio.io/api/mesh/v1alpha1"
)

// TestNamesOfFieldsWithoutEffect holds that each is a field of Istio's API: a misspelt one would never be reported.
func TestNamesOfFieldsWithoutEffect(t *testing.T) {
	for name := range fieldsWithoutEffect() {
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProxyConfigIsAccountedFor: of each field of ProxyConfig it is known whether it is compiled, is reported, or is no matter of Envoy's
// configuration, so that none that Istio adds is passed over in silence.
func TestProxyConfigIsAccountedFor(t *testing.T) {
	known := map[protoreflect.FullName]string{}
	for name := range fieldsWithoutEffect() {
		known[name] = "reported"
	}
	for name := range proxyConfigEffects() {
		known[name] = "reported"
	}
	const config = "istio.mesh.v1alpha1.ProxyConfig."
	for _, name := range []protoreflect.FullName{
		"service_cluster", "tracing_service_name", "statsd_udp_address", "proxy_admin_port", "interception_mode", "tracing",
		"envoy_access_log_service", "envoy_metrics_service", "proxy_metadata", "runtime_values", "extra_stat_tags", "proxy_stats_matcher",
		"gateway_topology", "proxy_headers",
	} {
		known[config+name] = "compiled"
	}
	// What only the injector and the agent beside Envoy read.
	for _, name := range []protoreflect.FullName{
		"config_path", "binary_path", "discovery_address", "discovery_refresh_delay", "control_plane_auth_policy", "stat_name_length", "status_port",
		"termination_drain_duration", "readiness_probe", "sds", "hold_application_until_proxy_starts", "ca_certificates_pem",
	} {
		known[config+name] = "the agent's"
	}
	fields := (&meshconfig.ProxyConfig{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).FullName(); known[name] == "" {
			t.Errorf("%s: is it compiled?", name)
		}
	}
	for name := range known {
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
