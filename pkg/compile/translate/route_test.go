package translate

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// virtualService makes default/s of a spec.
func virtualService(t *testing.T, spec string) *model.VirtualService {
	t.Helper()
	doc := "spec:\n  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ")
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(doc), &node); err != nil {
		t.Fatal(err)
	}
	return &model.VirtualService{
		Resource: &resource.Resource{
			APIVersion: "networking.istio.io/v1beta1", Kind: "VirtualService", Namespace: "default", Name: "s", Node: node.Content[0],
		},
		Spec: read(t, &networking.VirtualService{}, spec),
	}
}

// sidecar are the options of a sidecar of app client in namespace default, for port 8080.
func sidecar() RouteOptions {
	return RouteOptions{
		ListenPort: 8080,
		Gateways:   []string{MeshGateway},
		Labels:     map[string]string{"app": "client"},
		Namespace:  "default",
		// No retries, which would fill every expectation.
		Retries: &networking.HTTPRetry{Attempts: 0},
		Sources: provenance.New(),
	}
}

// checkRoutes compares routes of default/s, whose metadata all of them hold.
func checkRoutes(t *testing.T, got []*routev3.Route, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d routes, want %d: %v", len(got), len(want), got)
	}
	for i := range got {
		w := read(t, &routev3.Route{}, want[i])
		w.Metadata = read(t, &corev3.Metadata{}, `filterMetadata: {istio: {config: /apis/networking.istio.io/v1/namespaces/default/virtual-service/s}}`)
		same(t, got[i], w)
	}
}

