package model_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
)

// configMap is the ConfigMap istio with settings of several lines, already indented by four.
func configMap(name, mesh string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: istio-system}\ndata:\n  mesh: |\n" + mesh
}

const operator = `apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: op, namespace: istio-system}
spec:
  meshConfig:
    accessLogFile: /dev/stderr
    enableTracing: true
    defaultConfig:
      proxyMetadata: {A: a, B: b}
      concurrency: 3
  values:
    global:
      meshID: mesh1
      network: net1
      multiCluster: {clusterName: east}
    meshConfig:
      accessLogFile: /dev/null
      trustDomain: values.example
    sidecarInjectorWebhook: {enableNamespacesByDefault: true}`

func TestSettingsByDefault(t *testing.T) {
	s := world(t, svc("a", "b", "ports: [{port: 80}]")).Settings
	if s.RootNamespace() != "istio-system" || s.TrustDomain() != "cluster.local" || s.ClusterID != "Kubernetes" || s.DomainSuffix != "cluster.local" {
		t.Errorf("%+v", s)
	}
	if !s.Mesh.GetEnableAutoMtls().GetValue() || s.Mesh.GetConnectTimeout().GetSeconds() != 10 || s.Mesh.GetDefaultConfig().GetStatusPort() != 15020 {
		t.Error(s.Mesh)
	}
	if s.Mesh.GetOutboundTrafficPolicy().GetMode() != meshconfig.MeshConfig_OutboundTrafficPolicy_ALLOW_ANY || len(s.Sources) != 0 {
		t.Error(s.Mesh, s.Sources)
	}
}

func TestSettingsMergeTheirSources(t *testing.T) {
	tree := fstest.MapFS{
		"world/a.yaml": {Data: []byte(operator + "\n---\n" + configMap("istio", `    accessLogFile: /dev/stdout
    enableAutoMtls: false
    trustDomainAliases: [old.example]
    localityLbSetting: {distribute: [{from: a/*, to: {a/*: 100}}]}
    defaultConfig:
      proxyMetadata: {B: bb}
      drainDuration: 1m
    extensionProviders:
    - name: envoy
      envoyFileAccessLog: {path: /tmp/x}
    - name: mine
      zipkin: {service: z.default.svc.cluster.local, port: 9411}
`))},
		"mesh.yaml": {Data: []byte("accessLogFile: ''\ntrustDomainAliases: [older.example]\nconnectTimeout: 5s\ndefaultProviders: {accessLogging: [mine]}\n")},
	}
	m := load(t, model.Options{FS: tree, MeshConfigFile: "mesh.yaml"}, "world")
	s, c := m.Settings, m.Settings.Mesh
	if len(m.Findings) > 0 {
		t.Error(said(m.Findings))
	}
	if c.AccessLogFile != "" || !c.EnableTracing || c.GetEnableAutoMtls().GetValue() || c.TrustDomain != "values.example" || c.GetConnectTimeout().GetSeconds() != 5 {
		t.Error(c)
	}
	if diff := cmp.Diff([]string{"old.example", "older.example"}, c.TrustDomainAliases); diff != "" {
		t.Error(diff)
	}
	pc := c.GetDefaultConfig()
	if diff := cmp.Diff(map[string]string{"A": "a", "B": "bb"}, pc.ProxyMetadata); diff != "" {
		t.Error(diff)
	}
	if pc.GetConcurrency().GetValue() != 3 || pc.GetDrainDuration().GetSeconds() != 60 || pc.GetStatusPort() != 15020 {
		t.Error("defaultConfig is merged field by field:", pc)
	}
	// A field that is no such exception is replaced as a whole.
	if c.GetLocalityLbSetting().GetEnabled() != nil || len(c.GetLocalityLbSetting().GetDistribute()) != 1 {
		t.Error(c.GetLocalityLbSetting())
	}
	var providers []string
	for _, p := range c.GetExtensionProviders() {
		providers = append(providers, p.Name+p.GetEnvoyFileAccessLog().GetPath())
	}
	if diff := cmp.Diff([]string{"prometheus", "stackdriver", "envoy/tmp/x", "mine"}, providers); diff != "" {
		t.Error(diff)
	}
	if s.MeshID != "mesh1" || s.Network != "net1" || s.ClusterID != "east" || !s.EnableNamespacesByDefault {
		t.Errorf("%+v", s)
	}
	var sources []string
	for _, src := range s.Sources {
		sources = append(sources, src.Resource.Kind+" "+src.Path)
	}
	if diff := cmp.Diff([]string{"IstioOperator spec.values", "IstioOperator spec.meshConfig", "ConfigMap data.mesh"}, sources); diff != "" {
		t.Error(diff)
	}
}

