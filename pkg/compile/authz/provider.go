package authz

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	exthttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	extnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Provider is an external authorizer of MeshConfig.extensionProviders
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider).
type Provider struct {
	// Source is where it is declared, the zero value where that is unknown.
	Source resource.Source
	// Err says why it cannot be asked, nil where it can.
	Err error

	http    *exthttpv3.ExtAuthz
	network *extnetworkv3.ExtAuthz
}

// LookupService finds the cluster of a service, which the provider names as HOSTNAME or NAMESPACE/HOSTNAME.
type LookupService func(service string, port uint32) (hostname, cluster string, err error)

// NewProvider returns what the provider amounts to, nil for one that does not authorize.
func NewProvider(spec *meshconfig.MeshConfig_ExtensionProvider, source resource.Source, lookup LookupService) *Provider {
	p := &Provider{Source: source}
	switch {
	case spec.GetEnvoyExtAuthzHttp() != nil:
		p.Err = p.overHTTP(spec.GetEnvoyExtAuthzHttp(), lookup)
	case spec.GetEnvoyExtAuthzGrpc() != nil:
		p.Err = p.overGRPC(spec.GetEnvoyExtAuthzGrpc(), lookup)
	default:
		return nil
	}
	return p
}

func (p *Provider) usable() bool { return p != nil && p.Err == nil }

func (p *Provider) overHTTP(spec *meshconfig.MeshConfig_ExtensionProvider_EnvoyExternalAuthorizationHttpProvider, lookup LookupService) error {
	hostname, cluster, err := serviceOf(spec.GetService(), spec.GetPort(), lookup)
	if err != nil {
		return err
	}
	status, err := statusOnError(spec.GetStatusOnError())
	if err != nil {
		return err
	}
	if prefix := spec.GetPathPrefix(); prefix != "" && !strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("pathPrefix %q must begin with /", prefix)
	}
	for _, headers := range [][]string{
		spec.GetIncludeRequestHeadersInCheck(), spec.GetIncludeHeadersInCheck(), //nolint:staticcheck // deprecated, and still read by istiod
		spec.GetHeadersToDownstreamOnDeny(), spec.GetHeadersToDownstreamOnAllow(), spec.GetHeadersToUpstreamOnAllow(),
	} {
		if slices.Contains(headers, "*") {
			return errors.New(`a header list holds "*": a star needs a name before or after it`)
		}
	}
	body, err := bufferSettings(spec.GetIncludeRequestBodyInCheck())
	if err != nil {
		return err
	}
	sent := spec.GetIncludeRequestHeadersInCheck()
	if len(sent) == 0 {
		sent = spec.GetIncludeHeadersInCheck() //nolint:staticcheck // deprecated, and still read by istiod
	}
	p.http = &exthttpv3.ExtAuthz{
		StatusOnError:       status,
		FailureModeAllow:    spec.GetFailOpen(),
		ClearRouteCache:     spec.GetClearRouteCache(),
		TransportApiVersion: corev3.ApiVersion_V3,
		WithRequestBody:     body,
		AllowedHeaders:      headerList(sent),
		Services: &exthttpv3.ExtAuthz_HttpService{HttpService: &exthttpv3.HttpService{
			PathPrefix: spec.GetPathPrefix(),
			ServerUri: &corev3.HttpUri{
				Uri: "http://" + hostname, Timeout: timeoutOr(spec.GetTimeout()),
				HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: cluster},
			},
			AuthorizationRequest:  additionalHeaders(spec.GetIncludeAdditionalHeadersInCheck()),
			AuthorizationResponse: responseHeaders(spec),
		}},
	}
	return nil
}

