package compile

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"istio.io/api/annotation"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networkingv1beta1 "istio.io/api/networking/v1beta1"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// proxyConfigEffects says of fields of ProxyConfig what the bootstraps lack for them. Keys are full names in Istio's API
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig).
func proxyConfigEffects() map[protoreflect.FullName]string {
	flag := func(name string) string {
		return "it is a flag of Envoy's command line (" + name + "), not of its bootstrap"
	}
	const config = "istio.mesh.v1alpha1.ProxyConfig."
	return map[protoreflect.FullName]string{
		config + "concurrency":                   flag("--concurrency") + "; the node's metadata tell it (PROXY_CONFIG)",
		config + "drain_duration":                flag("--drain-time-s"),
		config + "file_flush_interval":           flag("--file-flush-interval-msec"),
		config + "file_flush_min_size_kb":        flag("--file-flush-min-size-kb"),
		config + "image":                         "who starts Envoy chooses its image; the node's metadata tell it (PROXY_CONFIG)",
		config + "custom_config_file":            "the bootstrap is meshc's own",
		config + "proxy_bootstrap_template_path": "the bootstrap is meshc's own",
		config + "zipkin_address":                "istiod takes no notice of it: write tracing.zipkin.address",
		config + "envoy_metrics_service_address": "write envoyMetricsService.address",
		config + "mesh_id":                       "the mesh has the ID of its installation (values.global.meshID)",
		config + "availability_zone":             "istiod takes no notice of it: localities come from nodes and labels",
		config + "stats_compression":             "statistics are served uncompressed",
	}
}

// annotationEffects says the same of annotations of pods.
func annotationEffects() map[string]string {
	const level = "it is a flag of Envoy's command line, not of its bootstrap"
	return map[string]string{
		annotation.SidecarBootstrapOverride.Name:  "the bootstrap is meshc's own",
		annotation.SidecarStatsCompression.Name:   "statistics are served uncompressed",
		annotation.SidecarStatsHistogramBins.Name: "histograms keep Envoy's own bins",
		annotation.SidecarLogLevel.Name:           level + " (--log-level)",
		annotation.SidecarComponentLogLevel.Name:  level + " (--component-log-level)",
		annotation.SidecarProxyImageType.Name:     "who starts Envoy chooses its image",
		annotation.SidecarProxyImage.Name:         "who starts Envoy chooses its image",
		annotation.SidecarDiscoveryAddress.Name:   "the bootstrap asks no control plane",
	}
}

// configPlace is a place that says something of proxies' ProxyConfig.
type configPlace struct {
	given *meshconfig.ProxyConfig
	// what names a field for a message.
	what   func(path string) string
	source func(field string) resource.Source
	// effects are those to report of fields here.
	effects map[protoreflect.FullName]string
}

// proxyConfigGaps reports what of the mesh's ProxyConfig has no effect on the bootstraps, wherever it stands.
func proxyConfigGaps(mesh *model.Mesh, target Target) []diag.Finding {
	findings := defaultPlace(mesh).gaps()
	for _, r := range model.All[*networkingv1beta1.ProxyConfig](mesh) {
		layer := model.ProxyConfigLayerOf(&r)
		findings = append(findings, layerPlace(&layer).gaps()...)
	}
	seen := map[resource.Source]bool{}
	for _, p := range mesh.Proxies() {
		// Proxies of one workload have its annotations in common.
		if len(p.Annotations) == 0 || seen[p.Source] {
			continue
		}
		seen[p.Source] = true
		b := &builder{mesh: mesh, proxy: p, target: target, sources: provenance.New()}
		_, statistics := b.statistics()
		findings = slices.Concat(findings, b.annotationGaps(), statistics)
	}
	return once(findings)
}

// proxyConfigGaps are those of one proxy.
func (b *builder) proxyConfigGaps() []diag.Finding {
	findings := defaultPlace(b.mesh).gaps()
	for _, layer := range b.mesh.ProxyConfigLayers(b.proxy) {
		if !layer.Annotation {
			findings = append(findings, layerPlace(&layer).gaps()...)
		}
	}
	return append(findings, b.annotationGaps()...)
}

