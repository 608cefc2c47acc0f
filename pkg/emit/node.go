package emit

import (
	"cmp"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

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
		Metadata: nodeMetadata(p, settings),
	}
	if p.Locality != "" {
		parts := append(strings.SplitN(p.Locality, "/", 3), "", "")
		n.Locality = &corev3.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
	}
	return n
}

// nodeMetadata holds what istiod's proxies tell of themselves and is known from YAML.
func nodeMetadata(p *model.Proxy, settings *model.Settings) *structpb.Struct {
	fields := map[string]*structpb.Value{}
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
	return &structpb.Struct{Fields: fields}
}
