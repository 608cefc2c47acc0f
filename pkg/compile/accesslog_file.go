package compile

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	withoutqueryv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/formatter/req_without_query/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	meshconfig "istio.io/api/mesh/v1alpha1"
)

const fileLogName = "envoy.access_loggers.file"

// Istio's log line (https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format).
const defaultTextLog = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% " +
	"%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% " +
	"%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" " +
	"\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% " +
	"%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"

// defaultJSONLog holds the same facts by name.
func defaultJSONLog() *structpb.Struct {
	fields := map[string]string{
		"start_time":                        "%START_TIME%",
		"route_name":                        "%ROUTE_NAME%",
		"method":                            "%REQ(:METHOD)%",
		"path":                              "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
		"protocol":                          "%PROTOCOL%",
		"response_code":                     "%RESPONSE_CODE%",
		"response_flags":                    "%RESPONSE_FLAGS%",
		"response_code_details":             "%RESPONSE_CODE_DETAILS%",
		"connection_termination_details":    "%CONNECTION_TERMINATION_DETAILS%",
		"bytes_received":                    "%BYTES_RECEIVED%",
		"bytes_sent":                        "%BYTES_SENT%",
		"duration":                          "%DURATION%",
		"upstream_service_time":             "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
		"x_forwarded_for":                   "%REQ(X-FORWARDED-FOR)%",
		"user_agent":                        "%REQ(USER-AGENT)%",
		"request_id":                        "%REQ(X-REQUEST-ID)%",
		"authority":                         "%REQ(:AUTHORITY)%",
		"upstream_host":                     "%UPSTREAM_HOST%",
		"upstream_cluster":                  "%UPSTREAM_CLUSTER_RAW%",
		"upstream_local_address":            "%UPSTREAM_LOCAL_ADDRESS%",
		"downstream_local_address":          "%DOWNSTREAM_LOCAL_ADDRESS%",
		"downstream_remote_address":         "%DOWNSTREAM_REMOTE_ADDRESS%",
		"requested_server_name":             "%REQUESTED_SERVER_NAME%",
		"upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
	}
	out := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for name, value := range fields {
		out.Fields[name] = structpb.NewStringValue(value)
	}
	return out
}

// meshConfigFileLog writes in the format of MeshConfig.accessLogEncoding and accessLogFormat.
func (b *builder) meshConfigFileLog(path string) *filev3.FileAccessLog {
	mesh := b.mesh.Settings.Mesh
	if mesh.GetAccessLogEncoding() == meshconfig.MeshConfig_JSON {
		return b.jsonFileLog(path, jsonLog(mesh.GetAccessLogFormat()))
	}
	return b.textFileLog(path, mesh.GetAccessLogFormat())
}

// fileLog is the provider envoyFileAccessLog
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider-EnvoyFileAccessLogProvider).
func (b *builder) fileLog(provider *meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLogProvider) *filev3.FileAccessLog {
	path := provider.GetPath()
	if path == "" {
		path = "/dev/stdout"
	}
	var log *filev3.FileAccessLog
	switch format := provider.GetLogFormat().GetLogFormat().(type) {
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLogProvider_LogFormat_Text:
		log = b.textFileLog(path, format.Text)
	case *meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLogProvider_LogFormat_Labels:
		labels := format.Labels
		if len(labels.GetFields()) == 0 {
			labels = defaultJSONLog()
		}
		log = b.jsonFileLog(path, labels)
	default:
		if provider.GetLogFormat() != nil {
			// A format that is neither text nor labels leaves the line to Envoy.
			return &filev3.FileAccessLog{Path: path}
		}
		log = b.textFileLog(path, "")
	}
	log.GetLogFormat().OmitEmptyValues = provider.GetOmitEmptyValues()
	return log
}

func (b *builder) textFileLog(path, format string) *filev3.FileAccessLog {
	text := textLog(format)
	return &filev3.FileAccessLog{Path: path, AccessLogFormat: &filev3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: text},
		}},
		Formatters: b.logFormatters(text, nil),
	}}}
}

func (b *builder) jsonFileLog(path string, format *structpb.Struct) *filev3.FileAccessLog {
	return &filev3.FileAccessLog{Path: path, AccessLogFormat: &filev3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format:            &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: format},
		JsonFormatOptions: &corev3.JsonFormatOptions{},
		Formatters:        b.logFormatters("", format),
	}}}
}

// textLog is the format with the line end that Istio adds where it is missing.
func textLog(format string) string {
	if format == "" {
		return defaultTextLog
	}
	if !strings.HasSuffix(format, "\n") {
		return format + "\n"
	}
	return format
}

// jsonLog is the format as JSON; one that cannot be read counts as none, as in istiod.
func jsonLog(format string) *structpb.Struct {
	own := &structpb.Struct{}
	if format == "" || protojson.Unmarshal([]byte(format), own) != nil {
		return defaultJSONLog()
	}
	return own
}

// logFormatters are the extensions that a format needs: one operator is not among Envoy's own.
func (b *builder) logFormatters(text string, labels *structpb.Struct) []*corev3.TypedExtensionConfig {
	const operator = "%REQ_WITHOUT_QUERY"
	needed := strings.Contains(text, operator)
	for _, value := range labels.GetFields() {
		needed = needed || strings.Contains(value.GetStringValue(), operator)
	}
	if !needed {
		return nil
	}
	return []*corev3.TypedExtensionConfig{{
		Name: "envoy.formatter.req_without_query", TypedConfig: b.sources.Pack(&withoutqueryv3.ReqWithoutQuery{}),
	}}
}
