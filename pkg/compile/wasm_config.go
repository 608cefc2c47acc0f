package compile

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	networkwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/wasm/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	extensions "istio.io/api/extensions/v1alpha1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
)

const (
	wasmRuntime = "envoy.wasm.runtime.v8"
	// wasmFetchTimeout bounds how long istio-agent may take to fetch a module.
	wasmFetchTimeout = 30 * time.Second
	// wasmSecret and wasmPolicy are how istio-agent is told which secret to fetch with, and when to fetch anew.
	wasmSecret = "ISTIO_META_WASM_IMAGE_PULL_SECRET"
	wasmPolicy = "ISTIO_META_WASM_IMAGE_PULL_POLICY"
)

// fetched tells whether istio-agent fetches the module of a Wasm extension: all but those in files of the proxy.
func (e trafficExtension) fetched() bool {
	return e.spec.GetWasm() != nil && !strings.HasPrefix(e.spec.GetWasm().GetUrl(), "file://")
}

// wasmConfigs are the configurations of the proxy's Wasm filters, for those that ask for theirs by name. For stock Envoy, which has no
// agent beside it, these are the modules in files alone.
func (b *builder) wasmConfigs() []*corev3.TypedExtensionConfig {
	var out []*corev3.TypedExtensionConfig
	for _, e := range b.extensions {
		if e.spec.GetWasm() == nil || e.fetched() && b.target != IstioProxy {
			continue
		}
		var filter proto.Message = &httpwasmv3.Wasm{Config: b.wasmPlugin(e)}
		if e.inNetwork() {
			filter = &networkwasmv3.Wasm{Config: b.wasmPlugin(e)}
		}
		config := &corev3.TypedExtensionConfig{Name: extensionPrefix + e.name, TypedConfig: b.sources.Pack(filter)}
		b.sources.Add(config, e.from.At("spec"))
		out = append(out, config)
	}
	return out
}

func (b *builder) wasmPlugin(e trafficExtension) *wasmv3.PluginConfig {
	w := e.spec.GetWasm()
	config := &wasmv3.PluginConfig{
		Name: e.name, RootId: w.GetPluginName(),
		Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{
			Runtime: wasmRuntime, Code: wasmCode(w), EnvironmentVariables: b.wasmEnvironment(e),
		}},
	}
	switch w.GetFailStrategy() {
	case extensions.FailStrategy_FAIL_OPEN:
		config.FailurePolicy = wasmv3.FailurePolicy_FAIL_OPEN
	case extensions.FailStrategy_FAIL_RELOAD:
		config.FailurePolicy = wasmv3.FailurePolicy_FAIL_RELOAD
	default:
		config.FailurePolicy = wasmv3.FailurePolicy_FAIL_CLOSED
	}
	if len(w.GetPluginConfig().GetFields()) > 0 {
		if text, err := json.Marshal(w.GetPluginConfig().AsMap()); err == nil {
			config.Configuration = b.sources.Pack(wrapperspb.String(string(text)))
		}
	}
	return config
}

// wasmCode says where the module is: in a file, or where the agent fetches it. A URL without a scheme is one of a registry.
func wasmCode(w *extensions.WasmConfig) *corev3.AsyncDataSource {
	if file, ok := strings.CutPrefix(w.GetUrl(), "file://"); ok {
		return &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: &corev3.DataSource{
			Specifier: &corev3.DataSource_Filename{Filename: file},
		}}}
	}
	uri := w.GetUrl()
	if u, err := url.Parse(uri); err == nil && u.Scheme == "" {
		uri = "oci://" + strings.TrimPrefix(uri, "//")
	}
	return &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Remote{Remote: &corev3.RemoteDataSource{
		HttpUri: &corev3.HttpUri{
			// The agent fetches it and knows no clusters; Envoy's API wants the name of one.
			Uri: uri, Timeout: durationpb.New(wasmFetchTimeout), HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: "_"},
		},
		Sha256: w.GetSha256(),
	}}}
}

// wasmEnvironment is what the module sees of its environment. The pull secret is named and never shown.
func (b *builder) wasmEnvironment(e trafficExtension) *wasmv3.EnvironmentVariables {
	w := e.spec.GetWasm()
	env := &wasmv3.EnvironmentVariables{KeyValues: map[string]string{}}
	if b.target == IstioProxy {
		if secret := w.GetImagePullSecret(); secret != "" {
			env.KeyValues[wasmSecret] = "kubernetes://" + e.from.Namespace + "/" + secret[strings.LastIndexByte(secret, '/')+1:]
		}
		if policy := w.GetImagePullPolicy(); policy != extensions.PullPolicy_UNSPECIFIED_POLICY {
			env.KeyValues[wasmPolicy] = policy.String()
		}
	}
	for _, v := range w.GetVmConfig().GetEnv() {
		if v.GetValueFrom() == extensions.EnvValueSource_HOST {
			env.HostEnvKeys = append(env.HostEnvKeys, v.GetName())
		} else {
			env.KeyValues[v.GetName()] = v.GetValue()
		}
	}
	if len(env.KeyValues) == 0 && len(env.HostEnvKeys) == 0 {
		return nil
	}
	return env
}

// withoutAgent reports the Wasm extensions that stock Envoy cannot run, of all that chosen chooses; nil chooses all.
func withoutAgent(mesh *model.Mesh, chosen func(trafficExtension) bool) []diag.Finding {
	var findings []diag.Finding
	for _, e := range trafficExtensions(mesh) {
		if !e.fetched() || chosen != nil && !chosen(e) {
			continue
		}
		path := "spec.url"
		if e.from.Kind == "TrafficExtension" {
			path = "spec.wasm.url"
		}
		findings = append(findings, leftOut(e.from, path,
			"istio-agent fetches the module, which stock Envoy has not beside it; a module in a file of the proxy (file://) would run"))
	}
	return findings
}
