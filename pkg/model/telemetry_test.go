package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	telemetryv1 "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model"
)

// settings is the ConfigMap with a MeshConfig.
func settings(mesh string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    " +
		strings.ReplaceAll(mesh, "\n", "\n    ")
}

func telemetry(namespace, name, spec string) string {
	return istio("telemetry", "Telemetry", namespace, name, spec)
}

func TestAccessLogs(t *testing.T) {
	const web = "selector: {matchLabels: {app: web}}, "
	log := func(ns, name, entries string) string { return telemetry(ns, name, "accessLogging: ["+entries+"]") }
	mesh := log("istio-system", "mesh", "{providers: [{name: file}, {name: otel}]}")
	for _, c := range []struct {
		name  string
		given []string
		want  string // as client; as server
	}{
		{"nothing said", nil, "not given; not given"},
		{"default provider", []string{settings("defaultProviders: {accessLogging: [envoy]}")}, "envoy; envoy"},
		{"mesh level", []string{mesh}, "file, otel; file, otel"},
		{"a level's providers replace those above", []string{mesh, log("a", "ns", "{providers: [{name: zap}]}")}, "zap; zap"},
		{"another namespace's", []string{mesh, log("b", "ns", "{providers: [{name: zap}]}")}, "file, otel; file, otel"},
		{"one direction", []string{log("a", "ns", "{match: {mode: CLIENT}, providers: [{name: zap}]}")}, "zap; "},
		{"disabled", []string{mesh, log("a", "ns", "{disabled: true}")}, "-file, -otel; -file, -otel"},
		{"disabled for one provider", []string{mesh, log("a", "ns", "{disabled: true, providers: [{name: otel}]}")}, "-otel; -otel"},
		{"a condition", []string{log("a", "ns", "{providers: [{name: file}], filter: {expression: response.code > 499}}")},
			"file if response.code > 499; file if response.code > 499"},
		{"a level below takes the condition away", []string{
			log("a", "ns", "{providers: [{name: file}], filter: {expression: x}}"),
			telemetry("a", "w", web+"accessLogging: [{providers: [{name: file}]}]"),
		}, "file; file"},
		{"directions of a workload", []string{mesh, telemetry("a", "w", web+
			"accessLogging: [{match: {mode: SERVER}, providers: [{name: file}]}, {match: {mode: CLIENT}, disabled: true}]")},
			"-file, otel; file"},
		{"another workload's", []string{telemetry("a", "w", "selector: {matchLabels: {app: db}}, accessLogging: [{providers: [{name: x}]}]")},
			"not given; not given"},
		{"all for the workload count", []string{
			telemetry("a", "w1", web+"accessLogging: [{providers: [{name: x}]}]"),
			telemetry("a", "w2", web+"accessLogging: [{providers: [{name: y}]}]"),
		}, "y; y"},
		{"the oldest of a namespace counts", []string{
			aged(log("a", "b", "{providers: [{name: x}]}"), "2021-01-01T00:00:00Z"),
			aged(log("a", "a", "{providers: [{name: y}]}"), "2022-01-01T00:00:00Z"),
		}, "x; x"},
		{"a Gateway's", []string{telemetry("a", "g", "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: web}], "+
			"accessLogging: [{providers: [{name: x}]}]")}, "not given; not given"},
	} {
		m := world(t, append(c.given, svc("a", "x", "ports: [{port: 1}]"))...)
		of := m.TelemetryOf(sidecar("a", map[string]string{"app": "web"}))
		var got []string
		for _, mode := range []telemetryv1.WorkloadMode{telemetryv1.WorkloadMode_CLIENT, telemetryv1.WorkloadMode_SERVER} {
			logs, given := of.AccessLogs(mode)
			var all []string
			for _, l := range logs {
				text := l.Provider
				if l.Disabled {
					text = "-" + text
				}
				if l.Filter != nil {
					text += " if " + l.Filter.GetExpression()
				}
				all = append(all, text)
			}
			if !given {
				all = []string{"not given"}
			}
			got = append(got, strings.Join(all, ", "))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestTelemetryOfGateway: a resource that names a Gateway is for the proxy that serves it.
func TestTelemetryOfGateway(t *testing.T) {
	m := world(t, telemetry("a", "g", "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: web}], metrics: [{providers: [{name: p}]}]"))
	gateway := router("a", map[string]string{"gateway.networking.k8s.io/gateway-name": "web"})
	if got := len(m.TelemetryOf(gateway).From); got != 1 {
		t.Errorf("%d resources apply to the Gateway's proxy", got)
	}
}

func TestTracing(t *testing.T) {
	providers := settings("defaultProviders: {tracing: [zk]}\nextensionProviders:\n- {name: zk, zipkin: {service: z, port: 1}}\n- {name: ot, opentelemetry: {service: o, port: 2}}")
	trace := func(ns, name, entries string) string { return telemetry(ns, name, "tracing: ["+entries+"]") }
	for _, c := range []struct {
		name  string
		given []string
		want  string
	}{
		{"nothing said", nil, "not given; not given"},
		{"default provider", []string{providers}, "zk; zk"},
		{"unknown provider", []string{trace("a", "ns", "{providers: [{name: other}]}")}, "other disabled; other disabled"},
		{"case does not count", []string{providers, trace("a", "ns", "{providers: [{name: OT}]}")}, "OT; OT"},
		{"sections add up", []string{providers, trace("istio-system", "mesh", "{randomSamplingPercentage: 12.5}"),
			trace("a", "ns", "{match: {mode: CLIENT}, providers: [{name: ot}], useRequestIdForTraceSampling: false}, {match: {mode: SERVER}, disableSpanReporting: true}")},
			"ot 12.5% own-sampling; zk disabled 12.5%"},
		{"no sampling is not nothing said", []string{providers, trace("a", "ns", "{randomSamplingPercentage: 0}")}, "zk 0%; zk 0%"},
		{"no tags, no propagation", []string{providers, trace("a", "ns", "{enableIstioTags: false, disableContextPropagation: true}")},
			"zk untagged alone; zk untagged alone"},
	} {
		m := world(t, append(c.given, svc("a", "x", "ports: [{port: 1}]"))...)
		of := m.TelemetryOf(sidecar("a", nil))
		client, server := of.Tracing(telemetryv1.WorkloadMode_CLIENT), of.Tracing(telemetryv1.WorkloadMode_SERVER)
		if diff := cmp.Diff(c.want, tracingText(client)+"; "+tracingText(server)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func tracingText(t *model.Tracing) string {
	if t == nil {
		return "not given"
	}
	text := t.ProviderName
	if t.Disabled {
		text += " disabled"
	}
	if t.Sampling != nil {
		text += fmt.Sprintf(" %v%%", *t.Sampling)
	}
	if !t.UseRequestID {
		text += " own-sampling"
	}
	if !t.EnableIstioTags {
		text += " untagged"
	}
	if t.NoContextPropagation {
		text += " alone"
	}
	return text
}

func TestMetrics(t *testing.T) {
	metrics := func(ns, name, entries string) string { return telemetry(ns, name, "metrics: ["+entries+"]") }
	for _, c := range []struct {
		name  string
		given []string
		want  string
	}{
		{"nothing said", nil, "; "},
		{"default provider", []string{settings("defaultProviders: {metrics: [prometheus]}")}, "prometheus; prometheus"},
		{"interval", []string{metrics("a", "ns", "{providers: [{name: p}], reportingInterval: 10s}")}, "p every 10s; p every 10s"},
		{"tags of one direction", []string{metrics("a", "ns", "{providers: [{name: p}], overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, "+
			"tagOverrides: {host: {value: request.host}, flags: {operation: REMOVE}}}]}")}, "p REQUEST_COUNT -flags +host=request.host; p"},
		{"a metric off", []string{metrics("a", "ns", "{providers: [{name: p}], overrides: [{match: {customMetric: own}, disabled: true}]}")},
			"p own off; p own off"},
		{"all off", []string{metrics("a", "ns", "{providers: [{name: p}], overrides: [{match: {metric: ALL_METRICS, mode: SERVER}, disabled: true}]}")},
			"p; p off"},
		{"all off, one on below", []string{metrics("istio-system", "mesh", "{providers: [{name: p}], overrides: [{disabled: true}]}"),
			metrics("a", "ns", "{overrides: [{match: {metric: REQUEST_SIZE}, tagOverrides: {x: {value: '1'}}}]}")},
			"p REQUEST_SIZE +x=1; p REQUEST_SIZE +x=1"},
		{"providers below replace those above", []string{metrics("istio-system", "mesh", "{providers: [{name: p}]}"), metrics("a", "ns", "{providers: [{name: q}]}")},
			"q; q"},
	} {
		m := world(t, append(c.given, svc("a", "x", "ports: [{port: 1}]"))...)
		of := m.TelemetryOf(sidecar("a", nil))
		got := metricsText(of.Metrics(telemetryv1.WorkloadMode_CLIENT)) + "; " + metricsText(of.Metrics(telemetryv1.WorkloadMode_SERVER))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func metricsText(all []model.Metrics) string {
	var parts []string
	for _, m := range all {
		text := m.Provider
		if m.Disabled {
			text += " off"
		}
		if m.ReportingInterval != nil {
			text += " every " + m.ReportingInterval.AsDuration().String()
		}
		for _, o := range m.Overrides {
			text += " " + o.Metric
			if o.Disabled {
				text += " off"
			}
			var tags []string
			for name, value := range o.Tags {
				if value == nil {
					tags = append(tags, " -"+name)
				} else {
					tags = append(tags, " +"+name+"="+*value)
				}
			}
			slices.SortFunc(tags, func(x, y string) int { return strings.Compare(x[2:], y[2:]) })
			text += strings.Join(tags, "")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// TestSettingsSource: a field of MeshConfig is found where it stands, inside a ConfigMap's string too.
func TestSettingsSource(t *testing.T) {
	m := world(t, settings("accessLogFile: /dev/stdout\ndefaultConfig: {tracing: {sampling: 1}}\nextensionProviders:\n- {name: a, prometheus: {}}\n- {name: b, prometheus: {}}"))
	for field, want := range map[string]string{
		"accessLogFile":         "ConfigMap istio-system/istio accessLogFile line 6",
		"defaultConfig.tracing": "ConfigMap istio-system/istio defaultConfig.tracing line 7",
		"extensionProviders.b":  "ConfigMap istio-system/istio extensionProviders[1] line 10",
	} {
		source := m.Settings.Source(field)
		if source.Resource == nil {
			t.Errorf("%s: no source", field)
			continue
		}
		if got := fmt.Sprintf("%s %s line %d", source.Resource.ID(), source.Path, source.Location().Line); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
	if source := m.Settings.Source("accessLogFormat"); source.Resource != nil {
		t.Errorf("accessLogFormat is said to stand at %s", source.Path)
	}
}