func TestHTTPRoutes(t *testing.T) {
	for _, tc := range []struct {
		name string
		spec string
		want []string
	}{
		{
			name: "a route a match, until one takes all",
			spec: `
http:
- name: r
  match: [{name: m, uri: {prefix: /a}, statPrefix: st}, {uri: {prefix: /}}, {uri: {prefix: /b}}]
  route: [{destination: {host: h}}]
- route: [{destination: {host: other}}]`,
			want: []string{`
name: r.m
statPrefix: st
match: {prefix: /a, caseSensitive: true}
route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s}
decorator: {operation: "h:8080/a*"}`, `
name: r
match: {prefix: /, caseSensitive: true}
route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s}
decorator: {operation: "h:8080/*"}`},
		},
		{
			name: "only matches that concern the proxy and the port",
			spec: `
http:
- match:
  - {uri: {exact: /port}, port: 8080}
  - {uri: {exact: /otherport}, port: 9090}
  - {uri: {exact: /labels}, sourceLabels: {app: client}}
  - {uri: {exact: /otherlabels}, sourceLabels: {app: other}}
  - {uri: {exact: /ns}, sourceNamespace: default}
  - {uri: {exact: /otherns}, sourceNamespace: other}
  - {uri: {exact: /gateway}, gateways: [mesh], sourceLabels: {app: other}}
  - {uri: {exact: /othergateway}, gateways: [ns/gw]}
  directResponse: {status: 204}`,
			want: []string{
				`{match: {path: /port, caseSensitive: true}, directResponse: {status: 204}, decorator: {operation: "s:8080/port"}}`,
				`{match: {path: /labels, caseSensitive: true}, directResponse: {status: 204}, decorator: {operation: "s:8080/labels"}}`,
				`{match: {path: /ns, caseSensitive: true}, directResponse: {status: 204}, decorator: {operation: "s:8080/ns"}}`,
				`{match: {path: /gateway, caseSensitive: true}, directResponse: {status: 204}, decorator: {operation: "s:8080/gateway"}}`,
			},
		},
		{
			name: "weights; one of zero is left out",
			spec: `
http:
- headers: {request: {set: {host: all.example}}}
  route:
  - destination: {host: h, subset: v1, port: {number: 80}}
    weight: 25
    headers: {request: {set: {x-w: v1}}, response: {remove: [x-q]}}
  - {destination: {host: h, subset: v0}, weight: 0}
  - destination: {host: h, subset: v2}
    weight: 75
    headers: {request: {set: {host: one.example}}}`,
			want: []string{`
match: {prefix: /}
route:
  weightedClusters:
    clusters:
    - name: outbound|80|v1|h
      weight: 25
      requestHeadersToAdd: [{header: {key: x-w, value: v1}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}]
      responseHeadersToRemove: [x-q]
    - {name: outbound|8080|v2|h, weight: 75, hostRewriteLiteral: one.example}
  hostRewriteLiteral: all.example
  timeout: 0s
  maxGrpcTimeout: 0s
decorator: {operation: "s:8080/*"}`},
		},
		{
			name: "what a single destination does to headers joins the route's",
			spec: `
http:
- headers: {request: {set: {x-a: "1"}}}
  route: [{destination: {host: h}, headers: {request: {set: {x-b: "2", host: b.example}}}}]`,
			want: []string{`
match: {prefix: /}
requestHeadersToAdd:
- {header: {key: x-a, value: "1"}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}
- {header: {key: x-b, value: "2"}, appendAction: OVERWRITE_IF_EXISTS_OR_ADD}
route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s, hostRewriteLiteral: b.example}
decorator: {operation: "h:8080/*"}`},
		},
		{
			name: "rewrite of path and host; the rewrite's host wins over the header",
			spec: `
http:
- match: [{uri: {prefix: /old/}}]
  headers: {request: {set: {host: set.example}}}
  rewrite: {uri: /new/, authority: rewritten.example}
  route: [{destination: {host: h}}]
- match: [{uri: {regex: "/r/(.*)"}}]
  rewrite: {uriRegexRewrite: {match: "/r/(.*)", rewrite: '/\1'}}
  timeout: 5s
  retries: {attempts: 1, retryOn: reset, retryIgnorePreviousHosts: false}
  route: [{destination: {host: h}}]`,
			want: []string{`
match: {prefix: /old/, caseSensitive: true}
route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s, prefixRewrite: /new/, hostRewriteLiteral: rewritten.example}
decorator: {operation: "h:8080/old/*"}`, `
match: {safeRegex: {regex: "/r/(.*)"}, caseSensitive: true}
route:
  cluster: outbound|8080||h
  timeout: 5s
  maxGrpcTimeout: 5s
  regexRewrite: {pattern: {regex: "/r/(.*)"}, substitution: '/\1'}
  retryPolicy: {retryOn: reset, numRetries: 1, hostSelectionRetryMaxAttempts: "5"}
decorator: {operation: "h:8080/r/(.*)"}`},
		},
		{
			name: "mirrors",
			spec: `
http:
- mirror: {host: m, subset: v2}
  mirrorPercentage: {value: 12.5}
  mirrors:
  - {destination: {host: all}}
  - {destination: {host: some}, percentage: {value: 1}}
  - {destination: {host: none}, percentage: {value: 0}}
  route: [{destination: {host: h}}]`,
			want: []string{`
match: {prefix: /}
route:
  cluster: outbound|8080||h
  timeout: 0s
  maxGrpcTimeout: 0s
  requestMirrorPolicies:
  - cluster: outbound|8080|v2|m
    runtimeFraction: {defaultValue: {numerator: 125000, denominator: MILLION}}
    traceSampled: false
    disableShadowHostSuffixAppend: true
  - cluster: outbound|8080||all
    runtimeFraction: {defaultValue: {numerator: 100}}
    traceSampled: false
    disableShadowHostSuffixAppend: true
  - cluster: outbound|8080||some
    runtimeFraction: {defaultValue: {numerator: 10000, denominator: MILLION}}
    traceSampled: false
    disableShadowHostSuffixAppend: true
decorator: {operation: "h:8080/*"}`},
		},
		{
			name: "the old mirror percentages",
			spec: `
http:
- {match: [{uri: {exact: /a}}], mirror: {host: m}, mirrorPercent: 7, route: [{destination: {host: h}}]}
- {match: [{uri: {exact: /b}}], mirror: {host: m}, mirrorPercent: 0, route: [{destination: {host: h}}]}
- {match: [{uri: {exact: /c}}], mirror: {host: m}, mirrorPercentage: {value: 0}, route: [{destination: {host: h}}]}`,
			want: []string{`
match: {path: /a, caseSensitive: true}
route:
  cluster: outbound|8080||h
  timeout: 0s
  maxGrpcTimeout: 0s
  requestMirrorPolicies:
  - cluster: outbound|8080||m
    runtimeFraction: {defaultValue: {numerator: 7}}
    traceSampled: false
    disableShadowHostSuffixAppend: true
decorator: {operation: "h:8080/a"}`,
				`{match: {path: /b, caseSensitive: true}, route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s}, decorator: {operation: "h:8080/b"}}`,
				`{match: {path: /c, caseSensitive: true}, route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s}, decorator: {operation: "h:8080/c"}}`,
			},
		},
		{
			name: "redirect, with the headers of its response",
			spec: `
http:
- headers: {response: {add: {x-r: "1"}}}
  redirect: {uri: /new, derivePort: FROM_REQUEST_PORT}`,
			want: []string{`
match: {prefix: /}
redirect: {pathRedirect: /new, portRedirect: 8080}
responseHeadersToAdd: [{header: {key: x-r, value: "1"}}]
decorator: {operation: "s:8080/*"}`},
		},
		{
			name: "faults and CORS become settings of their filters",
			spec: `
http:
- fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
  corsPolicy: {allowOrigins: [{exact: a}]}
  route: [{destination: {host: h}}]`,
			want: []string{`
match: {prefix: /}
route: {cluster: "outbound|8080||h", timeout: 0s, maxGrpcTimeout: 0s}
decorator: {operation: "h:8080/*"}
typedPerFilterConfig:
  envoy.filters.http.fault:
    "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
    abort: {httpStatus: 503, percentage: {numerator: 1000000, denominator: MILLION}}
  envoy.filters.http.cors:
    "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
    allowOriginStringMatch: [{exact: a}]
    filterEnabled: {defaultValue: {numerator: 100}}
    forwardNotMatchingPreflights: true`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			vs := virtualService(t, tc.spec)
			untouched := proto.Clone(vs.Spec)
			checkRoutes(t, HTTPRoutes(vs, sidecar()), tc.want)
			same(t, proto.Message(vs.Spec), untouched)
		})
	}
}

