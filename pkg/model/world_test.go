package model_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/pkg/model"
)

// world loads YAML written in a test.
func world(t *testing.T, yaml ...string) *model.Mesh {
	t.Helper()
	return inMemory(t, map[string]string{"world.yaml": strings.Join(yaml, "\n---\n")})
}

func svc(namespace, name, spec string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec: {%s}", name, namespace, spec)
}

func deployment(namespace, name, labels, more string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  selector: {matchLabels: {%[3]s}}
  template:
    metadata: {labels: {%[3]s}}
    spec: {%[4]s}`, namespace, name, labels, more)
}

// istio writes a resource of Istio's; the version follows from the group.
func istio(group, kind, namespace, name, spec string) string {
	return fmt.Sprintf("apiVersion: %s.istio.io/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {%s}", group, kind, name, namespace, spec)
}

// aged gives a resource a creation time.
func aged(yaml, time string) string {
	return strings.Replace(yaml, "metadata: {", fmt.Sprintf("metadata: {creationTimestamp: %q, ", time), 1)
}

func sidecar(namespace string, labels map[string]string) *model.Proxy {
	return &model.Proxy{Name: "client", Namespace: namespace, Type: model.Sidecar, IP: "10.0.0.1", Labels: labels}
}

func router(namespace string, labels map[string]string) *model.Proxy {
	return &model.Proxy{Name: "gateway", Namespace: namespace, Type: model.Router, IP: "10.0.0.2", Labels: labels}
}

// ports lists services with their port numbers: "reviews.default.svc.cluster.local 80 443".
func ports(services []*model.Service) []string {
	var out []string
	for _, s := range services {
		line := s.Hostname
		for _, p := range s.Ports {
			line += fmt.Sprint(" ", p.Number)
		}
		out = append(out, line)
	}
	return out
}

func inTree(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }
