package model_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMTLSFor(t *testing.T) {
	peer := func(ns, name, spec string) string { return istio("security", "PeerAuthentication", ns, name, spec) }
	mesh := peer("istio-system", "mesh", "mtls: {mode: STRICT}")
	for _, c := range []struct {
		name     string
		policies []string
		ns       string
		want     string
	}{
		{"nothing said", nil, "a", "PERMISSIVE"},
		{"mesh level", []string{mesh}, "a", "STRICT by mesh"},
		{"namespace over mesh", []string{mesh, peer("a", "ns", "mtls: {mode: DISABLE}")}, "a", "DISABLE by mesh ns"},
		{"another namespace's", []string{peer("b", "ns", "mtls: {mode: STRICT}")}, "a", "PERMISSIVE"},
		{"workload over namespace", []string{mesh, peer("a", "w", "selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}")}, "a", "PERMISSIVE by mesh w"},
		{"another workload's", []string{peer("a", "w", "selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}")}, "a", "PERMISSIVE"},
		{"unset inherits", []string{mesh, peer("a", "ns", "mtls: {mode: UNSET}"), peer("a", "w", "selector: {matchLabels: {app: web}}")}, "a", "STRICT by mesh"},
		{"ports", []string{mesh, peer("a", "w", "selector: {matchLabels: {app: web}}, portLevelMtls: {80: {mode: DISABLE}, 90: {mode: UNSET}}")}, "a",
			"STRICT by mesh 80=DISABLE 90=STRICT"},
		{"ports of a namespace do not count", []string{peer("a", "ns", "portLevelMtls: {80: {mode: DISABLE}}")}, "a", "PERMISSIVE"},
		{"a selector in the root namespace does not count", []string{peer("istio-system", "w", "selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}")}, "istio-system", "PERMISSIVE"},
		{"the oldest counts", []string{aged(peer("a", "b", "mtls: {mode: STRICT}"), "2021-01-01T00:00:00Z"), aged(peer("a", "a", "mtls: {mode: DISABLE}"), "2022-01-01T00:00:00Z")}, "a",
			"STRICT by b"},
	} {
		m := world(t, append(c.policies, svc("a", "x", "ports: [{port: 1}]"))...)
		mtls := m.MTLSFor(c.ns, map[string]string{"app": "web"})
		got := mtls.Mode.String()
		for i, s := range mtls.From {
			if i == 0 {
				got += " by"
			}
			got += " " + s.Resource.Name
		}
		for _, port := range slices.Sorted(maps.Keys(mtls.Ports)) {
			got += fmt.Sprintf(" %d=%s", port, mtls.ForPort(port))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
