package compile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// ingress is a gateway proxy that no file describes, as one installed by Helm.
func ingress() *model.Proxy {
	return &model.Proxy{
		Name: "ingress", Namespace: "istio-system", Type: model.Router, IP: "10.244.0.1",
		Labels: map[string]string{"istio": "ingress"}, ServiceAccount: "ingress",
	}
}

// backend is what VirtualServices of the tests route to.
const backend = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  selector: {app: web}
  ports: [{name: http, port: 8080}, {name: tcp, port: 9000}]
---
`

// gatewayTest is a world and the summary of what its gateway gets.
type gatewayTest struct {
	name  string
	world string
	want  string
	// leftOut are the messages about servers without effect.
	leftOut []string
}

func testGateways(t *testing.T, tests []gatewayTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mesh := loadText(t, test.world)
			cfg := compile.Compile(mesh, ingress(), compile.Options{})
			got := summarize(t, cfg)
			if diff := cmp.Diff(strings.TrimSpace(test.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var leftOut []string
			for _, f := range cfg.Findings {
				leftOut = append(leftOut, f.Message)
			}
			if diff := cmp.Diff(test.leftOut, leftOut); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
