package simulate

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

func TestLocation(t *testing.T) {
	for _, test := range []struct{ host, path, proto, match, redirect, want string }{
		{"a.com", "/x?y", "http", `{"prefix":"/"}`, `{}`, "http://a.com/x?y"},
		{"a.com:8080", "/x", "http", `{"prefix":"/"}`, `{"httpsRedirect":true}`, "https://a.com:8080/x"},
		{"a.com:80", "/x", "http", `{"prefix":"/"}`, `{"httpsRedirect":true}`, "https://a.com/x"},
		{"a.com:80", "/x", "http", `{"prefix":"/"}`, `{}`, "http://a.com:80/x"},
		{"a.com:443", "/x", "https", `{"prefix":"/"}`, `{"schemeRedirect":"http"}`, "http://a.com/x"},
		{"[::1]:80", "/x", "http", `{"prefix":"/"}`, `{"schemeRedirect":"https"}`, "https://[::1]/x"},
		{"a.com:8080", "/x", "http", `{"prefix":"/"}`, `{"portRedirect":8443}`, "http://a.com:8443/x"},
		{"a.com:8080", "/x", "http", `{"prefix":"/"}`, `{"hostRedirect":"b.com"}`, "http://b.com/x"},
		{"a.com", "/x?y", "http", `{"prefix":"/"}`, `{"pathRedirect":"/n"}`, "http://a.com/n?y"},
		{"a.com", "/x?y", "http", `{"prefix":"/"}`, `{"pathRedirect":"/n?z"}`, "http://a.com/n?z"},
		{"a.com", "/x?y", "http", `{"prefix":"/"}`, `{"pathRedirect":"/n?z","stripQuery":true}`, "http://a.com/n?z"},
		{"a.com", "/x?y", "http", `{"prefix":"/"}`, `{"stripQuery":true}`, "http://a.com/x"},
		{"a.com", "/x/1?y", "http", `{"prefix":"/x"}`, `{"prefixRewrite":"/n"}`, "http://a.com/n/1?y"},
		{"a.com", "/X/1?y", "http", `{"prefix":"/x","caseSensitive":false}`, `{"prefixRewrite":"/n"}`, "http://a.com/n/1?y"},
		{"a.com", "/x/1?y", "http", `{"path":"/x/1"}`, `{"prefixRewrite":"/n"}`, "http://a.com/n?y"},
		{"a.com", "/x/1?y", "http", `{"safeRegex":{"regex":"/x/."}}`, `{"prefixRewrite":"/n"}`, "http://a.com/n?y"},
		{"a.com", "/x/1?/x", "http", `{"prefix":"/"}`, `{"regexRewrite":{"pattern":{"regex":"^/x/(.)"},"substitution":"/n-\\1$1"}}`, "http://a.com/n-1$1?/x"},
	} {
		m, a := &routev3.RouteMatch{}, &routev3.RedirectAction{}
		if err := protojson.Unmarshal([]byte(test.match), m); err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal([]byte(test.redirect), a); err != nil {
			t.Fatal(err)
		}
		in := &request{scheme: test.proto, host: test.host, path: test.path, headers: map[string]string{"x-forwarded-proto": test.proto}}
		if got := newRoute(&routev3.Route{Match: m}).location(in, a); got != test.want {
			t.Errorf("%s%s by %s: %s, want %s", test.host, test.path, test.redirect, got, test.want)
		}
	}
}
