package model_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

func TestHostMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"a.com", "a.com", true},
		{"a.com", "b.a.com", false},
		{"*", "a.com", true},
		{"*", "*", true},
		{"*.com", "a.com", true},
		{"*.com", "*.a.com", true},
		{"*.a.com", "*.com", false},
		{"*.a.com", "a.com", false},
		{"a.com", "*.com", false},
	} {
		if got := model.HostMatches(c.pattern, c.host); got != c.want {
			t.Errorf("%s covers %s: %v, not %v", c.pattern, c.host, got, c.want)
		}
	}
	if !model.HostsOverlap("*.com", "*.a.com") || !model.HostsOverlap("*.a.com", "*.com") || model.HostsOverlap("*.a.com", "*.b.com") {
		t.Error("overlaps")
	}
}

func TestCompareHosts(t *testing.T) {
	hosts := []string{"*", "*.com", "b.com", "*.a.com", "a.com", "*.b.com"}
	slices.SortFunc(hosts, model.CompareHosts)
	if diff := cmp.Diff([]string{"a.com", "b.com", "*.a.com", "*.b.com", "*.com", "*"}, hosts); diff != "" {
		t.Error(diff)
	}
}

func TestResolveHost(t *testing.T) {
	m := world(t, svc("default", "a", "ports: [{port: 80}]"))
	for host, want := range map[string]string{
		"reviews":      "reviews.shop.svc.cluster.local",
		"reviews.shop": "reviews.shop",
		"a.com":        "a.com",
		"*":            "*",
		"*.com":        "*.com",
		"10.0.0.1":     "10.0.0.1",
		"2001:db8::1":  "2001:db8::1",
		"":             "",
	} {
		if got := m.ResolveHost(host, "shop"); got != want {
			t.Errorf("%q in shop is %q, not %q", host, got, want)
		}
	}
}

func TestResolveGateway(t *testing.T) {
	for name, want := range map[string]string{
		"mesh":                       "mesh",
		"gw":                         "shop/gw",
		"./gw":                       "shop/gw",
		"infra/gw":                   "infra/gw",
		"gw.infra":                   "infra/gw",
		"gw.infra.svc.cluster.local": "infra/gw",
	} {
		if got := model.ResolveGateway(name, "shop"); got != want {
			t.Errorf("%q in shop is %q, not %q", name, got, want)
		}
	}
}

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		exportTo []string
		ns       string
		want     bool
	}{
		{nil, "b", true},
		{[]string{"*"}, "b", true},
		{[]string{"."}, "a", true},
		{[]string{"."}, "b", false},
		{[]string{"b", "c"}, "c", true},
		{[]string{"b", "c"}, "a", false},
		{[]string{"~"}, "a", false},
	} {
		set := map[string]bool{}
		for _, e := range c.exportTo {
			set[e] = true
		}
		if got := model.Visible(set, "a", c.ns); got != c.want {
			t.Errorf("a's exportTo %q shows it in %s: %v, not %v", c.exportTo, c.ns, got, c.want)
		}
	}
}
