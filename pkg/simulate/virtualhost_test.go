package simulate

import (
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshc/meshc/pkg/compile"
)

// tableOf indexes a route configuration with a virtual host for each domain, named for it.
func tableOf(ignorePort bool, domains ...string) *routeTable {
	config := &routev3.RouteConfiguration{IgnorePortInHostMatching: ignorePort}
	for _, d := range domains {
		config.VirtualHosts = append(config.VirtualHosts, &routev3.VirtualHost{Name: d, Domains: []string{d}})
	}
	return New(&compile.Configuration{}, Options{}).table(config)
}

func TestVirtualHostOf(t *testing.T) {
	domains := []string{"a.com", "*.com", "*-x.a.com", "*.a.com", "www.*", "www.a*", "B.org:80", "[::1]"}
	for _, test := range []struct {
		host       string
		ignorePort bool
		want       string
	}{
		{"a.com", false, "a.com"},
		{"A.Com", false, "a.com"},
		{"a.com:8080", false, ""},
		{"a.com:8080", true, "a.com"},
		{"b.com", false, "*.com"},
		{".com", false, ""},
		{"b.a.com", false, "*.a.com"},
		{"b-x.a.com", false, "*-x.a.com"},
		{"www.b.net", false, "www.*"},
		{"www.a.net", false, "www.a*"},
		{"www.", false, ""},
		{"www.a.com", false, "*.a.com"},
		{"b.org:80", false, "B.org:80"},
		{"[::1]", true, "[::1]"},
		{"[::1]:80", true, "[::1]"},
		{"", false, ""},
	} {
		got := ""
		if vh, _ := tableOf(test.ignorePort, domains...).find(test.host); vh != nil {
			got = vh.GetName()
		}
		if got != test.want {
			t.Errorf("host %q (ignore port %v) is %q's, want %q", test.host, test.ignorePort, got, test.want)
		}
	}
	if vh, _ := tableOf(false, "a.com", "*").find("b"); vh.GetName() != "*" {
		t.Errorf("what no other domain fits is %q's", vh.GetName())
	}
}

// FuzzVirtualHost holds the index against a plain search through all domains.
func FuzzVirtualHost(f *testing.F) {
	f.Add("www.a.com:80", "*.a.com", "www.*", true)
	f.Add("[::1]:80", "[::1]", "*", true)
	f.Add("", "*a", "a*", false)
	f.Fuzz(func(t *testing.T, host, first, second string, ignorePort bool) {
		if first == "" || second == "" || strings.EqualFold(first, second) {
			return
		}
		got := ""
		if vh, _ := tableOf(ignorePort, first, second).find(host); vh != nil {
			got = vh.GetName()
		}
		name := host
		if ignorePort {
			name, _ = splitPort(host)
		}
		a, b := fits(lowerASCII(name), strings.ToLower(first)), fits(lowerASCII(name), strings.ToLower(second))
		want := first
		if b > a {
			want = second
		}
		if max(a, b) < 0 {
			want = ""
		}
		if got != want {
			t.Errorf("%q is %q's, want %q", host, got, want)
		}
	})
}

// fits ranks how well a domain fits a host: exact, suffix by length, prefix by length, any; -1 for not at all.
func fits(host, domain string) int {
	const step = 1 << 20
	switch {
	case domain == "*":
		return 0
	case strings.HasPrefix(domain, "*"):
		if len(host) > len(domain)-1 && strings.HasSuffix(host, domain[1:]) {
			return 2*step + len(domain)
		}
	case strings.HasSuffix(domain, "*"):
		if len(host) > len(domain)-1 && strings.HasPrefix(host, domain[:len(domain)-1]) {
			return step + len(domain)
		}
	case host == domain:
		return 3 * step
	}
	return -1
}
