package authz_test

import (
	"cmp"
	"testing"
	"unicode/utf8"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	rbacnetworkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	security "istio.io/api/security/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model/resource"
)

// read fills a message from YAML: Istio's field names for Istio's messages, Envoy's JSON names for Envoy's.
func read[M proto.Message](t testing.TB, into M, text string) M {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := protojson.Unmarshal(asJSON, into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return into
}

// policy is an AuthorizationPolicy p of namespace ns with the spec.
func policy(t testing.TB, spec string, annotations map[string]string) authz.Policy {
	t.Helper()
	read := read(t, &security.AuthorizationPolicy{}, spec)
	return authz.Policy{Spec: read, Resource: &resource.Resource{
		APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: "ns", Name: "p", Annotations: annotations, Object: read,
	}}
}

func options() authz.Options {
	return authz.Options{TrustDomains: []string{"td1", "td2"}, Sources: provenance.New()}
}

// config returns what a filter was packed with.
func config[M proto.Message](t testing.TB, opts authz.Options, packed *anypb.Any) M {
	t.Helper()
	msg, err := opts.Sources.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	return msg.(M)
}

// TestMatchers shows for each field of a rule what it becomes: a permission for what is called, a principal for who calls.
func TestMatchers(t *testing.T) {
	const jwt = `filter: envoy.filters.http.jwt_authn`
	for _, tt := range []struct {
		name, rule, permission, principal string
	}{
		{name: "hosts, in any case", rule: `to: [{operation: {hosts: [a.example, "*.b", "c*", "*"]}}]`, permission: `{orRules: {rules: [
  {header: {name: ":authority", stringMatch: {exact: a.example, ignoreCase: true}}},
  {header: {name: ":authority", stringMatch: {suffix: .b, ignoreCase: true}}},
  {header: {name: ":authority", stringMatch: {prefix: c, ignoreCase: true}}},
  {header: {name: ":authority", presentMatch: true}}]}}`},
		{name: "methods", rule: `to: [{operation: {notMethods: [GET]}}]`, permission: `{notRule: {orRules: {rules: [{header: {name: ":method", stringMatch: {exact: GET}}}]}}}`},
		{name: "paths", rule: `to: [{operation: {paths: [/a, "/b*", "*/c", "*"]}}]`, permission: `{orRules: {rules: [
  {urlPath: {path: {exact: /a}}}, {urlPath: {path: {prefix: /b}}}, {urlPath: {path: {suffix: /c}}},
  {urlPath: {path: {safeRegex: {regex: .+}}}}]}}`},
		{name: "path templates", rule: `to: [{operation: {notPaths: ["/a/{*}/b/{**}"]}}]`, permission: `{notRule: {orRules: {rules: [{uriTemplate: {name: uri-template, typedConfig: {
  "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, pathTemplate: /a/*/b/**}}}]}}}`},
		{name: "ports", rule: `to: [{operation: {ports: ["80"]}}]`, permission: `{orRules: {rules: [{destinationPort: 80}]}}`},
		{name: "destination.ip", rule: `when: [{key: destination.ip, values: [10.0.0.0/8, "fd00::1"]}]`, permission: `{orRules: {rules: [{destinationIp: {addressPrefix: 10.0.0.0, prefixLen: 8}}, {destinationIp: {addressPrefix: "fd00::1", prefixLen: 128}}]}}`},
		{name: "connection.sni", rule: `when: [{key: connection.sni, values: ["*.x"]}]`, permission: `{orRules: {rules: [{requestedServerName: {suffix: .x}}]}}`},
		{name: "metadata of another filter", rule: `when: [{key: "experimental.envoy.filters.a[k]", values: ["v*", "[w]"]}]`, permission: `{metadata: {filter: envoy.filters.a, path: [{key: k}], value: {orMatch: {valueMatchers: [
  {stringMatch: {prefix: v}}, {listMatch: {oneOf: {stringMatch: {exact: w}}}}]}}}}`},

		{name: "principals of the mesh stand for all its trust domains", rule: `from: [{source: {principals: [td1/ns/a/sa/b, cluster.local/ns/a/sa/c]}}]`,
			principal: `{orIds: {ids: [
  {authenticated: {principalName: {exact: "spiffe://td1/ns/a/sa/b"}}}, {authenticated: {principalName: {exact: "spiffe://td2/ns/a/sa/b"}}},
  {authenticated: {principalName: {exact: "spiffe://td1/ns/a/sa/c"}}}, {authenticated: {principalName: {exact: "spiffe://td2/ns/a/sa/c"}}}]}}`},
		{name: "principals with stars", rule: `from: [{source: {notPrincipals: ["*/sa/x.y", "other/*", "*"]}}]`, principal: `{notId: {orIds: {ids: [
  {authenticated: {principalName: {safeRegex: {regex: 'spiffe://.*/sa/x\.y'}}}}, {authenticated: {principalName: {prefix: "spiffe://other/"}}},
  {authenticated: {principalName: {safeRegex: {regex: .+}}}}]}}}`},
		{name: "namespaces", rule: `from: [{source: {namespaces: ["dev-*"]}}]`, principal: `{orIds: {ids: [{authenticated: {principalName: {safeRegex: {regex: '.*/ns/dev-.*/.*'}}}}]}}`},
		{name: "service accounts, of the policy's namespace", rule: `from: [{source: {serviceAccounts: [a, far/b]}}]`, principal: `{orIds: {ids: [
  {authenticated: {principalName: {safeRegex: {regex: 'spiffe://.+/ns/ns/(.+/|)sa/a(/.+)?'}}}},
  {authenticated: {principalName: {safeRegex: {regex: 'spiffe://.+/ns/far/(.+/|)sa/b(/.+)?'}}}}]}}`},
		{name: "trust domains", rule: `from: [{source: {trustDomains: [td2, "x.*"]}}]`, principal: `{orIds: {ids: [
  {authenticated: {principalName: {prefix: "spiffe://td1/"}}}, {authenticated: {principalName: {prefix: "spiffe://td2/"}}},
  {authenticated: {principalName: {safeRegex: {regex: 'spiffe://x\.[^/]*/.*'}}}}]}}`},
		{name: "address of the peer and of the client", rule: `from: [{source: {ipBlocks: [1.2.3.4], notRemoteIpBlocks: [5.0.0.0/8]}}]`, principal: `  {notId: {orIds: {ids: [{remoteIp: {addressPrefix: 5.0.0.0, prefixLen: 8}}]}}},
  {orIds: {ids: [{directRemoteIp: {addressPrefix: 1.2.3.4, prefixLen: 32}}]}}`},
		{name: "request principals", rule: `from: [{source: {requestPrincipals: ["https://i/*"]}}]`, principal: `
{andIds: {ids: [
  {metadata: {` + jwt + `, path: [{key: payload}, {key: iss}], value: {stringMatch: {exact: "https://i"}}}},
  {metadata: {` + jwt + `, path: [{key: payload}, {key: sub}], value: {stringMatch: {safeRegex: {regex: .+}}}}}]}}`},
		{name: "headers", rule: `when: [{key: "request.headers[X-Team]", values: ["*"], notValues: ["a*"]}]`, principal: `
  {orIds: {ids: [{header: {name: X-Team, presentMatch: true}}]}},
  {notId: {orIds: {ids: [{header: {name: X-Team, stringMatch: {prefix: a}}}]}}}`},
		{name: "nested claims", rule: `when: [{key: "request.auth.claims[a][b]", values: [x]}]`, principal: `{metadata: {` + jwt + `, path: [{key: payload}, {key: a}, {key: b}], value: {orMatch: {valueMatchers: [
  {listMatch: {oneOf: {stringMatch: {exact: x}}}}, {stringMatch: {exact: x}}]}}}}`},
		{name: "audiences and presenter", rule: `when: [{key: request.auth.audiences, values: [x]}, {key: request.auth.presenter, notValues: [z]}]`,
			principal: `
  {metadata: {` + jwt + `, path: [{key: payload}, {key: aud}], value: {orMatch: {valueMatchers: [
    {listMatch: {oneOf: {stringMatch: {exact: x}}}}, {stringMatch: {exact: x}}]}}}},
  {notId: {metadata: {` + jwt + `, path: [{key: payload}, {key: azp}], value: {orMatch: {valueMatchers: [
    {listMatch: {oneOf: {stringMatch: {exact: z}}}}, {stringMatch: {exact: z}}]}}}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := options()
			filters := authz.HTTP(authz.Policies{Allow: []authz.Policy{policy(t, "rules: [{"+tt.rule+"}]", nil)}}, opts)
			got := config[*rbachttpv3.RBAC](t, opts, filters[0].GetTypedConfig()).GetRules().GetPolicies()["ns[ns]-policy[p]-rule[0]"]
			want := read(t, &rbacv3.Policy{}, `
permissions: [{andRules: {rules: [`+cmp.Or(tt.permission, "{any: true}")+`]}}]
principals: [{andIds: {ids: [`+cmp.Or(tt.principal, "{any: true}")+`]}}]`)
			if diff := gocmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTCP: what only HTTP has voids an ALLOW rule and widens a DENY rule.
func TestTCP(t *testing.T) {
	const rules = `
rules:
- {to: [{operation: {methods: [GET], ports: ["80"]}}]}
- {from: [{source: {requestPrincipals: ["*"], namespaces: [a]}}]}
- {to: [{operation: {ports: ["81"]}}]}`
	opts := options()
	filters := authz.Network(authz.Policies{
		Deny: []authz.Policy{policy(t, rules, nil)}, Allow: []authz.Policy{policy(t, rules, nil)},
	}, opts)
	const (
		port80 = `{permissions: [{andRules: {rules: [{orRules: {rules: [{destinationPort: 80}]}}]}}], principals: [{andIds: {ids: [{any: true}]}}]}`
		port81 = `{permissions: [{andRules: {rules: [{orRules: {rules: [{destinationPort: 81}]}}]}}], principals: [{andIds: {ids: [{any: true}]}}]}`
		fromA  = `{permissions: [{andRules: {rules: [{any: true}]}}], principals: [{andIds: {ids: [
  {orIds: {ids: [{authenticated: {principalName: {safeRegex: {regex: '.*/ns/a/.*'}}}}]}}]}}]}`
	)
	for i, want := range []string{`
statPrefix: tcp.
shadowRulesStatPrefix: istio_dry_run_allow_
rules: {action: DENY, policies: {"ns[ns]-policy[p]-rule[0]": ` + port80 + `, "ns[ns]-policy[p]-rule[1]": ` + fromA + `, "ns[ns]-policy[p]-rule[2]": ` + port81 + `}}`, `
statPrefix: tcp.
shadowRulesStatPrefix: istio_dry_run_allow_
rules: {policies: {"ns[ns]-policy[p]-rule[2]": ` + port81 + `}}`} {
		got := config[*rbacnetworkv3.RBAC](t, opts, filters[i].GetTypedConfig())
		if diff := gocmp.Diff(read(t, &rbacnetworkv3.RBAC{}, want), got, protocmp.Transform()); diff != "" {
			t.Errorf("filter %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestDryRun: a policy on dry run only tells what it would decide.
func TestDryRun(t *testing.T) {
	opts := options()
	dry := policy(t, "{action: DENY}", map[string]string{"istio.io/dry-run": "true"})
	got := config[*rbachttpv3.RBAC](t, opts, authz.HTTP(authz.Policies{Deny: []authz.Policy{dry}}, opts)[0].GetTypedConfig())
	want := read(t, &rbachttpv3.RBAC{}, `
shadowRulesStatPrefix: istio_dry_run_deny_
shadowRules: {action: DENY, policies: {"ns[ns]-policy[p]-rule[0]": {permissions: [{notRule: {any: true}}], principals: [{notId: {any: true}}]}}}`)
	if diff := gocmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCustomWithoutProvider: what cannot be handed over is denied.
func TestCustomWithoutProvider(t *testing.T) {
	opts := options()
	custom := policy(t, `{action: CUSTOM, provider: {name: absent}, rules: [{}]}`, nil)
	filters := authz.CustomHTTP([]authz.Policy{custom}, opts)
	if len(filters) != 1 {
		t.Fatalf("%d filters; want the one that denies", len(filters))
	}
	want := read(t, &rbachttpv3.RBAC{}, `
rules: {action: DENY, policies: {"istio-ext-authz-absent-ns[ns]-policy[p]-rule[0]-deny-due-to-bad-CUSTOM-action": {
  permissions: [{andRules: {rules: [{any: true}]}}], principals: [{andIds: {ids: [{any: true}]}}]}}}`)
	if diff := gocmp.Diff(want, config[*rbachttpv3.RBAC](t, opts, filters[0].GetTypedConfig()), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzRule: whatever a policy says of paths and addresses, the filter is one that Envoy's own rules take.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"/a/{*}/b", "{**}", "*", "10.0.0.0/8", "::1", "10.0.0.1/33", "/{*", "a*b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) {
			return
		}
		opts := options()
		p := policy(t, "{}", nil)
		p.Spec.Rules = []*security.Rule{{
			From: []*security.Rule_From{{Source: &security.Source{IpBlocks: []string{value}, NotRemoteIpBlocks: []string{value}}}},
			To:   []*security.Rule_To{{Operation: &security.Operation{Paths: []string{value}, Ports: []string{value}}}},
		}}
		for _, filter := range authz.HTTP(authz.Policies{Deny: []authz.Policy{p}, Allow: []authz.Policy{p}}, opts) {
			rbac := config[*rbachttpv3.RBAC](t, opts, filter.GetTypedConfig())
			for _, policy := range rbac.GetRules().GetPolicies() {
				for _, principal := range policy.GetPrincipals() {
					if err := principal.ValidateAll(); err != nil {
						t.Errorf("%q: %v", value, err)
					}
				}
			}
		}
	})
}
