package translate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestHeaderOperations(t *testing.T) {
	for _, tc := range []struct{ name, in, want, authority string }{
		{
			name: "set before add, each by name",
			in: `
request: {set: {x-s: "1", x-r: "2"}, add: {x-b: b, x-a: a}, remove: [x-old]}
response: {set: {x-t: "3"}, add: {x-u: "4"}, remove: [server]}`,
			want: `
requestHeadersToAdd:
- {header: {key: x-r, value: "2"}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}
- {header: {key: x-s, value: "1"}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}
- {header: {key: x-a, value: a}}
- {header: {key: x-b, value: b}}
requestHeadersToRemove: [x-old]
responseHeadersToAdd:
- {header: {key: x-t, value: "3"}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}
- {header: {key: x-u, value: "4"}}
responseHeadersToRemove: [server]`,
		},
		{
			name:      "the host is rewritten, other pseudo headers stay",
			in:        `request: {set: {Host: a.example, ":path": /x}, remove: [":method", host, x-a]}`,
			want:      `requestHeadersToRemove: [x-a]`,
			authority: "a.example",
		},
		{
			name:      "what is set wins over what is added",
			in:        `request: {set: {":authority": set.example}, add: {host: added.example}}`,
			want:      `{}`,
			authority: "set.example",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ops := HeaderOperations(read(t, &networking.Headers{}, tc.in))
			got := &routev3.Route{}
			ops.applyToRoute(got)
			same(t, got, read(t, &routev3.Route{}, tc.want))
			if ops.Authority != tc.authority {
				t.Errorf("authority %q, want %q", ops.Authority, tc.authority)
			}
		})
	}
}
