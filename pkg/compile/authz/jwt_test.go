package authz_test

import (
	"fmt"
	"testing"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model/resource"
)

// TestJWT shows every field of a rule, and the order of issuers.
func TestJWT(t *testing.T) {
	spec := read(t, &security.RequestAuthentication{}, `
jwtRules:
- issuer: z.example
  jwksUri: https://z.example:8443/keys
  timeout: 3s
- issuer: a.example
  jwks: '{"keys": []}'
  audiences: [one]
  fromHeaders: [{name: x-token, prefix: "T "}]
  fromParams: [token]
  fromCookies: [biscuit]
  outputPayloadToHeader: x-payload
  outputClaimToHeaders: [{header: x-group, claim: group}]
  forwardOriginalToken: true
  spaceDelimitedClaims: [roles]`)
	policy := authz.RequestAuthentication{Spec: spec, Resource: &resource.Resource{Kind: "RequestAuthentication", Namespace: "ns", Name: "p"}}
	opts := authz.JWTOptions{
		ClearRouteCache: true, FetchAhead: true, Sources: provenance.New(),
		Cluster: func(s authz.KeyServer, _ resource.Source) string {
			return fmt.Sprintf("%s:%d tls=%t", s.Host, s.Port, s.TLS)
		},
	}
	filter := authz.JWT([]authz.RequestAuthentication{policy}, opts)
	got, err := opts.Sources.Unpack(filter.GetTypedConfig())
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, &jwtv3.JwtAuthentication{}, `
bypassCorsPreflight: true
providers:
  origins-0:
    issuer: a.example
    localJwks: {inlineString: '{"keys": []}'}
    audiences: [one]
    fromHeaders: [{name: x-token, valuePrefix: "T "}]
    fromParams: [token]
    fromCookies: [biscuit]
    forwardPayloadHeader: x-payload
    claimToHeaders: [{headerName: x-group, claimName: group}]
    forward: true
    clearRouteCache: true
    payloadInMetadata: payload
    normalizePayloadInMetadata: {spaceDelimitedClaims: [permission, roles, scope]}
  origins-1:
    issuer: z.example
    remoteJwks:
      httpUri: {uri: "https://z.example:8443/keys", cluster: "z.example:8443 tls=true", timeout: 3s}
      cacheDuration: 300s
      asyncFetch: {fastListener: true}
    clearRouteCache: true
    payloadInMetadata: payload
    normalizePayloadInMetadata: {spaceDelimitedClaims: [permission, scope]}
rules:
- match: {prefix: /}
  requires: {requiresAny: {requirements: [
    {providerName: origins-0}, {providerName: origins-1},
    {requiresAll: {requirements: [
      {requiresAny: {requirements: [{providerName: origins-0}, {allowMissing: {}}]}},
      {requiresAny: {requirements: [{providerName: origins-1}, {allowMissing: {}}]}}]}}]}}`)
	if diff := gocmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	provider := got.(*jwtv3.JwtAuthentication).GetProviders()["origins-0"]
	if sources := opts.Sources.Of(provider); len(sources) != 1 || sources[0].Path != "spec.jwtRules[1]" {
		t.Errorf("the provider of a.example comes from %v; want spec.jwtRules[1]", sources)
	}
	if authz.JWT(nil, opts) != nil {
		t.Error("there is a filter without rules")
	}
}
