package gatewayapi_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/internal/golden"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

func load(t *testing.T, name, text string) *model.Mesh {
	t.Helper()
	mesh, err := model.Load(t.Context(), model.Options{FS: fstest.MapFS{name: {Data: []byte(text)}}}, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		if f.Severity == diag.Error {
			t.Errorf("%s:%d: %s", f.Location.File, f.Location.Line, f.Message)
		}
	}
	return mesh
}

// TestConvert holds what each small world amounts to against its golden: the configuration, after the statuses that report something wrong.
func TestConvert(t *testing.T) {
	worlds, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(worlds) < 7 {
		t.Fatalf("%d worlds, %v; want at least 7", len(worlds), err)
	}
	for _, file := range worlds {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			translation, err := emit.Translate(load(t, filepath.Base(file), string(text)))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := translation.Write(&got, "yaml"); err != nil {
				t.Fatal(err)
			}
			golden.CompareFile(t, strings.TrimSuffix(file, ".yaml")+".golden", got.Bytes())
		})
	}
}

const originWorld = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  gatewayClassName: istio
  listeners:
  - {name: other, port: 81, protocol: HTTP}
  - name: http
    port: 80
    protocol: HTTP
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: public, sectionName: http}]
  hostnames: [web.example.com]
  rules:
  - backendRefs:
    - {name: web, port: 80}
  - matches:
    - path: {value: /a}
    - path: {value: /b/longer}
    filters:
    - {type: URLRewrite, urlRewrite: {hostname: in.example.com}}
    timeouts: {request: 1s}
    backendRefs:
    - {name: none, port: 80, weight: 0}
    - {name: web, port: 80, weight: 1}
`

// TestOrigins: whatever field of the converted resources is asked for, the answer is the place of the input that it was made from.
func TestOrigins(t *testing.T) {
	mesh := load(t, "world.yaml", originWorld)
	api := mesh.GatewayAPI()
	var gateway, service *resource.Resource
	for _, g := range api.Gateways {
		if strings.HasSuffix(g.Name, "~http") {
			gateway = g.Resource
		}
	}
	if gateway == nil || len(api.VirtualServices) != 1 {
		t.Fatalf("%d Gateways, %d VirtualServices", len(api.Gateways), len(api.VirtualServices))
	}
	service = api.VirtualServices[0].Resource
	for _, tt := range []struct {
		of   *resource.Resource
		path string
		want string
		line int
	}{
		{gateway, "spec.servers[0]", "spec.listeners[1]", 8},
		{gateway, "spec.servers[0].port.number", "spec.listeners[1].port", 9},
		{gateway, "spec", "spec.listeners[1]", 8},
		{service, "spec.hosts[0]", "spec.hostnames", 17},
		{service, "spec.gateways[0]", "spec.parentRefs", 16},
		// The longer path comes first.
		{service, "spec.http[0].match[0].uri", "spec.rules[1].matches[1]", 23},
		{service, "spec.http[1].match[0]", "spec.rules[1].matches[0]", 22},
		{service, "spec.http[0].rewrite", "spec.rules[1].filters", 24},
		{service, "spec.http[0].timeout", "spec.rules[1].timeouts", 26},
		// The backend without a share is no destination.
		{service, "spec.http[0].route[0]", "spec.rules[1].backendRefs[1]", 29},
		{service, "spec.http[2].route[0]", "spec.rules[0].backendRefs[0]", 20},
		{service, "spec.http[2].match[0]", "spec.rules[0]", 19},
		{service, "spec.http[9]", "spec", 15},
	} {
		got := tt.of.At(tt.path).Given()
		if got.Path != tt.want || got.Location().Line != tt.line {
			t.Errorf("%s %s leads to %s, line %d; want %s, line %d", tt.of.Kind, tt.path, got.Path, got.Location().Line, tt.want, tt.line)
		}
	}
}

// TestSecretsElsewhere: an input without any Secret keeps them elsewhere, so a listener that needs one is served; with any, a missing one is missing.
func TestSecretsElsewhere(t *testing.T) {
	const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop}]}}]
`
	const secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: other, namespace: other}\n"
	for _, tt := range []struct {
		name, text string
		want       int
	}{{"none", gateway, 1}, {"another", gateway + secret, 0}} {
		if got := len(load(t, "world.yaml", tt.text).GatewayAPI().Gateways); got != tt.want {
			t.Errorf("%s: %d Gateways, want %d", tt.name, got, tt.want)
		}
	}
}