// TestRoutesThatLeadNowhere are left out: Envoy would refuse the whole table for one of them.
func TestRoutesThatLeadNowhere(t *testing.T) {
	const rest = "\n- {name: rest, route: [{destination: {host: a}}]}"
	for _, test := range []struct{ name, entry, want string }{
		{"no destination", "{name: x, fault: {delay: {fixedDelay: 1s, percentage: {value: 50}}}}", "rest"},
		{"no destination with a share", "{name: x, route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}]}", "rest"},
		{"a direct response needs none", "{name: x, match: [{uri: {exact: /x}}], directResponse: {status: 204}}", "x rest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var names []string
			for _, r := range HTTPRoutes(virtualService(t, "http:\n- "+test.entry+rest), sidecar()) {
				names = append(names, r.GetName())
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("routes %q, want %q", got, test.want)
			}
		})
	}
}

func TestHTTPRoutesByHash(t *testing.T) {
	opts := sidecar()
	opts.Retries = nil
	policies := map[string]DestinationPolicy{
		"header": {Hash: &networking.LoadBalancerSettings_ConsistentHashLB{
			HashKey: &networking.LoadBalancerSettings_ConsistentHashLB_HttpHeaderName{HttpHeaderName: "x"},
		}},
	}
	opts.Destination = func(d *networking.Destination) DestinationPolicy { return policies[d.GetHost()] }
	routes := HTTPRoutes(virtualService(t, `
http:
- match: [{uri: {exact: /one}}]
  route: [{destination: {host: header}}]
- route: [{destination: {host: header}, weight: 1}, {destination: {host: plain}, weight: 1}]`), opts)
	one, two := routes[0].GetRoute(), routes[1].GetRoute()
	for i, action := range []*routev3.RouteAction{one, two} {
		if got := action.GetHashPolicy(); len(got) != 1 || got[0].GetHeader().GetHeaderName() != "x" {
			t.Errorf("route %d hashes by %v", i, got)
		}
	}
	if len(one.GetRetryPolicy().GetRetryHostPredicate()) != 0 {
		t.Error("a single hashed destination is retried elsewhere")
	}
	if len(two.GetRetryPolicy().GetRetryHostPredicate()) != 1 {
		t.Error("of several destinations, a retry goes to the same host again")
	}
}

