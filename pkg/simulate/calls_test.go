package simulate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

func TestReadCalls(t *testing.T) {
	want := []simulate.Call{{
		Name: "login", Mode: simulate.Gateway, Port: 8080, Host: "a.com", Path: "/x",
		Headers: map[string]string{"x": "1"}, Claims: map[string]any{"iss": "me", "groups": []any{"a", "b"}},
	}}
	for name, text := range map[string]string{
		"YAML": "- name: login\n  mode: gateway\n  port: 8080\n  host: a.com\n  path: /x\n  headers: {x: \"1\"}\n  claims: {iss: me, groups: [a, b]}\n",
		"JSON": `[{"name":"login","mode":"gateway","port":8080,"host":"a.com","path":"/x","headers":{"x":"1"},"claims":{"iss":"me","groups":["a","b"]}}]`,
	} {
		got, err := simulate.ReadCalls("calls", []byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestReadCallsTellsWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"- {port: 80}\n- prot: 80\n":           "calls.yaml:2:3: ",
		"- port: 80\n  tls: mTLS\n":            `calls.yaml:2:8: call 1: tls is "mTLS"; it must be plaintext, tls, mtls`,
		"- {name: x, host: a}\n":               "calls.yaml:1:3: call 1 (x): port is 0; it must be from 1 to 65535",
		"- {port: 80, path: a}\n":              `path is "a"; it must begin with /`,
		"- {port: 80, address: localhost}\n":   `address is "localhost", which is no IP address`,
		"- {port: 80, sourceIP: 10.0.0.0/8}\n": `sourceIP is "10.0.0.0/8", which is no IP address`,
		"- {port: 80, mode: sideways}\n":       `mode is "sideways"; it must be outbound, inbound, gateway`,
		"- {port: 80, protocol: grpc}\n":       `protocol is "grpc"; it must be http, http2, tcp`,
		"- {port: http}\n":                     "calls.yaml:1:10: ",
		"port: 80\n":                           "calls.yaml:1:1: ",
		"":                                     "calls.yaml: the list of calls is empty",
		"- {port: 80}\n---\n- {port: 81}\n":    "calls.yaml:2: ",
		"- {port: 80\n":                        "calls.yaml:",
		"- {port: 80, headers: {a: {b: c}}}\n": "calls.yaml:1:27: ",
		"- {port: 80, port: 81}\n":             "calls.yaml:1:14: ",
	} {
		_, err := simulate.ReadCalls("calls.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// FuzzReadCalls: whatever the bytes, there are calls or an error; and calls that are read end somewhere, in the same place when asked again.
func FuzzReadCalls(f *testing.F) {
	f.Add([]byte("- {mode: outbound, address: 10.96.0.10, port: 9080, host: reviews}"))
	f.Add([]byte(`[{"mode":"inbound","port":8080,"tls":"mtls","source":"a.b","claims":{"iss":"x"}}]`))
	f.Add([]byte("- {port: 443, tls: tls, sni: a, alpn: 'h2,http/1.1', path: 'http://x?y', method: CONNECT}"))
	f.Add([]byte("- &a [*a]"))
	mesh, err := model.Load(f.Context(), model.Options{}, "testdata/sidecar/world.yaml")
	if err != nil {
		f.Fatal(err)
	}
	sim := simulate.New(compile.Compile(mesh, mesh.Proxies()[0], compile.Options{}), simulate.Options{Mesh: mesh})
	f.Fuzz(func(t *testing.T, text []byte) {
		calls, err := simulate.ReadCalls("calls", text)
		if err != nil {
			return
		}
		for _, c := range calls {
			if diff := cmp.Diff(sim.Explain(c), sim.Explain(c)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
