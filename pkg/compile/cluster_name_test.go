package compile

import (
	"testing"

	"github.com/meshc/meshc/pkg/model"
)

func TestStatName(t *testing.T) {
	kubernetes := &model.Service{Hostname: "cart.shop.svc.cluster.local", Name: "cart", Namespace: "shop", Kubernetes: true}
	entry := &model.Service{Hostname: "pay.example.com", Name: "pay.example.com", Namespace: "shop"}
	port := &model.Port{Name: "http", Number: 80}
	for _, tt := range []struct {
		pattern string
		svc     *model.Service
		want    string
	}{
		{"", kubernetes, "outbound|80|v1|x;"},
		{"%SERVICE%:%SERVICE_PORT%_%SUBSET_NAME%", kubernetes, "cart.shop:80_v1;"},
		{"%SERVICE_FQDN%.%SERVICE_PORT_NAME%.%TARGET_PORT%", kubernetes, "cart.shop.svc.cluster.local.http.8080;"},
		{"%SERVICE_NAME%|%SERVICE%", entry, "pay.example.com|pay.example.com;"},
	} {
		if got := statName("outbound|80|v1|x", tt.pattern, tt.svc, port, "v1", 8080); got != tt.want {
			t.Errorf("statName(%q) = %q, want %q", tt.pattern, got, tt.want)
		}
	}
}
