package compile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
)

// workload is a Deployment with a sidecar, whose pods have annotations: YAML of a mapping.
func workload(annotations string) string {
	return `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata:
      labels: {app: cart}
      annotations: {` + annotations + `}
    spec: {containers: [{name: cart, image: cart}]}
---
`
}

// TestStatistics: which tags are cut out of names of statistics beside Istio's own, and which statistics are kept.
func TestStatistics(t *testing.T) {
	const required = "cluster_manager* listener_manager* server* cluster.xds-grpc* wasm* " +
		"*rbac.allowed *rbac.denied *shadow_allowed *shadow_denied ~vhost\\..*\\.route\\..* component* istio*"
	with := func(patterns string) string {
		return "keeps reporter=* " + strings.Replace(required, "cluster_manager*", patterns+" cluster_manager*", 1)
	}
	for name, test := range map[string]struct {
		target                compile.Target
		settings, annotations string
		want                  []string
	}{
		"nothing said": {compile.Envoy, "", "", nil},
		"nothing said to Istio's proxy": {compile.IstioProxy, "", "", []string{
			"keeps reporter=* " + required}},
		"tags of both places": {compile.Envoy, "defaultConfig: {extraStatTags: [tenant, zone]}", "sidecar.istio.io/extraStatTags: 'zone,route'", []string{
			`tag tenant (tenant=\.=(.*?);\.;)`, `tag zone (zone=\.=(.*?);\.;)`, `tag route (route=\.=(.*?);\.;)`,
			"from world.yaml:6", "from world.yaml:20"}},
		"a tag that is no expression": {compile.Envoy, "", "sidecar.istio.io/extraStatTags: 'a(b'", []string{
			"from world.yaml:13", `world.yaml:13: the tag "a(b" is not compiled: Envoy refuses it as a regular expression`}},
		"what ProxyConfig includes": {compile.Envoy, "defaultConfig: {proxyStatsMatcher: {inclusionPrefixes: ['http.{pod_ip}_']}}", "", []string{
			with("http.198.19.249.74_*"), "from world.yaml:6"}},
		"an annotation replaces it": {compile.Envoy, "defaultConfig: {proxyStatsMatcher: {inclusionPrefixes: [listener]}}",
			"sidecar.istio.io/statsInclusionPrefixes: 'cluster.outbound,tcp'", []string{
				with("cluster.outbound* tcp*"), "from world.yaml:6", "from world.yaml:20"}},
		"an expression that Envoy refuses": {compile.Envoy, "", "sidecar.istio.io/statsInclusionRegexps: 'a(b'", []string{
			"keeps reporter=* " + required, "from world.yaml:13",
			`world.yaml:13: the inclusion "a(b" of statistics is not compiled: Envoy refuses it`}},
		"histograms": {compile.Envoy, "", `sidecar.istio.io/statsHistogramBuckets: '{"istio":[1,5],"cluster":[0.5,1],"bad":[2,1]}'`, []string{
			"buckets cluster [0.5 1]", "buckets istio [1 5]", "from world.yaml:13",
			`world.yaml:13: annotation sidecar.istio.io/statsHistogramBuckets of cart.shop is not compiled: the buckets of "bad" are no ascending positive numbers, which Envoy refuses`}},
		"intervals": {compile.Envoy, "", "sidecar.istio.io/statsFlushInterval: 10s, sidecar.istio.io/statsEvictionInterval: 1m", []string{
			"flush 10s", "eviction 1m0s", "from world.yaml:13", "from world.yaml:13"}},
		"intervals that do not go together": {compile.Envoy, "", "sidecar.istio.io/statsFlushInterval: often, sidecar.istio.io/statsEvictionInterval: 7s", []string{
			"from world.yaml:13", "from world.yaml:13",
			`world.yaml:13: annotation sidecar.istio.io/statsFlushInterval of cart.shop is not compiled: "often" is no duration such as 10s`,
			"world.yaml:13: annotation sidecar.istio.io/statsEvictionInterval of cart.shop is not compiled: 7s is no multiple of the flush interval, 5s"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := workload(test.annotations)
			if test.settings != "" {
				text = strings.TrimPrefix(meshConfig(test.settings), "\n") + text
			}
			mesh := loadText(t, text)
			cfg := compile.Compile(mesh, mesh.Proxies()[0], compile.Options{Target: test.target})
			if diff := cmp.Diff(test.want, statistics(cfg)); diff != "" {
				t.Errorf("statistics differ (-want +got):\n%s", diff)
			}
		})
	}
}

