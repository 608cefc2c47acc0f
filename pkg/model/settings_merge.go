package model

import (
	"iter"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
)

// DefaultMeshConfig returns the MeshConfig that istiod starts from, whatever the installation then says
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig). The caller owns it.
func DefaultMeshConfig() *meshconfig.MeshConfig {
	return &meshconfig.MeshConfig{
		ProxyListenPort:          15001,
		ProxyInboundListenPort:   15006,
		ConnectTimeout:           durationpb.New(10 * time.Second),
		ProtocolDetectionTimeout: durationpb.New(0),
		DnsRefreshRate:           durationpb.New(time.Minute),
		IngressClass:             "istio",
		IngressService:           "istio-ingressgateway",
		IngressControllerMode:    meshconfig.MeshConfig_STRICT,
		TrustDomain:              defaultDomain,
		RootNamespace:            systemNamespace,
		EnableAutoMtls:           wrapperspb.Bool(true),
		EnableTracing:            true,
		EnablePrometheusMerge:    wrapperspb.Bool(true),
		OutboundTrafficPolicy: &meshconfig.MeshConfig_OutboundTrafficPolicy{
			Mode: meshconfig.MeshConfig_OutboundTrafficPolicy_ALLOW_ANY,
		},
		InboundTrafficPolicy: &meshconfig.MeshConfig_InboundTrafficPolicy{
			Mode: meshconfig.MeshConfig_InboundTrafficPolicy_PASSTHROUGH,
		},
		LocalityLbSetting:              &networking.LocalityLoadBalancerSetting{Enabled: wrapperspb.Bool(true)},
		DefaultServiceExportTo:         []string{exportPublic},
		DefaultVirtualServiceExportTo:  []string{exportPublic},
		DefaultDestinationRuleExportTo: []string{exportPublic},
		DefaultConfig:                  defaultProxyConfig(),
		DefaultProviders:               &meshconfig.MeshConfig_DefaultProviders{},
		ExtensionProviders: []*meshconfig.MeshConfig_ExtensionProvider{
			{Name: "prometheus", Provider: &meshconfig.MeshConfig_ExtensionProvider_Prometheus{
				Prometheus: &meshconfig.MeshConfig_ExtensionProvider_PrometheusMetricsProvider{},
			}},
			{Name: "stackdriver", Provider: &meshconfig.MeshConfig_ExtensionProvider_Stackdriver{
				Stackdriver: &meshconfig.MeshConfig_ExtensionProvider_StackdriverProvider{},
			}},
			{Name: "envoy", Provider: &meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLog{
				EnvoyFileAccessLog: &meshconfig.MeshConfig_ExtensionProvider_EnvoyFileAccessLogProvider{Path: "/dev/stdout"},
			}},
		},
	}
}

func defaultProxyConfig() *meshconfig.ProxyConfig {
	return &meshconfig.ProxyConfig{
		ConfigPath:               "./etc/istio/proxy",
		BinaryPath:               "/usr/local/bin/envoy",
		ClusterName:              &meshconfig.ProxyConfig_ServiceCluster{ServiceCluster: "istio-proxy"},
		DiscoveryAddress:         "istiod.istio-system.svc:15012",
		ControlPlaneAuthPolicy:   meshconfig.AuthenticationPolicy_MUTUAL_TLS,
		DrainDuration:            durationpb.New(45 * time.Second),
		TerminationDrainDuration: durationpb.New(5 * time.Second),
		ProxyAdminPort:           15000,
		StatusPort:               15020,
		StatNameLength:           189,
		ProxyMetadata:            map[string]string{},
	}
}

// applyMesh lays a MeshConfig over base as istiod does: a field that its YAML names replaces the one in base as a whole, but defaultConfig is
// merged field by field, defaultProviders too, extensionProviders by name, and trustDomainAliases are collected.
func applyMesh(base, given *meshconfig.MeshConfig, node *yaml.Node) {
	config, defaults := base.DefaultConfig, base.DefaultProviders
	aliases, providers := base.TrustDomainAliases, base.ExtensionProviders
	overlay(base, given, node)
	base.DefaultConfig, base.DefaultProviders = config, defaults
	if given.DefaultConfig != nil {
		applyProxyConfig(config, given.DefaultConfig, child(node, "defaultConfig"))
	}
	if given.DefaultProviders != nil {
		overlay(defaults, given.DefaultProviders, child(node, "defaultProviders"))
	}
	if given.ExtensionProviders != nil {
		base.ExtensionProviders = mergeProviders(providers, given.ExtensionProviders)
	}
	if given.TrustDomainAliases != nil {
		all := slices.Concat(aliases, given.TrustDomainAliases)
		slices.Sort(all)
		base.TrustDomainAliases = slices.Compact(all)
	}
}

func mergeProviders(old, given []*meshconfig.MeshConfig_ExtensionProvider) []*meshconfig.MeshConfig_ExtensionProvider {
	merged := slices.Clone(old)
	for _, p := range given {
		i := slices.IndexFunc(merged, func(o *meshconfig.MeshConfig_ExtensionProvider) bool { return o.GetName() == p.GetName() })
		if i < 0 {
			merged = append(merged, p)
		} else {
			merged[i] = p
		}
	}
	return merged
}

// applyProxyConfig lays a ProxyConfig over base: fields that its YAML names replace, proxyMetadata is merged by key.
func applyProxyConfig(base, given *meshconfig.ProxyConfig, node *yaml.Node) {
	metadata := base.ProxyMetadata
	overlay(base, given, node)
	base.ProxyMetadata = mergedMap(metadata, given.ProxyMetadata)
}

// overlay moves every field into base that given has, or that its YAML sets to its zero value.
func overlay(base, given proto.Message, node *yaml.Node) {
	from, to := given.ProtoReflect(), base.ProtoReflect()
	fields := from.Descriptor().Fields()
	for key, value := range entries(node) {
		fd := fields.ByJSONName(key)
		if fd == nil {
			fd = fields.ByName(protoreflect.Name(key))
		}
		if fd != nil && value.Tag != "!!null" && !from.Has(fd) {
			to.Clear(fd)
		}
	}
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(fd, v)
		return true
	})
}

// entries walks the keys and values of a mapping.
func entries(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, resolved(n.Content[i+1])) {
				return
			}
		}
	}
}

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func child(n *yaml.Node, key string) *yaml.Node {
	for k, v := range entries(n) {
		if k == key {
			return v
		}
	}
	return nil
}
