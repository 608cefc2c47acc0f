package authz

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model/resource"
)

// RequestAuthentication is one and where it stands.
type RequestAuthentication = resource.Of[*security.RequestAuthentication]

// tokenPayload is the key under which the JWT filter leaves a token's claims in its metadata.
const tokenPayload = "payload"

// unknownKeys is the key set that istiod puts in the place of one that it cannot get: nobody has the private key, so no token is valid.
const unknownKeys = `{
  "keys": [
    {
      "kty": "RSA",
      "e": "AQAB",
      "n": "0xObjM0UvS_oaazjpEYlAbwctEJ4L8pH3OuTb7qth7gUwqet-EzQB4dgFdvSdMgrLnSncQGRjpEYz3F3viIbH-3EN3TxSlPNviHxeOdyiBVfumN8dMxbLvVJUpfNOnvmMxJcl-8NNjAwcOjk4otSALaYgYYyOPyvKtgVdrQr-FoubWX4yrjxW-MJ2-7OBeepUUNOsVwGV23YX03sVkkyvY3otRflkBcY3_HKpBxJl9wk2GyOShN4_PNUF9-vwfnvOXMbCDX-w4PTef4geeb_GiT40YCKHTKMSPVanGRn5GExIWmki-mmqh94-mPTJyBR74ShspL3BxPZitDL574T1w"
    }
  ]
}`

// JWTOptions of the translation.
type JWTOptions struct {
	// ClearRouteCache has Envoy choose the route anew once the claims are known; gateways route by claims.
	ClearRouteCache bool
	// FetchAhead has Envoy fetch key sets when it starts, without waiting for them, instead of with the first token.
	FetchAhead bool
	// Cluster returns the cluster over which the key set of a URI is fetched; from is where the URI stands.
	Cluster func(server KeyServer, from resource.Source) string
	// Sources takes the place in the YAML of every message that is made; never nil.
	Sources *provenance.Map
}

// tokenRule is a rule for the tokens of one issuer and where it stands.
type tokenRule struct {
	*security.JWTRule
	source resource.Source
}

// JWT returns the HTTP filter that reads tokens, nil where no policy has a rule. A request with a token that no rule can vouch for is refused;
// one without a token goes on, and it is for authorization policies to ask for one. Issuers are ordered by name.
func JWT(policies []RequestAuthentication, opts JWTOptions) *hcmv3.HttpFilter {
	var rules []tokenRule
	for _, p := range policies {
		for i, rule := range p.Spec.GetJwtRules() {
			rules = append(rules, tokenRule{rule, p.At(resource.Index("spec.jwtRules", i))})
		}
	}
	if len(rules) == 0 {
		return nil
	}
	slices.SortStableFunc(rules, func(x, y tokenRule) int { return cmp.Compare(x.GetIssuer(), y.GetIssuer()) })
	config := &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{}, BypassCorsPreflight: true}
	var validOrMissing, valid []*jwtv3.JwtRequirement
	for i, rule := range rules {
		name := "origins-" + strconv.Itoa(i)
		config.Providers[name] = opts.provider(rule)
		valid = append(valid, providerRequirement(name))
		validOrMissing = append(validOrMissing, anyRequirement(providerRequirement(name), allowMissing()))
		opts.Sources.Add(config, rule.source)
	}
	requires := validOrMissing[0]
	if len(rules) > 1 {
		// Providers that look for tokens in the same place cannot all be content: it is enough that one is.
		requires = anyRequirement(append(valid, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAll{
			RequiresAll: &jwtv3.JwtRequirementAndList{Requirements: validOrMissing},
		}})...)
	}
	config.Rules = []*jwtv3.RequirementRule{{
		Match:           &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		RequirementType: &jwtv3.RequirementRule_Requires{Requires: requires},
	}}
	filter := &hcmv3.HttpFilter{Name: JWTFilterName, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: opts.Sources.Pack(config)}}
	opts.Sources.Add(filter, opts.Sources.Of(config)...)
	return filter
}

func providerRequirement(name string) *jwtv3.JwtRequirement {
	return &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: name}}
}

func allowMissing() *jwtv3.JwtRequirement {
	return &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_AllowMissing{AllowMissing: &emptypb.Empty{}}}
}