// statistics tells what differs from the tags that every proxy has, where it comes from, and what of it is not compiled.
func statistics(cfg *compile.Configuration) []string {
	var out []string
	own := cfg.Statistics.Config
	for _, tag := range own.GetStatsTags()[9 : len(own.GetStatsTags())-7] {
		out = append(out, "tag "+tag.GetTagName()+" "+tag.GetRegex())
	}
	var patterns []string
	for _, p := range own.GetStatsMatcher().GetInclusionList().GetPatterns() {
		switch {
		case p.GetPrefix() != "":
			patterns = append(patterns, p.GetPrefix()+"*")
		case p.GetSuffix() != "":
			patterns = append(patterns, "*"+p.GetSuffix())
		default:
			patterns = append(patterns, "~"+p.GetSafeRegex().GetRegex())
		}
	}
	if patterns != nil {
		out = append(out, "keeps "+strings.Join(patterns, " "))
	}
	for _, h := range own.GetHistogramBucketSettings() {
		out = append(out, fmt.Sprintf("buckets %s %v", h.GetMatch().GetPrefix(), h.GetBuckets()))
	}
	if d := cfg.Statistics.FlushInterval; d != nil {
		out = append(out, "flush "+d.AsDuration().String())
	}
	if d := cfg.Statistics.EvictionInterval; d != nil {
		out = append(out, "eviction "+d.AsDuration().String())
	}
	for _, s := range cfg.Sources.Of(own) {
		out = append(out, fmt.Sprintf("from %s:%d", s.Location().File, s.Location().Line))
	}
	for _, f := range cfg.Findings {
		out = append(out, fmt.Sprintf("%s:%d: %s", f.Location.File, f.Location.Line, f.Message))
	}
	return out
}

// TestProxyConfigThatIsNotCompiled: what no bootstrap can hold is named where it stands, once for all proxies of a workload.
func TestProxyConfigThatIsNotCompiled(t *testing.T) {
	mesh := loadText(t, meshConfig("defaultConfig: {concurrency: 2, drainDuration: 45s, tracing: {lightstep: {address: x:1}}, statsdUdpAddress: nowhere}")+
		workload("proxy.istio.io/config: '{concurrency: 4, connectionSettings: {}, proxyMetadata: {ISTIO_META_X: a}, statsCompression: false}', sidecar.istio.io/bootstrapOverride: own")+`
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: small, namespace: shop}
spec: {concurrency: 1, image: {imageType: distroless}, environmentVariables: {LOG: debug}}
`)
	const (
		onCommandLine = "it is a flag of Envoy's command line (--concurrency), not of its bootstrap; the node's metadata tell it (PROXY_CONFIG)"
		annotation    = " in the annotation proxy.istio.io/config of Deployment shop/cart is not compiled: "
	)
	want := []string{
		"world.yaml:7 defaultConfig.concurrency of MeshConfig is not compiled: " + onCommandLine,
		"world.yaml:7 defaultConfig.tracing of MeshConfig is not compiled: Envoy no longer has the tracer; name a provider of kind opentelemetry in a Telemetry",
		`world.yaml:7 defaultConfig.statsdUdpAddress of MeshConfig is not compiled: "nowhere" is no HOST:PORT`,
		"world.yaml:21 concurrency" + annotation + onCommandLine,
		"world.yaml:21 connectionSettings" + annotation + "listeners keep Istio's own limits and timeouts",
		"world.yaml:21 annotation sidecar.istio.io/bootstrapOverride of cart.shop is not compiled: the bootstrap is meshc's own",
		"world.yaml:28 spec.concurrency of ProxyConfig shop/small is not compiled: " + onCommandLine,
		"world.yaml:28 spec.image of ProxyConfig shop/small is not compiled: who starts Envoy chooses its image; the node's metadata tell it (PROXY_CONFIG)",
		"world.yaml:28 spec.environmentVariables of ProxyConfig shop/small is not compiled: who starts Envoy sets its environment; the node's metadata tell it (PROXY_CONFIG)",
	}
	for what, findings := range map[string][]string{
		"mesh":  lines(compile.NotCompiled(mesh, compile.Envoy)),
		"proxy": lines(compile.Compile(mesh, mesh.Proxies()[0], compile.Options{}).Findings),
	} {
		if diff := cmp.Diff(want, findings); diff != "" {
			t.Errorf("findings of the %s differ (-want +got):\n%s", what, diff)
		}
	}
}

func lines(findings []diag.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s:%d %s", f.Location.File, f.Location.Line, f.Message))
	}
	return out
}
