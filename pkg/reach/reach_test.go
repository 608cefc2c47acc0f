package reach_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/reach"
)

// apps are two applications with a sidecar: web calls, store has an HTTP port, a TCP port and one without a declared protocol.
const apps = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: shop}
spec: {selector: {app: store}, ports: [{name: http, port: 80}, {name: tcp-sql, port: 5432}, {name: any, port: 7000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: store, namespace: shop}
spec:
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {serviceAccountName: store, containers: [{name: a, image: a}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: a, image: a}]}}
`

const tokens = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: shop}
spec: {jwtRules: [{issuer: "https://i", jwks: "{\"keys\":[]}"}]}
`

func meshOf(t *testing.T, documents ...string) *model.Mesh {
	t.Helper()
	tree := fstest.MapFS{"mesh.yaml": {Data: []byte(strings.Join(append([]string{apps}, documents...), "\n---\n"))}}
	mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mesh.Findings {
		t.Errorf("%v: %s", f.Location, f.Message)
	}
	return mesh
}

// policy is an AuthorizationPolicy for the whole namespace.
func policy(name, spec string) string {
	return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: " + name + ", namespace: shop}\nspec: " + spec
}

// answerTo is the answer that a caller gets at a port of store.
func answerTo(t *testing.T, mesh *model.Mesh, from, port, protocol string) *reach.Answer {
	t.Helper()
	m, err := reach.Of(t.Context(), mesh, reach.Options{From: []string{from}, To: []string{"store.shop:" + port}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Rows {
		for _, to := range r.To {
			if strings.HasSuffix(to, "/"+protocol) {
				return r.Answer
			}
		}
	}
	t.Fatalf("no row for port %s read as %s", port, protocol)
	return nil
}

// told writes an answer as a test can be read: the verdict, then for each step what it does and its rules' conditions.
func told(a *reach.Answer) []string {
	out := []string{string(a.Verdict) + " over " + string(a.Transport)}
	for _, s := range a.Steps {
		head := string(s.Action)
		if s.Refuses {
			head += " refuses"
		}
		if s.Provider != "" {
			head += " " + s.Provider
		}
		if s.Why != "" {
			head += ": " + s.Why
		}
		for _, token := range s.Tokens {
			head += " " + token.Issuer
		}
		out = append(out, head)
		for _, r := range s.Rules {
			out = append(out, strings.Join(append([]string{"  " + r.String()}, r.When.Lines()...), " & "))
		}
	}
	return out
}

// TestWhatRulesLeaveOpen shows for rules what remains of them once the caller and the port are known.
func TestWhatRulesLeaveOpen(t *testing.T) {
	const web, other, outside = "web.shop", "other", "outside"
	for _, tt := range []struct {
		name, spec string
		// more are documents beside the policy.
		more                 []string
		from, port, protocol string
		want                 []string
	}{
		{name: "without a policy everything gets in", from: web, want: []string{"allowed over mtls"}},
		{name: "a principal who is the caller leaves nothing open", spec: `{rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]}`, from: web,
			want: []string{"allowed over mtls", "ALLOW", "  AuthorizationPolicy shop/p spec.rules[0]"}},
		{name: "one who is not denies", spec: `{rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/else]}}]}]}`, from: web,
			want: []string{"denied over mtls", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "a policy without rules allows nothing", spec: `{}`, from: web, want: []string{"denied over mtls", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "of another identity only the trust domain is known", spec: `{rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/else, cluster.local/ns/shop/sa/web, far/ns/a/sa/b]}}, {source: {serviceAccounts: [web, far/a]}}]}]}`,
			from: other, want: []string{"conditional over mtls", "ALLOW", "  AuthorizationPolicy shop/p spec.rules[0] & the caller is cluster.local/ns/shop/sa/else or service account far/a"}},
		{name: "and that decides about trust domains", spec: `{action: DENY, rules: [{from: [{source: {trustDomains: ["cluster.*"]}}]}]}`,
			from: other, want: []string{"denied over mtls", "DENY refuses", "  AuthorizationPolicy shop/p spec.rules[0]"}},
		{name: "nobody outside has an identity", spec: `{rules: [{from: [{source: {principals: ["*"]}}]}]}`, from: outside,
			want: []string{"denied over plaintext", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "and so is not one of those excluded", spec: `{rules: [{from: [{source: {notNamespaces: [shop]}}]}]}`, from: outside,
			want: []string{"allowed over plaintext", "ALLOW", "  AuthorizationPolicy shop/p spec.rules[0]"}},
		{name: "what is asked of the request is left open", spec: `{rules: [{to: [{operation: {methods: [GET, HEAD], paths: ["/a*", "*/b", "/c/{*}/{**}"], notHosts: [h]}}],
 when: [{key: "request.headers[x-a]", notValues: ["v*"]}, {key: source.ip, values: [10.0.0.0/8]}, {key: remote.ip, notValues: [1.2.3.4]}, {key: connection.sni, values: [srv]}]}]}`, from: web,
			want: []string{"conditional over mtls", "ALLOW", "  AuthorizationPolicy shop/p spec.rules[0] & host is not h & method is GET or HEAD & path is /a*, */b or /c/{*}/{**}" +
				" & server name is srv & header x-a is not v* & the peer's address is in 10.0.0.0/8 & the client's address is not in 1.2.3.4/32"}},
		{name: "a caller without TLS names no server", spec: `{action: DENY, rules: [{when: [{key: connection.sni, notValues: [srv]}]}]}`, from: outside,
			want: []string{"denied over plaintext", "DENY refuses", "  AuthorizationPolicy shop/p spec.rules[0]"}},
		{name: "another port's rule is no matter here", spec: `{action: DENY, rules: [{to: [{operation: {ports: ["81"]}}]}]}`, from: web, want: []string{"allowed over mtls"}},
		{name: "claims that nothing reads cannot be met", spec: `{rules: [{when: [{key: "request.auth.claims[a]", values: [x]}]}]}`, from: web,
			want: []string{"denied over mtls", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "claims that something reads are left open", spec: `{rules: [{from: [{source: {requestPrincipals: ["https://i/*"]}}], when: [{key: "request.auth.claims[a][b]", values: [x, "y*"]}]}]}`,
			more: []string{tokens}, from: web, want: []string{"conditional over mtls", "TOKEN https://i", "ALLOW",
				"  AuthorizationPolicy shop/p spec.rules[0] & request principal is https://i/* & claim a.b is or holds x or y*"}},
		{name: "an issuer that nothing vouches for cannot be met", spec: `{rules: [{from: [{source: {requestPrincipals: ["https://j/*"]}}]}]}`, more: []string{tokens}, from: web,
			want: []string{"denied over mtls", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "a valid token, where there is one, is no condition", more: []string{tokens}, from: web, want: []string{"allowed over mtls", "TOKEN https://i"}},
		{name: "on TCP an ALLOW rule for HTTP allows nothing", spec: `{rules: [{to: [{operation: {methods: [GET]}}]}]}`, from: web, port: "5432", protocol: "tcp",
			want: []string{"denied over mtls", "ALLOW refuses: on a TCP port, rules that ask for what only HTTP has (methods, paths, hosts, headers, tokens) allow nothing", "  AuthorizationPolicy shop/p"}},
		{name: "and a DENY rule covers more", spec: `{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}`, from: web, port: "5432", protocol: "tcp",
			want: []string{"denied over mtls", "DENY refuses", "  AuthorizationPolicy shop/p spec.rules[0]"}},
		{name: "a port without a protocol is judged as HTTP where it carries that", spec: `{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}`, from: web, port: "7000",
			want: []string{"conditional over mtls", "DENY", "  AuthorizationPolicy shop/p spec.rules[0] & method is GET"}},
		{name: "an audit decides nothing", spec: `{action: AUDIT, rules: [{}]}`, from: web, want: []string{"allowed over mtls"}},
		{name: "a provider that the mesh lacks denies", spec: `{action: CUSTOM, provider: {name: none}, rules: [{to: [{operation: {paths: [/x]}}]}]}`, from: web,
			want: []string{"conditional over mtls", "DENY: the provider that a CUSTOM policy names cannot be asked, so what it should decide is denied", "  AuthorizationPolicy shop/p spec.rules[0] & path is /x"}},
		{name: "a provider decides what nobody knows", spec: `{action: CUSTOM, provider: {name: gate}, rules: [{to: [{operation: {paths: [/x]}}]}]}`, from: web,
			more: []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: \"extensionProviders: [{name: gate, envoyExtAuthzGrpc: {service: store.shop.svc.cluster.local, port: 80}}]\"}"},
			want: []string{"conditional over mtls", "CUSTOM gate", "  AuthorizationPolicy shop/p spec.rules[0] & path is /x"}},
		{name: "STRICT refuses who has no identity", more: []string{"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: mtls, namespace: shop}\nspec: {mtls: {mode: STRICT}}"}, from: outside,
			want: []string{"denied over plaintext", "TLS refuses: the port takes the mesh's mTLS alone", "  PeerAuthentication shop/mtls spec.mtls"}},
		{name: "DISABLE hides who calls", spec: `{rules: [{from: [{source: {namespaces: [shop]}}]}]}`, from: web,
			more: []string{"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: mtls, namespace: shop}\nspec: {mtls: {mode: DISABLE}}"},
			want: []string{"denied over plaintext", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "so does a client that sends plaintext", spec: `{rules: [{from: [{source: {namespaces: [shop]}}]}]}`, from: web,
			more: []string{"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: store, namespace: shop}\nspec: {host: store, trafficPolicy: {tls: {mode: DISABLE}}}"},
			want: []string{"denied over plaintext", "ALLOW refuses", "  AuthorizationPolicy shop/p"}},
		{name: "the mesh trusts no other domain", from: "other-trust-domain", want: []string{"denied over mtls", "TLS refuses: the server takes no certificate of such a name"}},
		{name: "what is asked twice, or as part of something, is said once", spec: `{rules: [{to: [{operation: {methods: [GET]}}, {operation: {methods: [GET], paths: [/a]}}], when: [{key: "request.headers[x]", values: [a, "*"]}]}]}`, from: web,
			want: []string{"conditional over mtls", "ALLOW", "  AuthorizationPolicy shop/p spec.rules[0] & method is GET & header x is there"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			documents := tt.more
			if tt.spec != "" {
				documents = append([]string{policy("p", tt.spec)}, documents...)
			}
			port, protocol := "80", "http"
			if tt.port != "" {
				port = tt.port
			}
			if tt.protocol != "" {
				protocol = tt.protocol
			}
			if diff := cmp.Diff(tt.want, told(answerTo(t, meshOf(t, documents...), tt.from, port, protocol))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestGroups: who fares alike shares a group, and those whom the input does not describe stand by themselves.
func TestGroups(t *testing.T) {
	m, err := reach.Of(t.Context(), meshOf(t, policy("p", `{rules: [{from: [{source: {namespaces: [shop]}}]}]}`)), reach.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var callers, destinations []int
	for _, g := range m.Callers {
		callers = append(callers, len(g.Callers))
	}
	for _, g := range m.Destinations {
		destinations = append(destinations, len(g.Destinations))
	}
	if diff := cmp.Diff([]int{2, 1, 1, 1}, callers); diff != "" {
		t.Errorf("members of the callers' groups (-want +got):\n%s", diff)
	}
	// 80/http, 5432/tcp, and 7000 as either.
	if diff := cmp.Diff([]int{4}, destinations); diff != "" {
		t.Errorf("members of the destinations' groups (-want +got):\n%s", diff)
	}
	if len(m.Rows) != 4 {
		t.Errorf("%d rows; want one for each group of callers", len(m.Rows))
	}
}
