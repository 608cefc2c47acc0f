package emit

import (
	"cmp"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// node introduces the proxy the way istiod's proxies introduce themselves, so that istioctl and access logs show familiar names.
func node(cfg *compile.Configuration) *corev3.Node {
	p, settings := cfg.Proxy, cfg.Settings
	if settings == nil {
		settings = &model.Settings{}
	}
	n := &corev3.Node{
		Id:       fmt.Sprintf("%s~%s~%s~%s.svc.%s", p.Type, p.IP, p.ID(), p.Namespace, cmp.Or(settings.DomainSuffix, "cluster.local")),
		Cluster:  model.ServiceCluster(p, cfg.ProxyConfig),
		Metadata: nodeMetadata(p, settings, cfg.ProxyConfig),
	}
	if p.Locality != "" {
		parts := append(strings.SplitN(p.Locality, "/", 3), "", "")
		n.Locality = &corev3.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
	}
	return n
}

// nodeMetadata holds what istiod's proxies tell of themselves and is known from YAML.
func nodeMetadata(p *model.Proxy, settings *model.Settings, config *meshconfig.ProxyConfig) *structpb.Struct {
	fields := map[string]*structpb.Value{}
	for name, value := range config.GetProxyMetadata() {
		if name, ok := strings.CutPrefix(name, metadataPrefix); ok && name != "" && !holdsKey(value) {
			fields[name] = structpb.NewStringValue(value)
		}
	}
	for name, value := range map[string]string{
		"NAME": p.Name, "NAMESPACE": p.Namespace, "SERVICE_ACCOUNT": p.ServiceAccount, "NETWORK": cmp.Or(p.Network, settings.Network),
		"CLUSTER_ID": cmp.Or(settings.ClusterID, "Kubernetes"), "MESH_ID": settings.MeshID,
	} {
		if value != "" {
			fields[name] = structpb.NewStringValue(value)
		}
	}
	if len(p.Labels) > 0 {
		labels := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(p.Labels))}
		for k, v := range p.Labels {
			labels.Fields[k] = structpb.NewStringValue(v)
		}
		fields["LABELS"] = structpb.NewStructValue(labels)
	}
	if given := proxyConfigMetadata(config); len(given) > 0 {
		fields["PROXY_CONFIG"] = structpb.NewStructValue(&structpb.Struct{Fields: given})
	}
	return &structpb.Struct{Fields: fields}
}

// metadataPrefix marks the variables of a proxy's environment that Istio's agent puts in the node's metadata.
const metadataPrefix = "ISTIO_META_"

// proxyConfigMetadata holds what a ProxyConfig asks of the container that runs Envoy and no other part of the bootstrap can say: threads,
// image, environment. Envoy takes no notice of it; who starts Envoy, or compares two bootstraps, can.
func proxyConfigMetadata(config *meshconfig.ProxyConfig) map[string]*structpb.Value {
	fields := map[string]*structpb.Value{}
	if n := config.GetConcurrency(); n != nil {
		fields["concurrency"] = structpb.NewNumberValue(float64(n.GetValue()))
	}
	if kind := config.GetImage().GetImageType(); kind != "" {
		fields["image"] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"imageType": structpb.NewStringValue(kind)}})
	}
	variables := map[string]*structpb.Value{}
	for name, value := range config.GetProxyMetadata() {
		if !holdsKey(value) {
			variables[name] = structpb.NewStringValue(value)
		}
	}
	if len(variables) > 0 {
		fields["proxyMetadata"] = structpb.NewStructValue(&structpb.Struct{Fields: variables})
	}
	return fields
}

// holdsKey tells a private key in a variable: none is written into a bootstrap, wherever it comes from.
func holdsKey(value string) bool { return strings.Contains(value, "PRIVATE KEY-----") }
