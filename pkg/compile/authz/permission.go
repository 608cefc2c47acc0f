package authz

import (
	"fmt"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	security "istio.io/api/security/v1beta1"
)

// permissions joins matchers of what is called.
var permissions = connectives[*rbacv3.Permission]{
	and: func(all []*rbacv3.Permission) *rbacv3.Permission {
		return &rbacv3.Permission{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: all}}}
	},
	or: func(any []*rbacv3.Permission) *rbacv3.Permission {
		return &rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: &rbacv3.Permission_Set{Rules: any}}}
	},
	not: func(m *rbacv3.Permission) *rbacv3.Permission {
		return &rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: m}}
	},
	any: func() *rbacv3.Permission { return &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}} },
}

// operation are the conditions of a rule's `to`, in istiod's order.
func (t *translation) operation(o *security.Operation, at string) []condition[*rbacv3.Permission] {
	field := func(name string, values, notValues []string, httpOnly bool, one func(string) (*rbacv3.Permission, error)) condition[*rbacv3.Permission] {
		return condition[*rbacv3.Permission]{
			values: values, at: at + "." + name,
			notValues: notValues, notAt: at + ".not" + strings.ToUpper(name[:1]) + name[1:],
			httpOnly: httpOnly, one: one,
		}
	}
	return []condition[*rbacv3.Permission]{
		field("hosts", o.GetHosts(), o.GetNotHosts(), true, hostPermission),
		field("methods", o.GetMethods(), o.GetNotMethods(), true, methodPermission),
		field("paths", o.GetPaths(), o.GetNotPaths(), true, t.pathPermission),
		field("ports", o.GetPorts(), o.GetNotPorts(), false, portPermission),
	}
}

func headerPermission(header *routev3.HeaderMatcher) *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: header}}
}

func hostPermission(host string) (*rbacv3.Permission, error) {
	return headerPermission(headerMatcher(":authority", host, true)), nil
}

func methodPermission(method string) (*rbacv3.Permission, error) {
	return headerPermission(headerMatcher(":method", method, false)), nil
}

// pathPermission matches the path without its query: exactly, by prefix or suffix (`/a*`, `*/b`), or, with {*} for a segment and {**} for any
// number of them, by template.
func (t *translation) pathPermission(path string) (*rbacv3.Permission, error) {
	if template, ok := pathTemplate(path); ok {
		return &rbacv3.Permission{Rule: &rbacv3.Permission_UriTemplate{UriTemplate: &corev3.TypedExtensionConfig{
			Name:        "uri-template",
			TypedConfig: t.options.Sources.Pack(&uritemplatev3.UriTemplateMatchConfig{PathTemplate: template}),
		}}}, nil
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{
		Rule: &matcherv3.PathMatcher_Path{Path: stringMatcher("", path)},
	}}}, nil
}

// pathTemplate writes a path with {*} or {**} in Envoy's form, where the braces fall away.
func pathTemplate(path string) (string, bool) {
	if !strings.Contains(path, "{*}") && !strings.Contains(path, "{**}") {
		return "", false
	}
	return strings.NewReplacer("{*}", "*", "{**}", "**").Replace(path), true
}

func portPermission(port string) (*rbacv3.Permission, error) {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is no port", port)
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_DestinationPort{DestinationPort: uint32(number)}}, nil
}

func destinationIPPermission(block string) (*rbacv3.Permission, error) {
	cidr, err := cidrRange(block)
	if err != nil {
		return nil, err
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_DestinationIp{DestinationIp: cidr}}, nil
}

func serverNamePermission(name string) (*rbacv3.Permission, error) {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_RequestedServerName{RequestedServerName: stringMatcher("", name)}}, nil
}

// filterMetadataPermission matches what another filter left in the metadata of the request: experimental.envoy.filters.NAME[KEY]. A value in
// brackets is looked for among the elements of a list.
func filterMetadataPermission(key string, values []string) (*rbacv3.Permission, error) {
	filter, name, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(key, "experimental."), "]"), "[")
	if !ok {
		return nil, fmt.Errorf("%q names no key in brackets", key)
	}
	var matchers []*matcherv3.ValueMatcher
	for _, value := range values {
		if strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]") {
			matchers = append(matchers, listValue(stringValue(strings.Trim(value, "[]"))))
		} else {
			matchers = append(matchers, stringValue(value))
		}
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Metadata{Metadata: metadataMatcher(filter, []string{name}, anyValue(matchers))}}, nil
}
