package model_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/pkg/model"
)

// stream is a generated mesh of n documents: of each five, a Service, a Deployment, a VirtualService, a DestinationRule and a policy.
func stream(n int) string {
	var b strings.Builder
	for i := range n / 5 {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
  labels: {app: svc-%[1]d}
spec:
  selector:
    app: svc-%[1]d
  ports:
  - name: http
    port: 80
    targetPort: 8080
  - name: grpc
    port: 9090
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  replicas: 2
  selector:
    matchLabels: {app: svc-%[1]d}
  template:
    metadata:
      labels:
        app: svc-%[1]d
        version: v1
    spec:
      serviceAccountName: svc-%[1]d
      containers:
      - name: app
        image: example/svc:%[1]d
        ports:
        - containerPort: 8080
        resources:
          requests: {cpu: 100m, memory: 64Mi}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  hosts:
  - svc-%[1]d
  http:
  - name: canary
    match:
    - headers:
        x-canary:
          exact: "true"
      uri:
        prefix: /api
    route:
    - destination:
        host: svc-%[1]d
        subset: v2
    timeout: 5s
    retries:
      attempts: 3
      perTryTimeout: 2s
      retryOn: 5xx,reset
  - route:
    - destination:
        host: svc-%[1]d
        subset: v1
      weight: 90
    - destination:
        host: svc-%[1]d
        subset: v2
      weight: 10
    fault:
      delay:
        percentage:
          value: 0.1
        fixedDelay: 500ms
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  host: svc-%[1]d
  trafficPolicy:
    connectionPool:
      http:
        http2MaxRequests: 1000
    outlierDetection:
      consecutive5xxErrors: 5
      interval: 30s
  subsets:
  - name: v1
    labels: {version: v1}
  - name: v2
    labels: {version: v2}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  selector:
    matchLabels:
      app: svc-%[1]d
  rules:
  - from:
    - source:
        principals: [cluster.local/ns/ns-%[2]d/sa/client]
    to:
    - operation:
        methods: [GET, POST]
        paths: [/api/*]
`, i, i%20)
	}
	return b.String()
}

// BenchmarkLoad loads 2,000 documents of one file.
func BenchmarkLoad(b *testing.B) {
	const documents = 2000
	text := stream(documents)
	tree := fstest.MapFS{"mesh.yaml": {Data: []byte(text)}}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := model.Load(context.Background(), model.Options{FS: tree}, ".")
		if err != nil || len(m.Findings) > 0 || m.Stats.Documents != documents {
			b.Fatal(err, m.Stats, m.Findings)
		}
	}
	b.ReportMetric(float64(documents*b.N)/b.Elapsed().Seconds(), "docs/s")
}
