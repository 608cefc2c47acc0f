package translate

import (
	"testing"

	"github.com/meshc/meshc/pkg/model/resource"
)

func TestConfigPath(t *testing.T) {
	for _, tc := range []struct {
		apiVersion, kind string
		want             string
	}{
		{"networking.istio.io/v1alpha3", "VirtualService", "/apis/networking.istio.io/v1/namespaces/ns/virtual-service/n"},
		{"networking.istio.io/v1", "DestinationRule", "/apis/networking.istio.io/v1/namespaces/ns/destination-rule/n"},
		{"networking.istio.io/v1beta1", "Sidecar", "/apis/networking.istio.io/v1/namespaces/ns/sidecar/n"},
	} {
		r := &resource.Resource{APIVersion: tc.apiVersion, Kind: tc.kind, Namespace: "ns", Name: "n"}
		if got := ConfigPath(r); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
