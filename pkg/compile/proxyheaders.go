package compile

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	preservecasev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/header_formatters/preserve_case/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
)

// serverName is what proxies call themselves in the `server` header of responses.
const serverName = "istio-envoy"

// applyProxyHeaders sets which headers the proxy adds to requests and responses
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-ProxyHeaders).
func (b *builder) applyProxyHeaders(m *hcmv3.HttpConnectionManager, direction direction) {
	headers := b.proxyConfig().GetProxyHeaders()
	if direction != outbound {
		m.ServerName = serverName
	}
	if server := headers.GetServer(); server.GetDisabled().GetValue() {
		m.ServerName = ""
		m.ServerHeaderTransformation = hcmv3.HttpConnectionManager_PASS_THROUGH
	} else if server.GetValue() != "" {
		m.ServerName = server.GetValue()
	}
	if headers.GetRequestId().GetDisabled().GetValue() {
		m.GenerateRequestId = wrapperspb.Bool(false)
	}
	m.AppendXForwardedPort = headers.GetXForwardedPort().GetEnabled().GetValue()
	if headers.GetPreserveHttp1HeaderCase().GetValue() {
		if m.HttpProtocolOptions == nil {
			m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{}
		}
		m.HttpProtocolOptions.HeaderKeyFormat = b.preserveCase()
	}
	switch direction {
	case inbound:
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_APPEND_FORWARD
		if forward := headers.GetForwardedClientCert(); forward != meshconfig.ForwardClientCertDetails_UNDEFINED {
			m.ForwardClientCertDetails = forwardClientCert(forward)
		}
		m.SetCurrentClientCertDetails = clientCertDetails(headers.GetSetCurrentClientCertDetails())
	case gateway:
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
		if forward := b.proxyConfig().GetGatewayTopology().GetForwardClientCertDetails(); forward != meshconfig.ForwardClientCertDetails_UNDEFINED {
			m.ForwardClientCertDetails = forwardClientCert(forward)
		}
		// A gateway's choice is the topology's alone, and Envoy writes nothing in the modes that do not set the header.
		switch m.GetForwardClientCertDetails() {
		case hcmv3.HttpConnectionManager_APPEND_FORWARD, hcmv3.HttpConnectionManager_SANITIZE_SET:
			m.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{
				Subject: wrapperspb.Bool(true), Cert: true, Dns: true, Uri: true,
			}
		}
	}
}

// forwardClientCert says what becomes of the X-Forwarded-Client-Cert header of a request.
func forwardClientCert(details meshconfig.ForwardClientCertDetails) hcmv3.HttpConnectionManager_ForwardClientCertDetails {
	switch details {
	case meshconfig.ForwardClientCertDetails_FORWARD_ONLY:
		return hcmv3.HttpConnectionManager_FORWARD_ONLY
	case meshconfig.ForwardClientCertDetails_APPEND_FORWARD:
		return hcmv3.HttpConnectionManager_APPEND_FORWARD
	case meshconfig.ForwardClientCertDetails_SANITIZE_SET:
		return hcmv3.HttpConnectionManager_SANITIZE_SET
	case meshconfig.ForwardClientCertDetails_ALWAYS_FORWARD_ONLY:
		return hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY
	default:
		return hcmv3.HttpConnectionManager_SANITIZE
	}
}

// clientCertDetails says what of a client's certificate a sidecar writes into the header: its names unless they are not wanted.
func clientCertDetails(
	wanted *meshconfig.ProxyConfig_ProxyHeaders_SetCurrentClientCertDetails,
) *hcmv3.HttpConnectionManager_SetCurrentClientCertDetails {
	orTrue := func(v *wrapperspb.BoolValue) bool { return v == nil || v.GetValue() }
	return &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{
		Subject: wrapperspb.Bool(orTrue(wanted.GetSubject())), Cert: wanted.GetCert().GetValue(), Chain: wanted.GetChain().GetValue(),
		Dns: orTrue(wanted.GetDns()), Uri: orTrue(wanted.GetUri()),
	}
}

// preserveCase keeps the case of HTTP/1 headers as they came.
func (b *builder) preserveCase() *corev3.Http1ProtocolOptions_HeaderKeyFormat {
	return &corev3.Http1ProtocolOptions_HeaderKeyFormat{
		HeaderFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat_StatefulFormatter{StatefulFormatter: &corev3.TypedExtensionConfig{
			Name: "preserve_case", TypedConfig: b.sources.Pack(&preservecasev3.PreserveCaseFormatterConfig{}),
		}},
	}
}
