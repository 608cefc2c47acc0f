package translate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestRouteMatch(t *testing.T) {
	for _, tc := range []struct {
		name     string
		in       string
		segments bool
		want     string
	}{
		{
			name: "without conditions on the path, all paths match",
			in:   `{}`,
			want: `{prefix: /, caseSensitive: true}`,
		},
		{
			name: "exact path",
			in:   `uri: {exact: /login}`,
			want: `{path: /login, caseSensitive: true}`,
		},
		{
			name: "prefix matches within a segment",
			in:   `uri: {prefix: /api/}`,
			want: `{prefix: /api/, caseSensitive: true}`,
		},
		{
			name:     "prefix of whole segments",
			in:       `uri: {prefix: /api/}`,
			segments: true,
			want:     `{pathSeparatedPrefix: /api, caseSensitive: true}`,
		},
		{
			name:     "the root is a prefix of every path",
			in:       `uri: {prefix: /}`,
			segments: true,
			want:     `{prefix: /, caseSensitive: true}`,
		},
		{
			name: "regex",
			in:   `uri: {regex: "/v[0-9]+/.*"}`,
			want: `{safeRegex: {regex: "/v[0-9]+/.*"}, caseSensitive: true}`,
		},
		{
			name: "case of the path ignored",
			in:   `{uri: {prefix: /A}, ignoreUriCase: true}`,
			want: `{prefix: /A, caseSensitive: false}`,
		},
		{
			name: "headers, ordered by name, pseudo headers last",
			in: `
headers: {x-b: {prefix: b}, x-a: {exact: a}, x-c: {regex: "c.*"}}
method: {exact: GET}
authority: {prefix: shop.}
scheme: {exact: https}`,
			want: `
prefix: /
caseSensitive: true
headers:
- {name: x-a, stringMatch: {exact: a}}
- {name: x-b, stringMatch: {prefix: b}}
- {name: x-c, stringMatch: {safeRegex: {regex: "c.*"}}}
- {name: ":method", stringMatch: {exact: GET}}
- {name: ":authority", stringMatch: {prefix: shop.}}
- {name: ":scheme", stringMatch: {exact: https}}`,
		},
		{
			name: "presence of a header: no condition, or a star",
			in:   `headers: {x-a: {}, x-b: {regex: "*"}}`,
			want: `{prefix: /, caseSensitive: true, headers: [{name: x-a, presentMatch: true}, {name: x-b, presentMatch: true}]}`,
		},
		{
			name: "absence of a header or of a value of it",
			in:   `withoutHeaders: {x-value: {exact: a}, x-any: {}}`,
			want: `
prefix: /
caseSensitive: true
headers:
- {name: x-any, presentMatch: true, invertMatch: true}
- {name: x-value, stringMatch: {exact: a}, invertMatch: true, treatMissingHeaderAsEmpty: true}`,
		},
		{
			name: "query parameters, ordered by name",
			in:   `queryParams: {q: {exact: "1"}, p: {prefix: ab}, r: {regex: "^z$"}, any: {}}`,
			want: `
prefix: /
caseSensitive: true
queryParameters:
- {name: any, presentMatch: true}
- {name: p, stringMatch: {prefix: ab}}
- {name: q, stringMatch: {exact: "1"}}
- {name: r, stringMatch: {safeRegex: {regex: "^z$"}}}`,
		},
		{
			name: "claim of a token, or any element of a list",
			in:   `headers: {"@request.auth.claims.group": {exact: beta}}`,
			want: `
prefix: /
caseSensitive: true
dynamicMetadata:
- filter: envoy.filters.http.jwt_authn
  path: [{key: payload}, {key: group}]
  value:
    orMatch:
      valueMatchers:
      - {listMatch: {oneOf: {stringMatch: {exact: beta}}}}
      - {stringMatch: {exact: beta}}`,
		},
		{
			name: "absence of a claim whose name holds dots",
			in:   `withoutHeaders: {"@request.auth.claims[a.b][c]": {prefix: p}}`,
			want: `
prefix: /
caseSensitive: true
dynamicMetadata:
- filter: envoy.filters.http.jwt_authn
  path: [{key: payload}, {key: a.b}, {key: c}]
  invert: true
  value:
    orMatch:
      valueMatchers:
      - {listMatch: {oneOf: {stringMatch: {prefix: p}}}}
      - {stringMatch: {prefix: p}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := RouteMatch(read(t, &networking.HTTPMatchRequest{}, tc.in), tc.segments)
			same(t, got, read(t, &routev3.RouteMatch{}, tc.want))
		})
	}
}

func TestRouteMatchOfNothing(t *testing.T) {
	same(t, RouteMatch(nil, false), read(t, &routev3.RouteMatch{}, `prefix: /`))
}

func TestClaimPath(t *testing.T) {
	for _, tc := range []struct {
		name string
		want []string
	}{
		{"@request.auth.claims.sub", []string{"sub"}},
		{"@request.auth.claims.a.b", []string{"a", "b"}},
		{"@request.auth.claims[a.b]", []string{"a.b"}},
		{"@request.auth.claims[a][b]", []string{"a", "b"}},
		{"@REQUEST.AUTH.CLAIMS.sub", []string{"sub"}},
		{"@request.auth.claims", nil},
		{"@request.auth.claims[]", nil},
		{"@request.auth.claims[a", nil},
		{"@request.auth.claimsother", nil},
		{"x-user", nil},
	} {
		got := claimPath(tc.name)
		if len(got) != len(tc.want) {
			t.Errorf("claimPath(%q) = %q, want %q", tc.name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("claimPath(%q) = %q, want %q", tc.name, got, tc.want)
			}
		}
	}
}