func anyRequirement(any ...*jwtv3.JwtRequirement) *jwtv3.JwtRequirement {
	return &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAny{
		RequiresAny: &jwtv3.JwtRequirementOrList{Requirements: any},
	}}
}

// provider says whose tokens are read, where they are looked for, and what is passed on of them.
func (o JWTOptions) provider(rule tokenRule) *jwtv3.JwtProvider {
	p := &jwtv3.JwtProvider{
		Issuer:               rule.GetIssuer(),
		Audiences:            rule.GetAudiences(),
		Forward:              rule.GetForwardOriginalToken(),
		ForwardPayloadHeader: rule.GetOutputPayloadToHeader(),
		PayloadInMetadata:    tokenPayload,
		NormalizePayloadInMetadata: &jwtv3.JwtProvider_NormalizePayload{
			SpaceDelimitedClaims: spaceDelimited(rule.GetSpaceDelimitedClaims()),
		},
		FromParams:      rule.GetFromParams(),
		FromCookies:     rule.GetFromCookies(),
		ClearRouteCache: o.ClearRouteCache,
	}
	for _, h := range rule.GetFromHeaders() {
		p.FromHeaders = append(p.FromHeaders, &jwtv3.JwtHeader{Name: h.GetName(), ValuePrefix: h.GetPrefix()})
	}
	for _, c := range rule.GetOutputClaimToHeaders() {
		p.ClaimToHeaders = append(p.ClaimToHeaders, &jwtv3.JwtClaimToHeader{HeaderName: c.GetHeader(), ClaimName: c.GetClaim()})
	}
	o.setKeys(p, rule)
	o.Sources.Add(p, rule.source)
	return p
}

// spaceDelimited are the claims whose value is read as a list of words: those of OAuth and those that the rule names, in order.
func spaceDelimited(given []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(append([]string{"permission", "scope"}, given...))))
}

// setKeys says how tokens are verified: by the keys that the rule holds, or by those at its URI, which Envoy fetches. (istiod fetches them
// itself unless it runs with PILOT_JWT_ENABLE_REMOTE_JWKS=envoy; a compiler without a network cannot.) A rule with neither leaves it to
// istiod to ask the issuer where its keys are: unknown here, so that no token of the issuer is valid.
func (o JWTOptions) setKeys(p *jwtv3.JwtProvider, rule tokenRule) {
	if rule.GetJwks() == "" && rule.GetJwksUri() != "" {
		from := resource.Source{Resource: rule.source.Resource, Path: rule.source.Path + ".jwksUri"}
		if fetch := o.remoteKeys(rule, from); fetch != nil {
			o.Sources.Add(fetch, from)
			p.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: fetch}
			return
		}
	}
	keys := &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: cmp.Or(rule.GetJwks(), unknownKeys)}}
	o.Sources.Add(keys, resource.Source{Resource: rule.source.Resource, Path: rule.source.Path + ".jwks"})
	p.JwksSourceSpecifier = &jwtv3.JwtProvider_LocalJwks{LocalJwks: keys}
}

// remoteKeys fetches the keys at the rule's URI, nil where that is none.
func (o JWTOptions) remoteKeys(rule tokenRule, from resource.Source) *jwtv3.RemoteJwks {
	server, ok := keyServerOf(rule.GetJwksUri())
	if !ok {
		return nil
	}
	timeout := rule.GetTimeout()
	if timeout == nil {
		timeout = durationpb.New(5 * time.Second)
	}
	remote := &jwtv3.RemoteJwks{
		HttpUri: &corev3.HttpUri{
			Uri: rule.GetJwksUri(), Timeout: timeout,
			HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: o.Cluster(server, from)},
		},
		CacheDuration: durationpb.New(5 * time.Minute),
	}
	if o.FetchAhead {
		remote.AsyncFetch = &jwtv3.JwksAsyncFetch{FastListener: true}
	}
	return remote
}

// KeyServer is a host that serves a key set.
type KeyServer struct {
	Host string
	Port uint32
	// TLS is set for https.
	TLS bool
}

// keyServerOf returns where a URI leads to; false for one that is no http or https URI.
func keyServerOf(uri string) (KeyServer, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return KeyServer{}, false
	}
	server := KeyServer{Host: u.Hostname(), Port: 80, TLS: u.Scheme == "https"}
	if server.TLS {
		server.Port = 443
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return KeyServer{}, false
		}
		server.Port = uint32(port)
	}
	return server, true
}
