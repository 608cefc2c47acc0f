package authz_test

import (
	"fmt"
	"strings"
	"testing"

	exthttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	extnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/model/resource"
)

func lookup(service string, port uint32) (hostname, cluster string, err error) {
	if service == "absent" {
		return "", "", fmt.Errorf("there is no service %s", service)
	}
	return service, fmt.Sprintf("outbound|%d||%s", port, service), nil
}

func provider(t *testing.T, text string) *authz.Provider {
	t.Helper()
	return authz.NewProvider(read(t, &meshconfig.MeshConfig_ExtensionProvider{}, text), resource.Source{}, lookup)
}

const asked = `
filterEnabledMetadata:
  filter: envoy.filters.%s.rbac
  path: [{key: istio_ext_authz_shadow_effective_policy_id}]
  value: {stringMatch: {prefix: istio-ext-authz-ext}}
transportApiVersion: V3
`

// TestProviders shows the filters that ask a provider, by HTTP and by gRPC.
func TestProviders(t *testing.T) {
	custom := []authz.Policy{policy(t, `{action: CUSTOM, provider: {name: ext}, rules: [{}]}`, nil)}
	opts := options()
	opts.Providers = map[string]*authz.Provider{"ext": provider(t, `
name: ext
envoyExtAuthzHttp:
  service: auth.example
  port: 8000
  timeout: 1s
  pathPrefix: /check
  statusOnError: "503"
  clearRouteCache: true
  includeRequestHeadersInCheck: [cookie, "x-*"]
  includeAdditionalHeadersInCheck: {b: two, a: one}
  includeRequestBodyInCheck: {maxRequestBytes: 9, packAsBytes: true}
  headersToUpstreamOnAllow: [x-user]
  headersToDownstreamOnDeny: ["*-cookie"]
  headersToDownstreamOnAllow: [x-ok]`)}
	got := config[*exthttpv3.ExtAuthz](t, opts, authz.CustomHTTP(custom, opts)[1].GetTypedConfig())
	want := read(t, &exthttpv3.ExtAuthz{}, fmt.Sprintf(asked, "http")+`
statusOnError: {code: ServiceUnavailable}
clearRouteCache: true
withRequestBody: {maxRequestBytes: 9, packAsBytes: true}
allowedHeaders: {patterns: [{exact: cookie, ignoreCase: true}, {prefix: x-, ignoreCase: true}]}
httpService:
  pathPrefix: /check
  serverUri: {uri: "http://auth.example", cluster: "outbound|8000||auth.example", timeout: 1s}
  authorizationRequest: {headersToAdd: [{key: a, value: one}, {key: b, value: two}]}
  authorizationResponse:
    allowedUpstreamHeaders: {patterns: [{exact: x-user, ignoreCase: true}]}
    allowedClientHeaders: {patterns: [{suffix: -cookie, ignoreCase: true}]}
    allowedClientHeadersOnSuccess: {patterns: [{exact: x-ok, ignoreCase: true}]}`)
	if diff := gocmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("by HTTP (-want +got):\n%s", diff)
	}
	if filters := authz.CustomNetwork(custom, opts); len(filters) > 0 {
		t.Errorf("a provider asked by HTTP has %d network filters", len(filters))
	}

	opts.Providers["ext"] = provider(t, `{name: ext, envoyExtAuthzGrpc: {service: auth.example, port: 9000, failOpen: true}}`)
	network := config[*extnetworkv3.ExtAuthz](t, opts, authz.CustomNetwork(custom, opts)[1].GetTypedConfig())
	if diff := gocmp.Diff(read(t, &extnetworkv3.ExtAuthz{}, fmt.Sprintf(asked, "network")+`
statPrefix: tcp.
failureModeAllow: true
grpcService: {envoyGrpc: {clusterName: "outbound|9000||auth.example", authority: auth.example}, timeout: 600s}`), network, protocmp.Transform()); diff != "" {
		t.Errorf("by gRPC (-want +got):\n%s", diff)
	}
}

// TestBadProviders: what is wrong with a provider is said, and it is not asked.
func TestBadProviders(t *testing.T) {
	for _, tt := range []struct{ spec, want string }{
		{`{service: absent, port: 1}`, "no service absent"},
		{`{port: 1}`, "service is empty"},
		{`{service: a}`, "port is 0"},
		{`{service: a, port: 1, statusOnError: much}`, "no number"},
		{`{service: a, port: 1, statusOnError: "9"}`, "no HTTP status"},
		{`{service: a, port: 1, pathPrefix: check}`, "begin with /"},
		{`{service: a, port: 1, headersToUpstreamOnAllow: ["*"]}`, "a star needs"},
		{`{service: a, port: 1, includeRequestBodyInCheck: {}}`, "maxRequestBytes"},
	} {
		p := provider(t, "{name: ext, envoyExtAuthzHttp: "+tt.spec+"}")
		if p.Err == nil || !strings.Contains(p.Err.Error(), tt.want) {
			t.Errorf("%s: %v; want something of %q", tt.spec, p.Err, tt.want)
		}
	}
}
