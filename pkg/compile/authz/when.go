package authz

import (
	"fmt"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// conditions are those of a rule's `when`: they hold for each of its `to` or each of its `from`.
type conditions struct {
	permissions []condition[*rbacv3.Permission]
	principals  []condition[*rbacv3.Principal]
}

// when reads the conditions of a rule (https://istio.io/latest/docs/reference/config/security/conditions/). An unknown key makes the rule void.
func (t *translation) when(entries []*security.Condition) (conditions, error) {
	var out conditions
	for i, entry := range entries {
		at := resource.Index(t.at+".when", i)
		values, notValues := entry.GetValues(), entry.GetNotValues()
		switch entry.GetKey() {
		case "source.principal":
			values, notValues = t.withAliases(values), t.withAliases(notValues)
		case "source.trustDomain":
			values, notValues = t.withDomainAliases(values), t.withDomainAliases(notValues)
		}
		if c, ok := permissionCondition(entry.GetKey()); ok {
			c.values, c.at, c.notValues, c.notAt = values, at+".values", notValues, at+".notValues"
			out.permissions = append(out.permissions, c)
		} else if c, ok := t.principalCondition(entry.GetKey()); ok {
			c.values, c.at, c.notValues, c.notAt = values, at+".values", notValues, at+".notValues"
			out.principals = append(out.principals, c)
		} else {
			return conditions{}, fmt.Errorf("%s.key: unknown condition %q", at, entry.GetKey())
		}
	}
	return out, nil
}

// permissionCondition is the matcher of a key that is about what is called.
func permissionCondition(key string) (condition[*rbacv3.Permission], bool) {
	switch {
	case key == "destination.ip":
		return condition[*rbacv3.Permission]{one: destinationIPPermission}, true
	case key == "destination.port":
		return condition[*rbacv3.Permission]{one: portPermission}, true
	case key == "connection.sni":
		return condition[*rbacv3.Permission]{one: serverNamePermission}, true
	case strings.HasPrefix(key, "experimental.envoy.filters."):
		return condition[*rbacv3.Permission]{all: func(values []string) (*rbacv3.Permission, error) {
			return filterMetadataPermission(key, values)
		}}, true
	}
	return condition[*rbacv3.Permission]{}, false
}

// principalCondition is the matcher of a key that is about who calls.
func (t *translation) principalCondition(key string) (condition[*rbacv3.Principal], bool) {
	switch key {
	case "source.ip":
		return condition[*rbacv3.Principal]{one: sourceIPPrincipal}, true
	case "remote.ip":
		return condition[*rbacv3.Principal]{one: remoteIPPrincipal}, true
	case "source.namespace":
		return condition[*rbacv3.Principal]{one: namespacePrincipal}, true
	case "source.serviceAccount":
		return condition[*rbacv3.Principal]{one: t.serviceAccountPrincipal}, true
	case "source.principal":
		return condition[*rbacv3.Principal]{one: identityPrincipal}, true
	case "source.trustDomain":
		return condition[*rbacv3.Principal]{one: trustDomainPrincipal}, true
	case "request.auth.principal":
		return condition[*rbacv3.Principal]{httpOnly: true, all: requestPrincipals}, true
	case "request.auth.audiences":
		return claimCondition("aud"), true
	case "request.auth.presenter":
		return claimCondition("azp"), true
	}
	if name, ok := strings.CutPrefix(key, "request.headers"); ok {
		return headerCondition(name), true
	}
	if keys, ok := strings.CutPrefix(key, "request.auth.claims"); ok {
		claim, err := bracketed(keys)
		if err != nil {
			return condition[*rbacv3.Principal]{httpOnly: true, all: func([]string) (*rbacv3.Principal, error) { return nil, err }}, true
		}
		return claimCondition(claim...), true
	}
	return condition[*rbacv3.Principal]{}, false
}

func claimCondition(claim ...string) condition[*rbacv3.Principal] {
	return condition[*rbacv3.Principal]{httpOnly: true, all: func(values []string) (*rbacv3.Principal, error) {
		return metadataPrincipal(claimOrElement(claim, values)), nil
	}}
}

// headerCondition is about the header whose name stands in brackets.
func headerCondition(name string) condition[*rbacv3.Principal] {
	return condition[*rbacv3.Principal]{httpOnly: true, one: func(value string) (*rbacv3.Principal, error) {
		if !strings.HasPrefix(name, "[") || !strings.HasSuffix(name, "]") {
			return nil, fmt.Errorf("%q is no name in brackets", name)
		}
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_Header{Header: headerMatcher(name[1:len(name)-1], value, false)}}, nil
	}}
}

// bracketed splits [KEY] or [KEY][KEY].
func bracketed(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		return nil, fmt.Errorf("%q is no name in brackets", s)
	}
	return strings.Split(s[1:len(s)-1], "]["), nil
}
