package simulate_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// key makes the same key of each seed.
func key(t *testing.T, seed byte) jwk.Key {
	t.Helper()
	k, err := jwk.Import(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), ed25519.SeedSize))))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func token(t *testing.T, claims map[string]any, by jwk.Key) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jws.Sign(text, jws.WithKey(jwa.EdDSA(), by))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// TestTokens: a token counts where the rule looks for it, if a key of the rule's vouches for it, it is meant for the workload and it is in time.
func TestTokens(t *testing.T) {
	public, err := key(t, 0).PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "none that Envoy knows"}, public}})
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{"mesh.yaml": {Data: fmt.Appendf(nil, `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: app, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: shop}
spec:
  jwtRules:
  - issuer: https://login.example
    audiences: [shop]
    jwks: '%s'
    fromHeaders: [{name: x-token}, {name: authorization, prefix: "Bearer "}]
    fromParams: [token]
    fromCookies: [session]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tokens, namespace: shop}
spec:
  rules: [{from: [{source: {requestPrincipals: ["https://login.example/jane"]}}]}]
`, keys)}}
	mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	claims := func(change string, to any) map[string]any {
		c := map[string]any{"iss": "https://login.example", "sub": "jane", "aud": []string{"https://shop/"}, "nbf": now.Unix() - 9, "exp": now.Unix() + 9}
		if change != "" {
			c[change] = to
		}
		return c
	}
	good, strange := token(t, claims("", nil), key(t, 0)), token(t, claims("", nil), key(t, 1))
	late := token(t, claims("exp", now.Unix()-61), key(t, 0))
	sim := simulate.New(compile.Compile(mesh, mesh.Proxies()[0], compile.Options{}), simulate.Options{Mesh: mesh, Time: now})
	for name, test := range map[string]struct {
		path    string
		headers map[string]string
		status  uint32
		// upstream is the path without the token.
		upstream string
	}{
		"in a header":                  {"/", map[string]string{"X-Token": good}, 0, "/"},
		"in Authorization":             {"/", map[string]string{"authorization": "Bearer " + good}, 0, "/"},
		"in Authorization, no bearer":  {"/", map[string]string{"authorization": good}, 403, ""},
		"in a parameter":               {"/?a=b&token=" + good, nil, 0, "/?a=b"},
		"in a cookie":                  {"/", map[string]string{"cookie": `a=b; session="` + good + `"`}, 0, "/"},
		"in a place that nobody names": {"/?access_token=" + good, nil, 403, ""},
		"none":                         {"/", nil, 403, ""},
		"a good one and a bad one":     {"/?token=" + good, map[string]string{"x-token": strange}, 401, ""},
		"of another key":               {"/", map[string]string{"x-token": strange}, 401, ""},
		"changed":                      {"/", map[string]string{"x-token": good[:len(good)-4] + "AAAA"}, 401, ""},
		"no token":                     {"/", map[string]string{"x-token": "secret"}, 401, ""},
		"expired":                      {"/", map[string]string{"x-token": late}, 401, ""},
		"expired a moment ago":         {"/", map[string]string{"x-token": token(t, claims("exp", now.Unix()-59), key(t, 0))}, 0, "/"},
		"not yet valid":                {"/", map[string]string{"x-token": token(t, claims("nbf", now.Unix()+61), key(t, 0))}, 401, ""},
		"for somebody else":            {"/", map[string]string{"x-token": token(t, claims("aud", "bank"), key(t, 0))}, 403, ""},
		"of another issuer":            {"/", map[string]string{"x-token": token(t, claims("iss", "https://evil.example"), key(t, 0))}, 401, ""},
		"of another subject":           {"/", map[string]string{"x-token": token(t, claims("sub", "joe"), key(t, 0))}, 403, ""},
		"whose subject is no text":     {"/", map[string]string{"x-token": token(t, claims("sub", 7), key(t, 0))}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			call := simulate.Call{Mode: simulate.Inbound, Port: 8080, Host: "web.shop", Path: test.path, Headers: test.headers}
			o := sim.Call(call)
			if o.Status != test.status || o.Upstream != nil && o.Upstream.Path != test.upstream || (o.Upstream == nil) != (test.status != 0) {
				t.Errorf("status %d, upstream %+v; want %d, %q\n%s", o.Status, o.Upstream, test.status, test.upstream, trace(sim, call))
			}
		})
	}
	t.Run("at no time in particular", func(t *testing.T) {
		timeless := simulate.New(compile.Compile(mesh, mesh.Proxies()[0], compile.Options{}), simulate.Options{Mesh: mesh})
		if o := timeless.Call(simulate.Call{Mode: simulate.Inbound, Port: 8080, Headers: map[string]string{"x-token": late}}); o.Error != "" {
			t.Errorf("%s, %d", o.Error, o.Status)
		}
	})
}
