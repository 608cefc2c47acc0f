package translate

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshc/meshc/pkg/model/resource"
)

// ConfigPath names a resource as Envoy metadata does, with the version that istiod keeps it in whatever the document says:
// /apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews.
func ConfigPath(r *resource.Resource) string {
	return "/apis/" + r.Group() + "/v1/namespaces/" + r.Namespace + "/" + kebab(r.Kind) + "/" + r.Name
}

// ConfigMetadata is filter_metadata.istio.config: which resource a route or cluster follows.
func ConfigMetadata(r *resource.Resource) *corev3.Metadata {
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		"istio": {Fields: map[string]*structpb.Value{"config": structpb.NewStringValue(ConfigPath(r))}},
	}}
}

// kebab writes VirtualService as virtual-service.
func kebab(kind string) string {
	var out strings.Builder
	for i := range len(kind) {
		c := kind[i]
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				out.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		out.WriteByte(c)
	}
	return out.String()
}