func TestHTTPRoutesOfTheGatewayAPI(t *testing.T) {
	vs := virtualService(t, `
http:
- match: [{uri: {prefix: /api}}]
  rewrite: {uri: /}
  route: [{destination: {host: h}}]`)
	vs.Annotations = map[string]string{"internal.istio.io/route-semantics": "gateway"}
	checkRoutes(t, HTTPRoutes(vs, sidecar()), []string{`
match: {pathSeparatedPrefix: /api, caseSensitive: true}
route:
  cluster: outbound|8080||h
  clusterNotFoundResponseCode: INTERNAL_SERVER_ERROR
  timeout: 0s
  maxGrpcTimeout: 0s
  regexRewrite: {pattern: {regex: "^/api(/?)(.*)"}, substitution: '/\2'}
decorator: {operation: "h:8080/*"}`})
}

func TestHTTPRoutesAskForClusters(t *testing.T) {
	opts := sidecar()
	opts.Cluster = func(d *networking.Destination) string { return "cluster of " + d.GetHost() }
	routes := HTTPRoutes(virtualService(t, `http: [{route: [{destination: {host: h}}]}]`), opts)
	if got := routes[0].GetRoute().GetCluster(); got != "cluster of h" {
		t.Errorf("got %q", got)
	}
	if got := routes[0].GetDecorator().GetOperation(); got != "s:8080/*" {
		t.Errorf("operation %q of a cluster that is no service's", got)
	}
}

func TestDefaultRoute(t *testing.T) {
	got := DefaultRoute("outbound|80||h", Operation("h", 80, "/*"), sidecar(), DestinationPolicy{})
	same(t, got, read(t, &routev3.Route{}, `
name: default
match: {prefix: /}
route: {cluster: "outbound|80||h", timeout: 0s, maxGrpcTimeout: 0s}
decorator: {operation: "h:80/*"}`))
}

func TestSourcesOfRoutes(t *testing.T) {
	vs := virtualService(t, `
http:
- match: [{uri: {exact: /a}}, {uri: {exact: /b}}]
  retries: {attempts: 1}
  fault: {abort: {httpStatus: 503}}
  route: [{destination: {host: h}, weight: 1}, {destination: {host: i}, weight: 1}]`)
	opts := sidecar()
	routes := HTTPRoutes(vs, opts)
	action := routes[1].GetRoute()
	fault, err := opts.Sources.Unpack(routes[1].GetTypedPerFilterConfig()[faultFilter])
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		of   proto.Message
		want string
	}{
		{routes[0], "spec.http[0].match[0]"},
		{routes[1], "spec.http[0].match[1]"},
		{action, "spec.http[0].route"},
		{action.GetWeightedClusters().GetClusters()[1], "spec.http[0].route[1]"},
		{action.GetRetryPolicy(), "spec.http[0].retries"},
		{fault, "spec.http[0].fault"},
	} {
		checkPaths(t, opts.Sources.Of(tc.of), "s "+tc.want)
	}
}

func TestSourcesOfRouteFields(t *testing.T) {
	opts := sidecar()
	r := HTTPRoutes(virtualService(t, `
http:
- headers: {request: {set: {x-a: a}}}
  timeout: 1s
  rewrite: {uri: /}
  route: [{destination: {host: h}}]`), opts)[0]
	checkPaths(t, opts.Sources.Of(r), "s spec.http[0]", "s spec.http[0].headers")
	checkPaths(t, opts.Sources.Of(r.GetRoute()), "s spec.http[0].route[0]", "s spec.http[0].timeout", "s spec.http[0].rewrite")
}

func TestSourcesOfDelegatedRoutes(t *testing.T) {
	vs := virtualService(t, `
http:
- match: [{uri: {prefix: /a}}]
  timeout: 1s
  retries: {attempts: 1}
  route: [{destination: {host: h}}]`)
	delegate := virtualService(t, `http: [{route: [{destination: {host: h}}], retries: {attempts: 1}}]`)
	delegate.Name = "delegate"
	vs.HTTPFrom = [][]resource.Source{{vs.At("spec.http[0]"), delegate.At("spec.http[0]")}}
	opts := sidecar()
	r := HTTPRoutes(vs, opts)[0]
	checkPaths(t, opts.Sources.Of(r), "s spec.http[0]", "delegate spec.http[0]")
	checkPaths(t, opts.Sources.Of(r.GetRoute().GetRetryPolicy()), "s spec.http[0].retries", "delegate spec.http[0].retries")
}

func checkPaths(t *testing.T, sources []resource.Source, want ...string) {
	t.Helper()
	var got []string
	for _, s := range sources {
		got = append(got, s.Resource.Name+" "+s.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}