// annotationGaps are those of the pod's annotations, a ProxyConfig among them.
func (b *builder) annotationGaps() []diag.Finding {
	var findings []diag.Finding
	for _, layer := range b.mesh.ProxyConfigLayers(b.proxy) {
		if layer.Annotation {
			findings = append(findings, layerPlace(&layer).gaps()...)
		}
	}
	effects := annotationEffects()
	for _, name := range slices.Sorted(maps.Keys(effects)) {
		if b.proxy.Annotations[name] != "" {
			findings = append(findings, gap(b.proxy.AnnotationSource(name), fmt.Sprintf("annotation %s of %s is not compiled: %s", name, b.proxy.ID(), effects[name])))
		}
	}
	return findings
}

// once drops findings that say the same of the same place.
func once(findings []diag.Finding) []diag.Finding {
	type key struct {
		at      diag.Location
		message string
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(findings, func(f diag.Finding) bool {
		k := key{f.Location, f.Message}
		defer func() { seen[k] = true }()
		return seen[k]
	})
}

// defaultPlace is MeshConfig.defaultConfig without what is Istio's own default. Its fields that fieldGaps knows are left to that.
func defaultPlace(mesh *model.Mesh) configPlace {
	given := proto.CloneOf(mesh.Settings.Mesh.GetDefaultConfig())
	defaults := model.DefaultMeshConfig().GetDefaultConfig().ProtoReflect()
	if given != nil {
		given.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if v.Equal(defaults.Get(fd)) {
				given.ProtoReflect().Clear(fd)
			}
			return true
		})
	}
	return configPlace{
		given: given, effects: proxyConfigEffects(),
		what:   func(path string) string { return "defaultConfig." + path + " of MeshConfig" },
		source: func(field string) resource.Source { return mesh.Settings.Source("defaultConfig." + field) },
	}
}

// layerPlace is a ProxyConfig resource or an annotation.
func layerPlace(layer *model.ProxyConfigLayer) configPlace {
	effects := proxyConfigEffects()
	maps.Copy(effects, fieldsWithoutEffect())
	place := configPlace{given: layer.Given, effects: effects, source: layer.Source}
	in := "the proxies file"
	if layer.In != nil {
		in = layer.In.ID()
	}
	place.what = func(path string) string { return layer.Source(path).Path + " of " + in }
	if layer.Annotation {
		place.what = func(path string) string {
			return path + " in the annotation " + annotation.ProxyConfig.Name + " of " + in
		}
	}
	return place
}

// gaps are the fields whose effects are left out.
func (p configPlace) gaps() []diag.Finding {
	if p.given == nil {
		return nil
	}
	var findings []diag.Finding
	add := func(path, effect string) {
		field, _, _ := strings.Cut(path, ".")
		findings = append(findings, gap(p.source(field), p.what(path)+" is not compiled: "+effect))
	}
	eachGap(p.given.ProtoReflect(), "", p.effects, func(path, effect string) {
		if path != "statsCompression" || p.given.GetStatsCompression().GetValue() {
			add(path, effect)
		}
	})
	for name := range p.given.GetProxyMetadata() {
		if !strings.HasPrefix(name, "ISTIO_META_") {
			add("proxyMetadata", "who starts Envoy sets its environment; the node's metadata tell it (PROXY_CONFIG)")
			break
		}
	}
	switch p.given.GetTracing().GetTracer().(type) {
	case *meshconfig.Tracing_Lightstep_, *meshconfig.Tracing_OpenCensusAgent_, *meshconfig.Tracing_Stackdriver_:
		add("tracing", "Envoy no longer has the tracer; name a provider of kind opentelemetry in a Telemetry")
	}
	for _, s := range []struct{ field, address string }{
		{"tracing", cmp.Or(p.given.GetTracing().GetZipkin().GetAddress(), p.given.GetTracing().GetDatadog().GetAddress())},
		{"envoyAccessLogService", p.given.GetEnvoyAccessLogService().GetAddress()},
		{"envoyMetricsService", p.given.GetEnvoyMetricsService().GetAddress()},
		{"statsdUdpAddress", p.given.GetStatsdUdpAddress()},
	} {
		if _, port, err := net.SplitHostPort(s.address); s.address != "" && (err != nil || port == "") {
			add(s.field, fmt.Sprintf("%q is no HOST:PORT", s.address))
		}
	}
	return findings
}
