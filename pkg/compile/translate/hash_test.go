package translate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	networking "istio.io/api/networking/v1alpha3"
)

func TestHashPolicy(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`httpHeaderName: x-user`, `header: {headerName: x-user}`},
		{`httpQueryParameterName: q`, `queryParameter: {name: q}`},
		{`useSourceIp: true`, `connectionProperties: {sourceIp: true}`},
		{`httpCookie: {name: sid, path: /p, ttl: 60s}`, `cookie: {name: sid, path: /p, ttl: 60s}`},
		{`httpCookie: {name: sid, ttl: 0s}`, `cookie: {name: sid, ttl: 0s}`},
		{`httpCookie: {name: sid}`, `cookie: {name: sid}`},
		{
			`httpCookie: {name: sid, attributes: [{name: SameSite, value: Lax}]}`,
			`cookie: {name: sid, attributes: [{name: SameSite, value: Lax}]}`,
		},
	} {
		got := HashPolicy(read(t, &networking.LoadBalancerSettings_ConsistentHashLB{}, tc.in))
		same(t, got, read(t, &routev3.RouteAction_HashPolicy{}, tc.want))
	}
	for _, in := range []string{`{}`, `useSourceIp: false`, `maglev: {tableSize: 65537}`} {
		if got := HashPolicy(read(t, &networking.LoadBalancerSettings_ConsistentHashLB{}, in)); got != nil {
			t.Errorf("%s: got %v, want none", in, got)
		}
	}
}
