package resource_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

func TestDecodeKubernetes(t *testing.T) {
	r := one(t, `
apiVersion: v1
kind: Service
metadata:
  name: a
  creationTimestamp: "2024-05-06T07:08:09Z"
  labels: {app: a}
  annotations: {on: "x", 8080: "y"}
spec:
  selector: {app: a}
  ports:
  - {name: http, port: 80, targetPort: web}
  - {name: grpc, port: 9090}
`)
	type summary struct {
		ID                  string
		Given               bool
		Labels, Annotations map[string]string
		Created             time.Time
	}
	want := summary{"Service default/a", false, map[string]string{"app": "a"}, map[string]string{"true": "x", "8080": "y"}, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	if diff := cmp.Diff(want, summary{r.ID(), r.NamespaceGiven, r.Labels, r.Annotations, r.Created}); diff != "" {
		t.Error(diff)
	}
	var spec core.ServiceSpec
	if err := yaml.Unmarshal([]byte(`
type: ClusterIP
sessionAffinity: None
selector: {app: a}
ports:
- {name: http, port: 80, targetPort: web, protocol: TCP}
- {name: grpc, port: 9090, targetPort: 9090, protocol: TCP}
`), &spec); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, r.Object.(*core.Service).Spec); diff != "" {
		t.Error(diff)
	}
}

// TestDecodeAgreesWithKubernetes holds the decoder against the one that kubectl uses.
func TestDecodeAgreesWithKubernetes(t *testing.T) {
	const text = `
apiVersion: v1
kind: Pod
metadata:
  name: a
  namespace: b
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: a-1, uid: "1", controller: true}]
  managedFields: [{manager: kubectl, fieldsV1: {"f:metadata": {}}}]
spec:
  serviceAccountName: a
  terminationGracePeriodSeconds: 30
  containers:
  - name: a
    image: a
    command: [a, b]
    env:
    - {name: A, value: "1"}
    - {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    ports: [{name: http, containerPort: 8080, protocol: TCP}]
    resources: {limits: {cpu: 1, memory: 1.5Gi}, requests: {cpu: 100m}}
    readinessProbe: {httpGet: {path: /, port: http, httpHeaders: [{name: a, value: b}]}, periodSeconds: 5}
    livenessProbe: {grpc: {port: 9090}}
    securityContext: {runAsUser: 1337, capabilities: {drop: [ALL]}}
  volumes:
  - {name: a, emptyDir: {sizeLimit: 1Mi}}
  - {name: b, projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 600}}]}}
  nodeSelector: {a: b}
status:
  podIP: 10.0.0.1
  startTime: "2024-05-06T07:08:09Z"
  conditions: [{type: Ready, status: "True"}]
`
	var want core.Pod
	if err := yaml.UnmarshalStrict([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, one(t, text).Object); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsOfTheGatewayAPI(t *testing.T) {
	tests := []struct {
		name, text string
		want       any
		into       any
	}{
		{
			"a route without rules",
			"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec: {parentRefs: [{name: g}]}\n",
			`{parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], rules: [{matches: [{path: {type: PathPrefix, value: /}}]}]}`,
			&gateway.HTTPRouteSpec{},
		},
		{
			"a route's references and matches",
			`
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: a}
spec:
  rules:
  - matches:
    - {headers: [{name: a, value: b}], queryParams: [{name: a, value: b}]}
    - {path: {type: Exact, value: /a}}
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, fraction: {numerator: 1}}}
    - {type: RequestRedirect, requestRedirect: {scheme: https}}
    backendRefs: [{name: a, port: 80}, {name: b, port: 80, weight: 0}]
    timeouts: {request: 10s}
`,
			`
rules:
- matches:
  - {path: {type: PathPrefix, value: /}, headers: [{type: Exact, name: a, value: b}], queryParams: [{type: Exact, name: a, value: b}]}
  - {path: {type: Exact, value: /a}}
  filters:
  - {type: RequestMirror, requestMirror: {backendRef: {group: "", kind: Service, name: a, port: 80}, fraction: {numerator: 1, denominator: 100}}}
  - {type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 302}}
  backendRefs: [{group: "", kind: Service, name: a, port: 80, weight: 1}, {group: "", kind: Service, name: b, port: 80, weight: 0}]
  timeouts: {request: 10s}
`,
			&gateway.HTTPRouteSpec{},
		},
		{
			"a listener",
			"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {gatewayClassName: istio, listeners: [{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}]}\n",
			`{gatewayClassName: istio, listeners: [{name: a, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: Same}}, tls: {mode: Terminate, certificateRefs: [{group: "", kind: Secret, name: a}]}}]}`,
			&gateway.GatewaySpec{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := yaml.UnmarshalStrict([]byte(test.want.(string)), test.into); err != nil {
				t.Fatal(err)
			}
			var got any
			switch o := one(t, test.text).Object.(type) {
			case *gateway.HTTPRoute:
				got = &o.Spec
			case *gateway.Gateway:
				got = &o.Spec
			}
			if diff := cmp.Diff(test.into, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
