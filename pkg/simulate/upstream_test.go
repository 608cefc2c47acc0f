package simulate

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestHeadersThatTheUpstreamSees(t *testing.T) {
	header := func(name, value string, action corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: action}
	}
	const (
		add = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		set = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	)
	action := &routev3.RouteAction{
		PrefixRewrite: "/new", HostRewriteSpecifier: &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: "inner"},
		AppendXForwardedHost: true, Timeout: durationpb.New(3e9),
		RetryPolicy: &routev3.RetryPolicy{PerTryTimeout: durationpb.New(2e9)},
	}
	in := &routev3.Route{
		Match:     &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/old"}},
		Action:    &routev3.Route_Route{Route: action},
		Decorator: &routev3.Decorator{Operation: "shop:80/*"},
		RequestHeadersToAdd: []*corev3.HeaderValueOption{
			header("X-Many", "2", add), header("X-One", "new", set), header("x-share", "100%%", set), header("x-before", "%REQ(x-absent?:authority)%", set),
		},
		RequestHeadersToRemove: []string{"X-Secret"},
	}
	w := &walk{
		sim: &Simulator{}, call: &Call{Mode: Gateway, TLS: Plaintext, Protocol: HTTP}, manager: manager{outbound: true, traced: true},
		routeTable: &routev3.RouteConfiguration{}, listenedOn: &listenerv3.Listener{},
		virtualHost: &routev3.VirtualHost{IncludeRequestAttemptCount: true},
		request: &request{host: "outer", path: "/old/cart", headers: map[string]string{
			"x-many": "1", "x-one": "old", "x-secret": "s", "te": "gzip", "keep-alive": "5", "x-envoy-retry-on": "5xx", "x-envoy-original-path": "/forged",
			"x-forwarded-client-cert": "forged",
		}},
	}
	w.cleanHeaders(&hcmv3.HttpConnectionManager{UseRemoteAddress: wrapperspb.Bool(true)})
	want := &Upstream{Host: "inner", Path: "/new/cart", Headers: map[string][]string{
		"x-many": {"1", "2"}, "x-one": {"new"}, "x-share": {"100%"}, "x-before": {"outer"},
		"x-envoy-attempt-count": {"1"}, "x-envoy-decorator-operation": {"shop:80/*"}, "x-envoy-expected-rq-timeout-ms": {"2000"},
		"x-envoy-original-host": {"outer"}, "x-envoy-original-path": {"/old/cart"}, "x-forwarded-host": {"outer"},
	}}
	if diff := cmp.Diff(want, w.upstream(newRoute(in), action, nil)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadableTarget(t *testing.T) {
	for target, want := range map[string]bool{
		"/": true, "*": true, "/a?b=c#d": true, "http://shop.example.com": true, "http://shop.example.com/a": true,
		"": false, "shop": false, "%2f": false, `\x`: false, "/ünïcode": false, "://x": false, "http://a@@b/": false,
	} {
		if got := readableTarget("GET", target); got != want {
			t.Errorf("%q: %v, want %v", target, got, want)
		}
	}
	if !readableTarget("CONNECT", "shop.example.com:443") {
		t.Error("CONNECT has a host and a port")
	}
}

func TestNegotiated(t *testing.T) {
	for offered, want := range map[string]string{"": "", "http/1.1,h2": "h2", "http/1.1": "http/1.1", "istio": ""} {
		if got := negotiated([]string{"h2", "http/1.1"}, offered); got != want {
			t.Errorf("%q: %q, want %q", offered, got, want)
		}
	}
}
