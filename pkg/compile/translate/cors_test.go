package translate

import (
	"testing"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestCORS(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{
			name: "every field",
			in: `
allowOrigins: [{exact: https://a.example}, {prefix: https://b}, {regex: ".*c"}]
allowMethods: [GET, POST]
allowHeaders: [x-h, x-i]
exposeHeaders: [x-e]
maxAge: 86400s
allowCredentials: true`,
			want: `
allowOriginStringMatch: [{exact: https://a.example}, {prefix: https://b}, {safeRegex: {regex: ".*c"}}]
allowMethods: GET,POST
allowHeaders: x-h,x-i
exposeHeaders: x-e
maxAge: "86400"
allowCredentials: true
filterEnabled: {defaultValue: {numerator: 100}}
forwardNotMatchingPreflights: true`,
		},
		{
			name: "the old list of exact origins",
			in:   `allowOrigin: ["*"]`,
			want: `
allowOriginStringMatch: [{exact: "*"}]
filterEnabled: {defaultValue: {numerator: 100}}
forwardNotMatchingPreflights: true`,
		},
		{
			name: "preflights of other origins answered here",
			in:   `{allowOrigins: [{exact: a}], unmatchedPreflights: IGNORE}`,
			want: `
allowOriginStringMatch: [{exact: a}]
filterEnabled: {defaultValue: {numerator: 100}}
forwardNotMatchingPreflights: false`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := read(t, &networking.CorsPolicy{}, tc.in)
			same(t, CORS(in), read(t, &corsv3.CorsPolicy{}, tc.want))
		})
	}
	if got := CORS(nil); got != nil {
		t.Errorf("got %v for nothing", got)
	}
}
