package translate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestRedirect(t *testing.T) {
	for _, tc := range []struct {
		name       string
		in         string
		port       uint32
		tls, marks bool
		want       string
	}{
		{
			name: "to another host and path",
			in:   `{uri: /new, authority: new.example.com, redirectCode: 308}`,
			port: 80,
			want: `{hostRedirect: new.example.com, pathRedirect: /new, responseCode: PERMANENT_REDIRECT}`,
		},
		{name: "found", in: `redirectCode: 302`, want: `{pathRedirect: "", responseCode: FOUND}`},
		{name: "see other", in: `redirectCode: 303`, want: `{pathRedirect: "", responseCode: SEE_OTHER}`},
		{name: "temporarily", in: `redirectCode: 307`, want: `{pathRedirect: "", responseCode: TEMPORARY_REDIRECT}`},
		{name: "permanently", in: `redirectCode: 301`, want: `{pathRedirect: ""}`},
		{
			name: "to https on the same port",
			in:   `{scheme: https, derivePort: FROM_REQUEST_PORT}`,
			port: 8080,
			want: `{schemeRedirect: https, portRedirect: 8080, pathRedirect: ""}`,
		},
		{
			name: "to the scheme's own port",
			in:   `{scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}`,
			port: 8080,
			want: `{schemeRedirect: https, pathRedirect: ""}`,
		},
		{
			name: "a port that goes without saying",
			in:   `{authority: a.b, port: 443}`,
			port: 8443,
			tls:  true,
			want: `{hostRedirect: a.b, pathRedirect: ""}`,
		},
		{
			name: "a port that must be said",
			in:   `{authority: a.b, port: 443}`,
			port: 80,
			want: `{hostRedirect: a.b, portRedirect: 443, pathRedirect: ""}`,
		},
		{name: "another prefix", in: `prefixRewrite: /bar`, want: `prefixRewrite: /bar`},
		{name: "another prefix, from the Gateway API", in: `uri: "%PREFIX()%/bar"`, marks: true, want: `prefixRewrite: /bar`},
		{name: "the mark as a path", in: `uri: "%PREFIX()%/bar"`, want: `pathRedirect: "%PREFIX()%/bar"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Redirect(read(t, &networking.HTTPRedirect{}, tc.in), tc.port, tc.tls, tc.marks)
			same(t, got, read(t, &routev3.RedirectAction{}, tc.want))
		})
	}
}

func TestDirectResponse(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`status: 503`, `status: 503`},
		{`{status: 503, body: {string: down}}`, `{status: 503, body: {inlineString: down}}`},
		{`{status: 200, body: {bytes: aGk=}}`, `{status: 200, body: {inlineBytes: aGk=}}`},
	} {
		same(t, DirectResponse(read(t, &networking.HTTPDirectResponse{}, tc.in)), read(t, &routev3.DirectResponseAction{}, tc.want))
	}
}
