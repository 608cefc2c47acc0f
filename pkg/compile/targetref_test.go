package compile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// targets is a Gateway of the Gateway API, another, a waypoint and a service, and policies that refer to them. What a policy leaves in a
// bootstrap bears its name.
const targets = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: back, namespace: shop}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: bank}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: app, image: web}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: logs
      envoyFileAccessLog: {path: /dev/stdout}
`

// policyKinds are the kinds with references. META, REFS and MARK are put in.
var policyKinds = map[string]string{
	"AuthorizationPolicy":   `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: META, spec: {REFS, action: DENY, rules: [{to: [{operation: {paths: [/MARK]}}]}]}}`,
	"RequestAuthentication": `{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: META, spec: {REFS, jwtRules: [{issuer: MARK, jwks: '{"keys":[]}'}]}}`,
	"Telemetry":             `{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: META, spec: {REFS, accessLogging: [{providers: [{name: logs}], filter: {expression: "request.path == 'MARK'"}}]}}`,
	"WasmPlugin":            `{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: META, spec: {REFS, url: file:///MARK.wasm}}`,
}

// TestTargetRefs: a policy with references is for the proxies of the Gateways of its own namespace that it names, and for no other, whatever kind
// it is of. References to what waypoints enforce are said to have no effect.
func TestTargetRefs(t *testing.T) {
	const gateway = "{group: gateway.networking.k8s.io, kind: Gateway, name: "
	for name, test := range map[string]struct {
		namespace, refs string
		// applies are the proxies that get it, and leftOut the paths that are reported.
		applies, leftOut []string
	}{
		"a Gateway":                        {"shop", "targetRefs: [" + gateway + "front}]", []string{"front-istio.shop"}, nil},
		"the older field":                  {"shop", "targetRef: " + gateway + "front}", []string{"front-istio.shop"}, nil},
		"two Gateways":                     {"shop", "targetRefs: [" + gateway + "front}, " + gateway + "back}]", []string{"back-istio.shop", "front-istio.shop"}, nil},
		"a Gateway that is nowhere":        {"shop", "targetRefs: [" + gateway + "side}]", nil, nil},
		"a Gateway of the root namespace":  {"istio-system", "targetRefs: [" + gateway + "front}]", nil, nil},
		"an Istio Gateway of that name":    {"shop", "targetRefs: [{group: networking.istio.io, kind: Gateway, name: front}]", nil, nil},
		"a waypoint":                       {"shop", "targetRefs: [" + gateway + "waypoint}]", nil, []string{"spec.targetRefs"}},
		"a Service":                        {"shop", `targetRefs: [{group: "", kind: Service, name: web}]`, nil, []string{"spec.targetRefs"}},
		"a Service by the older field":     {"shop", "targetRef: {kind: Service, name: web}", nil, []string{"spec.targetRef"}},
		"a ServiceEntry":                   {"shop", "targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: web}]", nil, []string{"spec.targetRefs"}},
		"the class of waypoints":           {"istio-system", "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]", nil, []string{"spec.targetRefs"}},
		"a Gateway, and a Service as well": {"shop", "targetRefs: [" + gateway + `back}, {group: "", kind: Service, name: web}]`, []string{"back-istio.shop"}, []string{"spec.targetRefs[1]"}},
	} {
		for kind, text := range policyKinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				text := strings.NewReplacer("META", "{name: mark-of-it, namespace: "+test.namespace+"}", "REFS", test.refs, "MARK", "mark-of-it").Replace(text)
				mesh := loadText(t, targets+"---\n"+text+"\n")
				var got []string
				for _, p := range mesh.Proxies() {
					if len(p.Labels) > 0 && mentions(t, mesh, p, "mark-of-it") {
						got = append(got, p.ID())
					}
				}
				slices.Sort(got)
				if diff := cmp.Diff(test.applies, got); diff != "" {
					t.Errorf("proxies (-want +got):\n%s", diff)
				}
				var leftOut []string
				for _, f := range compile.NotCompiled(mesh, compile.IstioProxy) {
					if f.Resource.Kind == kind && strings.Contains(f.Message, "waypoints") {
						leftOut = append(leftOut, f.Path)
					}
				}
				if diff := cmp.Diff(test.leftOut, leftOut); diff != "" {
					t.Errorf("reported (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// mentions tells whether a proxy's bootstrap has the word in it.
func mentions(t *testing.T, mesh *model.Mesh, p *model.Proxy, word string) bool {
	t.Helper()
	text, err := emit.Bootstrap(compile.Compile(mesh, p, compile.Options{Target: compile.IstioProxy}))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), word)
}
