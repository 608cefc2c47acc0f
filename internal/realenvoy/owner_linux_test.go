package realenvoy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

// ownersCall is a call to a workload that one of the owner's documents is about. An empty method is GET, an empty caller one in plaintext; the
// wanted status 0 is a connection that is closed.
type ownersCall struct {
	caller, method, path string
	claims               map[string]any
	strange              bool
	want                 int
}

func (c ownersCall) String() string {
	return fmt.Sprintf("%s %s by %s, claims %v", cmp.Or(c.method, "GET"), c.path, cmp.Or(c.caller, "a client without a certificate"), c.claims)
}

// TestOwnersPoliciesAtWork runs workloads behind each of the owner's security documents and calls them.
func TestOwnersPoliciesAtWork(t *testing.T) {
	signer := newSigner(t)
	claims := func(issuer, audience, group string) map[string]any {
		return map[string]any{"iss": issuer, "sub": "jane", "aud": audience, "group": group, "exp": time.Now().Add(time.Hour).Unix()}
	}
	const company = "https://auth.company.com"
	for _, test := range []struct {
		document, workload string
		// tokens are believed by a RequestAuthentication that is added to the document.
		tokens bool
		calls  []ownersCall
	}{
		{"0-authorization-policy", "backend.demo", false, []ownersCall{
			{"cluster.local/ns/demo/sa/frontend-service-account", "", "/", nil, false, 200},
			{"cluster.local/ns/demo/sa/other", "", "/", nil, false, 403},
			{"", "", "/", nil, false, 403},
		}},
		{"1-authorization-policy", "backend.default", false, []ownersCall{
			{"cluster.local/ns/default/sa/frontend", "", "/api/1", nil, false, 200},
			{"cluster.local/ns/default/sa/frontend", "POST", "/api/1", nil, false, 200},
			{"cluster.local/ns/default/sa/frontend", "DELETE", "/api/1", nil, false, 403},
			{"cluster.local/ns/default/sa/frontend", "", "/admin", nil, false, 403},
			{"cluster.local/ns/demo/sa/frontend", "", "/api/1", nil, false, 403},
		}},
		{"2-authorization-policy", "backend.production", false, []ownersCall{
			{"cluster.local/ns/production/sa/frontend", "", "/api/1", nil, false, 200},
			{"cluster.local/ns/production/sa/frontend", "", "/", nil, false, 403},
			{"", "", "/api/1", nil, false, 403},
		}},
		{"2-authorization-policy", "other.production", false, []ownersCall{
			{"cluster.local/ns/production/sa/frontend", "", "/api/1", nil, false, 403},
		}},
		{"2-authorization-policy", "httpbin.default", true, []ownersCall{
			{"", "", "/", claims("https://test", "any", "dev"), false, 200},
			{"", "", "/", claims("https://test", "any", "guest"), false, 403},
			{"", "", "/", claims("https://test", "any", "dev"), true, 401},
			{"", "", "/", nil, false, 403},
		}},
		{"2-request-authentication", "api-gateway.production", false, []ownersCall{
			{"", "", "/", claims(company, "api.company.com", ""), false, 200},
			{"", "", "/", claims(company, "other.company.com", ""), false, 403},
			{"", "", "/", claims(company, "api.company.com", ""), true, 401},
			{"", "", "/", claims("https://auth.example", "api.company.com", ""), false, 401},
			{"", "", "/", nil, false, 403},
		}},
		{"2-peer-authentication", "backend.production", false, []ownersCall{
			{"cluster.local/ns/production/sa/frontend", "", "/", nil, false, 200},
			{"", "", "/", nil, false, 0},
		}},
		{"2-peer-authentication", "legacy-service.production", false, []ownersCall{
			{"cluster.local/ns/production/sa/frontend", "", "/", nil, false, 200},
			{"", "", "/", nil, false, 200},
		}},
		{"1-mtls", "backend.default", false, []ownersCall{{"", "", "/", nil, false, 0}}},
		{"0-peer-authentication-strict", "backend.demo", false, []ownersCall{{"", "", "/", nil, false, 0}}},
		{"0-peer-authentication-permissive", "backend.demo", false, []ownersCall{{"", "", "/", nil, false, 200}}},
	} {
		t.Run(test.document+"/"+test.workload, func(t *testing.T) {
			g := startOwners(t, test.document, test.workload, test.tokens, signer)
			for _, c := range test.calls {
				call := simulate.Call{
					Mode: simulate.Inbound, Address: g.cfg.Proxy.IP, Port: 8080, Protocol: simulate.HTTP, TLS: simulate.Plaintext, SourceIP: callers[0],
					Method: cmp.Or(c.method, http.MethodGet), Path: c.path, Host: test.workload, Source: c.caller, Headers: map[string]string{},
				}
				if c.caller != "" {
					call.TLS = simulate.MTLS
				}
				if c.claims != nil {
					key := signer.known
					if c.strange {
						key = signer.stranger
					}
					call.Headers["authorization"] = "Bearer " + signer.token(t, c.claims, key)
				}
				r := g.send(call)
				if r.closed != (c.want == 0) || r.status != c.want {
					t.Errorf("%s: closed %v, status %d; want %d", c, r.closed, r.status, c.want)
				}
			}
		})
	}
}

// startOwners runs the sidecar of a workload under a document. The keys of its tokens' issuer are served wherever the document looks for them.
func startOwners(t *testing.T, document, workload string, tokens bool, s *signer) *guarded {
	t.Helper()
	name, namespace, _ := strings.Cut(workload, ".")
	more := fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[2]s, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec: {selector: {app: %[1]s}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: %[2]s, labels: {app: %[1]s}}
spec: {containers: [{name: app, image: "registry.example/app:1"}]}
`, name, namespace)
	if tokens {
		more += fmt.Sprintf("---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: tokens, namespace: %s}\n"+
			"spec: {jwtRules: [{issuer: https://test, jwks: '%s'}]}\n", namespace, s.keys(t))
	}
	file := filepath.Join(t.TempDir(), "more.yaml")
	if err := os.WriteFile(file, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	mesh, err := model.Load(t.Context(), model.Options{}, filepath.Join("..", "..", "testdata", "seeds", document+".yaml"), file)
	if err != nil {
		t.Fatal(err)
	}
	p := proxy(t, mesh, workload)
	g := &guarded{t: t, ca: newAuthority(t), cfg: compile.Compile(mesh, p, compile.Options{}), network: envoytest.NewNamespace(t, p.IP)}
	g.network.AddAddresses(t, callers...)
	text := bootstrap(t, mesh, p)
	envoytest.Start(t, text, envoytest.Options{
		Network: g.network, Secrets: g.ca.secretsOf(t, text, "cluster.local/ns/"+namespace+"/sa/default"),
		Upstream: func(cluster string) string {
			if cluster == "outbound|443||auth.company.com" {
				return g.serveKeys(s)
			}
			return g.serve(cluster)
		},
	})
	return g
}

// serveKeys serves the key set as the owner's issuer does.
func (g *guarded) serveKeys(s *signer) string {
	g.t.Helper()
	keys := s.keys(g.t)
	l, err := envoytest.Listen(g.network, "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/jwks.json" || r.Host != "auth.company.com" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(keys))
	}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	g.t.Cleanup(server.Close)
	return l.Addr().String()
}
