package model_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

func namespace(name, labels string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: {" + labels + "}}"
}

// manifest is a Pod that somebody wrote; livePod one that was read from a cluster.
func manifest(ns, name, labels, more string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {%s}}\nspec: {containers: [{name: app, image: x}], %s}", name, ns, labels, more)
}

func livePod(ns, name, labels, ip string) string {
	return manifest(ns, name, labels, "nodeName: n1") + "\nstatus: {podIP: " + ip + "}"
}

func TestInjection(t *testing.T) {
	on, off, unlabelled := namespace("shop", "istio-injection: enabled"), namespace("shop", "istio-injection: disabled"), namespace("shop", "")
	web := deployment("shop", "web", "app: web", "containers: [{name: app, image: x}]")
	labelled := func(label string) string {
		return deployment("shop", "web", "app: web, "+label, "containers: [{name: app, image: x}]")
	}
	for _, c := range []struct {
		name  string
		world []string
		want  bool
	}{
		{"namespace enabled", []string{on, web}, true},
		{"namespace disabled", []string{off, web}, false},
		{"namespace by revision", []string{namespace("shop", "istio.io/rev: canary"), web}, true},
		{"namespace without a label", []string{unlabelled, web}, false},
		{"namespace not in the input", []string{web}, true},
		{"pod opts out", []string{on, labelled(`sidecar.istio.io/inject: "false"`)}, false},
		{"pod opts in", []string{unlabelled, labelled(`sidecar.istio.io/inject: "true"`)}, true},
		{"namespace disabled beats the pod", []string{off, labelled(`sidecar.istio.io/inject: "true"`)}, false},
		{"host network", []string{on, deployment("shop", "web", "app: web", "hostNetwork: true, containers: [{name: app, image: x}]")}, false},
		{"ambient", []string{namespace("shop", "istio.io/dataplane-mode: ambient"), web}, false},
		{"Kubernetes' own namespace", []string{deployment("kube-system", "dns", "app: dns", "")}, false},
		{"the control plane's namespace", []string{deployment("istio-system", "istiod", "app: istiod", "")}, false},
		{"already injected", []string{unlabelled, deployment("shop", "web", "app: web", "containers: [{name: app, image: x}, {name: istio-proxy, image: y}]")}, true},
		{"a live pod without a proxy", []string{on, livePod("shop", "bare", "app: web", "10.0.0.1")}, false},
		{"a live pod with the injector's labels", []string{unlabelled, livePod("shop", "bare", "security.istio.io/tlsMode: istio", "10.0.0.1")}, true},
		{"installation injects by default", []string{unlabelled, web, operator}, true},
	} {
		w := world(t, c.world...).Workloads()[0]
		if w.Injected != c.want || w.Why == "" {
			t.Errorf("%s: injected %v, since %s", c.name, w.Injected, w.Why)
		}
		if got := w.Labels["security.istio.io/tlsMode"] == "istio"; got != c.want {
			t.Errorf("%s: labels %v", c.name, w.Labels)
		}
	}
}

func TestCanonicalServiceLabels(t *testing.T) {
	for labels, want := range map[string][2]string{
		"a: b":                {"web", "latest"},
		"app: x, version: v2": {"x", "v2"},
		"app: x, app.kubernetes.io/name: y, app.kubernetes.io/version: v3": {"y", "v3"},
		"app: x, service.istio.io/canonical-name: z":                       {"z", "latest"},
	} {
		w := world(t, deployment("shop", "web", labels, "")).Workloads()[0]
		if got := [2]string{w.Labels["service.istio.io/canonical-name"], w.Labels["service.istio.io/canonical-revision"]}; got != want {
			t.Errorf("%s: %v, not %v", labels, got, want)
		}
	}
}

func TestWorkloadsAdoptTheirPods(t *testing.T) {
	m := world(t,
		deployment("shop", "web", "app: web", ""),
		livePod("shop", "web-1", "app: web", "10.0.0.1"),
		livePod("shop", "web-2", "app: web", "10.0.0.2"),
		manifest("shop", "alone", "app: other", ""),
		"apiVersion: v1\nkind: Pod\nmetadata: {name: done, namespace: shop, labels: {app: web}}\nspec: {containers: [{name: a, image: b}]}\nstatus: {phase: Succeeded, podIP: 10.0.0.9}",
		"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly, namespace: shop}\nspec: {schedule: '@daily', jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: b}]}}}}}",
		istio("networking", "WorkloadEntry", "shop", "vm", "address: 192.0.2.1, serviceAccount: vm, labels: {app: vm}"),
	)
	var got []string
	for _, w := range m.Workloads() {
		line := w.Kind + " " + w.Name
		for _, a := range w.Addresses {
			if !model.MadeUp(a) {
				line += " " + a
			}
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"Pod alone", "CronJob nightly", "WorkloadEntry vm 192.0.2.1", "Deployment web 10.0.0.1 10.0.0.2"}, got); diff != "" {
		t.Error(diff)
	}
	if got := len(m.WorkloadsMatching("shop", map[string]string{"app": "web"})); got != 1 {
		t.Error(got)
	}
	if got := len(m.WorkloadsMatching("", nil)); got != 4 {
		t.Error(got)
	}
}

func TestGatewayWorkloads(t *testing.T) {
	gateway := istio("networking", "Gateway", "infra", "gw", "selector: {app: edge}, servers: []")
	for _, c := range []struct {
		name  string
		world []string
		want  bool
	}{
		{"an application", []string{deployment("shop", "web", "app: web", "containers: [{name: app, image: x}]")}, false},
		{"Istio's own", []string{deployment("istio-system", "x", "istio: ingressgateway", "containers: [{name: app, image: x}]")}, true},
		{"by template", []string{deployment("shop", "x", "inject.istio.io/templates: gateway", "containers: [{name: app, image: x}]")}, true},
		{"selected, with the proxy alone", []string{gateway, deployment("shop", "x", "app: edge", "containers: [{name: istio-proxy, image: auto}]")}, true},
		{"selected application", []string{gateway, deployment("shop", "x", "app: edge", "containers: [{name: app, image: x}]")}, false},
	} {
		w := world(t, c.world...).Workloads()[0]
		if w.Gateway != c.want {
			t.Errorf("%s: gateway %v", c.name, w.Gateway)
		}
		if w.Gateway && w.Labels["security.istio.io/tlsMode"] != "" {
			t.Errorf("%s: the injector adds no tlsMode to gateways", c.name)
		}
	}
}
