package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"
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

// applyMeshYAML lays a MeshConfig document over base as istiod does: a field that the document names replaces the one in base as a whole,
// but defaultConfig is merged field by field, defaultProviders too, extensionProviders by name, and trustDomainAliases are collected.
func applyMeshYAML(base *meshconfig.MeshConfig, text []byte) error {
	raw, err := objectFromYAML(text)
	if err != nil {
		return err
	}
	return applyMesh(base, raw)
}

// objectFromYAML reads a YAML mapping whose values stay JSON.
func objectFromYAML(text []byte) (map[string]json.RawMessage, error) {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	return objectFromJSON(asJSON)
}

func objectFromJSON(text []byte) (map[string]json.RawMessage, error) {
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("a mapping of settings is needed here: %w", err)
	}
	return raw, nil
}

func applyMesh(base *meshconfig.MeshConfig, raw map[string]json.RawMessage) error {
	aliases, providers := base.TrustDomainAliases, base.ExtensionProviders
	whole := maps.Clone(raw)
	delete(whole, "defaultConfig")
	delete(whole, "defaultProviders")
	if err := overlay(base, &meshconfig.MeshConfig{}, whole); err != nil {
		return err
	}
	if pc, ok := raw["defaultConfig"]; ok && string(pc) != "null" {
		sub, err := objectFromJSON(pc)
		if err != nil {
			return fmt.Errorf("defaultConfig: %w", err)
		}
		if err := applyProxyConfig(base.DefaultConfig, sub); err != nil {
			return fmt.Errorf("defaultConfig: %w", err)
		}
	}
	if dp, ok := raw["defaultProviders"]; ok && string(dp) != "null" {
		sub, err := objectFromJSON(dp)
		if err != nil {
			return fmt.Errorf("defaultProviders: %w", err)
		}
		if err := overlay(base.DefaultProviders, &meshconfig.MeshConfig_DefaultProviders{}, sub); err != nil {
			return fmt.Errorf("defaultProviders: %w", err)
		}
	}
	if _, ok := raw["extensionProviders"]; ok {
		base.ExtensionProviders = mergeProviders(providers, base.ExtensionProviders)
	}
	if _, ok := raw["trustDomainAliases"]; ok {
		all := slices.Concat(aliases, base.TrustDomainAliases)
		slices.Sort(all)
		base.TrustDomainAliases = slices.Compact(all)
	}
	return nil
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

// applyProxyConfig lays a ProxyConfig document over base: named fields replace, proxyMetadata is merged by key.
func applyProxyConfig(base *meshconfig.ProxyConfig, raw map[string]json.RawMessage) error {
	metadata := base.ProxyMetadata
	if err := overlay(base, &meshconfig.ProxyConfig{}, raw); err != nil {
		return err
	}
	merged := maps.Clone(metadata)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, base.ProxyMetadata)
	base.ProxyMetadata = merged
	return nil
}

// overlay decodes raw into the empty message and moves every field that raw names into base. Istio's own decoder is used, which takes
// durations such as "5m" and passes over fields that it does not know.
func overlay(base, empty proto.Message, raw map[string]json.RawMessage) error {
	text, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, empty); err != nil {
		return err
	}
	from, to := empty.ProtoReflect(), base.ProtoReflect()
	fields := from.Descriptor().Fields()
	for name, value := range raw {
		fd := fields.ByJSONName(name)
		if fd == nil {
			fd = fields.ByName(protoreflect.Name(name))
		}
		if fd == nil || string(value) == "null" {
			continue
		}
		if from.Has(fd) {
			to.Set(fd, from.Get(fd))
		} else {
			to.Clear(fd)
		}
	}
	return nil
}