func (p *Provider) overGRPC(spec *meshconfig.MeshConfig_ExtensionProvider_EnvoyExternalAuthorizationGrpcProvider, lookup LookupService) error {
	hostname, cluster, err := serviceOf(spec.GetService(), spec.GetPort(), lookup)
	if err != nil {
		return err
	}
	status, err := statusOnError(spec.GetStatusOnError())
	if err != nil {
		return err
	}
	body, err := bufferSettings(spec.GetIncludeRequestBodyInCheck())
	if err != nil {
		return err
	}
	service := func() *corev3.GrpcService {
		return &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: cluster, Authority: hostname}},
			Timeout:         timeoutOr(spec.GetTimeout()),
		}
	}
	p.http = &exthttpv3.ExtAuthz{
		StatusOnError:       status,
		FailureModeAllow:    spec.GetFailOpen(),
		ClearRouteCache:     spec.GetClearRouteCache(),
		TransportApiVersion: corev3.ApiVersion_V3,
		WithRequestBody:     body,
		Services:            &exthttpv3.ExtAuthz_GrpcService{GrpcService: service()},
	}
	p.network = &extnetworkv3.ExtAuthz{
		StatPrefix:          networkStatPrefix,
		FailureModeAllow:    spec.GetFailOpen(),
		TransportApiVersion: corev3.ApiVersion_V3,
		GrpcService:         service(),
	}
	return nil
}

func serviceOf(service string, port uint32, lookup LookupService) (hostname, cluster string, err error) {
	if service == "" {
		return "", "", errors.New("service is empty")
	}
	if port == 0 || port > 65535 {
		return "", "", fmt.Errorf("port is %d; it must be from 1 to 65535", port)
	}
	return lookup(service, port)
}

// timeoutOr is ten minutes where nothing is said, so that a DestinationRule can set a shorter one.
func timeoutOr(given *durationpb.Duration) *durationpb.Duration {
	if given == nil {
		return durationpb.New(10 * time.Minute)
	}
	return given
}

// statusOnError is the status with which requests are denied while the provider does not answer; Envoy's own (403) where nothing is said.
func statusOnError(status string) (*typev3.HttpStatus, error) {
	if status == "" {
		return nil, nil
	}
	code, err := strconv.ParseInt(status, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("statusOnError %q is no number", status)
	}
	if _, known := typev3.StatusCode_name[int32(code)]; !known {
		return nil, fmt.Errorf("statusOnError %s is no HTTP status that Envoy knows", status)
	}
	return &typev3.HttpStatus{Code: typev3.StatusCode(code)}, nil
}

func bufferSettings(body *meshconfig.MeshConfig_ExtensionProvider_EnvoyExternalAuthorizationRequestBody) (*exthttpv3.BufferSettings, error) {
	if body == nil {
		return nil, nil
	}
	if body.GetMaxRequestBytes() == 0 {
		return nil, errors.New("includeRequestBodyInCheck.maxRequestBytes is 0; it must be greater")
	}
	return &exthttpv3.BufferSettings{
		MaxRequestBytes: body.GetMaxRequestBytes(), AllowPartialMessage: body.GetAllowPartialMessage(), PackAsBytes: body.GetPackAsBytes(),
	}, nil
}

// headerList matches the names, each exactly or with a star before or after.
func headerList(names []string) *matcherv3.ListStringMatcher {
	if len(names) == 0 {
		return nil
	}
	list := &matcherv3.ListStringMatcher{}
	for _, name := range names {
		m := plainMatcher("", name)
		m.IgnoreCase = true
		list.Patterns = append(list.Patterns, m)
	}
	return list
}

func additionalHeaders(headers map[string]string) *exthttpv3.AuthorizationRequest {
	if len(headers) == 0 {
		return nil
	}
	request := &exthttpv3.AuthorizationRequest{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		request.HeadersToAdd = append(request.HeadersToAdd, &corev3.HeaderValue{Key: name, Value: headers[name]})
	}
	return request
}

func responseHeaders(spec *meshconfig.MeshConfig_ExtensionProvider_EnvoyExternalAuthorizationHttpProvider) *exthttpv3.AuthorizationResponse {
	response := &exthttpv3.AuthorizationResponse{
		AllowedUpstreamHeaders:        headerList(spec.GetHeadersToUpstreamOnAllow()),
		AllowedClientHeaders:          headerList(spec.GetHeadersToDownstreamOnDeny()),
		AllowedClientHeadersOnSuccess: headerList(spec.GetHeadersToDownstreamOnAllow()),
	}
	if response.AllowedUpstreamHeaders == nil && response.AllowedClientHeaders == nil && response.AllowedClientHeadersOnSuccess == nil {
		return nil
	}
	return response
}