func TestWhichConfigMapCounts(t *testing.T) {
	for _, c := range []struct {
		name  string
		world []string
		want  string
	}{
		{"a revision alone", []string{configMap("istio-1-31", "    accessLogFile: rev\n")}, "rev"},
		{"not a revision beside the plain one", []string{configMap("istio-1-31", "    accessLogFile: rev\n"), configMap("istio", "    accessLogFile: plain\n")}, "plain"},
		{"not of another namespace", []string{strings.Replace(configMap("istio", "    accessLogFile: x\n"), "istio-system", "shop", 1)}, ""},
		{"of istiod's namespace", []string{strings.Replace(configMap("istio", "    accessLogFile: x\n"), "istio-system", "mesh", 1), deployment("mesh", "istiod", "app: istiod", "")}, "x"},
	} {
		if got := world(t, c.world...).Settings.Mesh.GetAccessLogFile(); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestBadSettings(t *testing.T) {
	m := world(t, configMap("istio", "    accessLogFile: [1]\n    enableTracing: true\n"))
	said := said(m.Findings)
	if len(said) != 1 || !strings.HasPrefix(said[0], "world.yaml:6 error") {
		t.Error("the wrong type is to be reported where it stands:", said)
	}
	if !m.Settings.Mesh.GetEnableTracing() {
		t.Error("the rest of the settings counts")
	}
	tree := fstest.MapFS{"bad.yaml": {Data: []byte("connectTimeout: soon\n")}, "w.yaml": {Data: []byte(svc("a", "b", "ports: [{port: 80}]"))}}
	if _, err := model.Load(context.Background(), model.Options{FS: tree, MeshConfigFile: "bad.yaml"}, "w.yaml"); err == nil || !strings.Contains(err.Error(), "bad.yaml:1") {
		t.Error("a bad option file must fail and say where:", err)
	}
}

func TestProxyConfigOf(t *testing.T) {
	pc := func(ns, name, spec string) string {
		return "apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec: {" + spec + "}"
	}
	m := world(t,
		configMap("istio", "    defaultConfig:\n      concurrency: 1\n      proxyMetadata: {A: mesh, B: mesh}\n"),
		pc("istio-system", "root", "concurrency: 2, environmentVariables: {B: root}"),
		pc("shop", "ns", "environmentVariables: {C: ns}"),
		pc("shop", "web", "selector: {matchLabels: {app: web}}, concurrency: 4"),
	)
	p := sidecar("shop", map[string]string{"app": "web"})
	p.Annotations = map[string]string{"proxy.istio.io/config": "statusPort: 16020\nproxyMetadata: {D: pod}"}
	got := m.ProxyConfigOf(p)
	if got.GetConcurrency().GetValue() != 4 || got.GetStatusPort() != 16020 || got.GetProxyAdminPort() != 15000 {
		t.Error(got)
	}
	if diff := cmp.Diff(map[string]string{"A": "mesh", "B": "root", "C": "ns", "D": "pod"}, got.GetProxyMetadata()); diff != "" {
		t.Error(diff)
	}
	var fields []string
	for _, layer := range m.ProxyConfigLayers(p) {
		fields = append(fields, fmt.Sprintf("%s %v", layer.Source("proxyMetadata").Path, layer.Given.GetProxyMetadata()))
	}
	if diff := cmp.Diff([]string{
		"spec.environmentVariables map[B:root]", "spec.environmentVariables map[C:ns]", "spec.environmentVariables map[]", " map[D:pod]",
	}, fields); diff != "" {
		t.Error(diff)
	}
	for field, want := range map[string]string{
		"concurrency": "ProxyConfig shop/web spec.concurrency", "statusPort": "", "proxyMetadata": "",
	} {
		got := ""
		if source := m.ProxyConfigSource(p, field); source.Resource != nil {
			got = source.Resource.ID() + " " + source.Path
		}
		if got != want {
			t.Errorf("%s stands at %q, want %q", field, got, want)
		}
	}
	if other := m.ProxyConfigOf(sidecar("elsewhere", nil)); other.GetConcurrency().GetValue() != 2 {
		t.Error(other)
	}
	if def := m.Settings.Mesh.GetDefaultConfig(); def.GetConcurrency().GetValue() != 1 || len(def.GetProxyMetadata()) != 2 {
		t.Error("the mesh's own default changed:", def)
	}
}

// TestAnnotationSource: an annotation is found in the pod's template, wherever that stands.
func TestAnnotationSource(t *testing.T) {
	const annotated = "{metadata: {labels: {app: a}, annotations: {sidecar.istio.io/inject: \"true\", x.io/y: z}}, spec: {containers: [{name: a, image: a}], restartPolicy: OnFailure}}"
	for name, test := range map[string]struct{ yaml, want string }{
		"CronJob": {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a, namespace: shop}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: " + annotated + "}}}",
			`spec.jobTemplate.spec.template.metadata.annotations["x.io/y"]`},
		"Deployment": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: shop}\nspec: {selector: {matchLabels: {app: a}}, template: " +
			strings.Replace(annotated, ", restartPolicy: OnFailure", "", 1) + "}", `spec.template.metadata.annotations["x.io/y"]`},
		"Pod": {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, annotations: {sidecar.istio.io/inject: \"true\", x.io/y: z}}\nspec: {containers: [{name: a, image: a}]}",
			`metadata.annotations["x.io/y"]`},
	} {
		proxies := world(t, test.yaml).Proxies()
		if len(proxies) != 1 {
			t.Errorf("%s: %d proxies", name, len(proxies))
			continue
		}
		if got := proxies[0].AnnotationSource("x.io/y").Path; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if got := proxies[0].AnnotationSource("other"); got != proxies[0].Source {
			t.Errorf("%s: what is not there stands at %s", name, got.Path)
		}
	}
}
