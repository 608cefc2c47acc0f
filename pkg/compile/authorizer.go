package compile

import (
	"fmt"
	"slices"
	"strings"

	meshconfig "istio.io/api/mesh/v1alpha1"
	security "istio.io/api/security/v1beta1"

	"github.com/meshc/meshc/pkg/compile/authz"
	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// authorizationProviders are those of MeshConfig that authorize. Of two with one name the later counts.
func authorizationProviders(mesh *model.Mesh) map[string]*authz.Provider {
	providers := map[string]*authz.Provider{}
	lookup := func(service string, port uint32) (hostname, cluster string, err error) {
		return authorizer(mesh, service, port)
	}
	for _, spec := range mesh.Settings.Mesh.GetExtensionProviders() {
		if p := authz.NewProvider(spec, mesh.Settings.Source("extensionProviders."+spec.GetName()), lookup); p != nil {
			providers[spec.GetName()] = p
		}
	}
	return providers
}

// authorizer finds the service of a provider, given as HOSTNAME or NAMESPACE/HOSTNAME, among all of the mesh's, whatever a proxy can see.
func authorizer(mesh *model.Mesh, service string, port uint32) (hostname, cluster string, err error) {
	found, hostname := authorizerServices(mesh, service)
	switch {
	case len(found) == 0:
		return "", "", fmt.Errorf("there is no service %s", service)
	case slices.ContainsFunc(found, func(s *model.Service) bool { return s.Namespace != found[0].Namespace }):
		return "", "", fmt.Errorf("several namespaces have a service %s; write NAMESPACE/%s", hostname, hostname)
	}
	return found[0].Hostname, translate.OutboundCluster(port, "", found[0].Hostname), nil
}

func authorizerServices(mesh *model.Mesh, service string) (found []*model.Service, hostname string) {
	namespace, hostname, qualified := strings.Cut(service, "/")
	if !qualified {
		return mesh.ServicesByHost(service), service
	}
	return slices.DeleteFunc(slices.Clone(mesh.ServicesByHost(hostname)), func(s *model.Service) bool { return s.Namespace != namespace }), hostname
}

// CustomPolicy is what becomes of a CUSTOM AuthorizationPolicy, as far as anything is wrong with it
// (https://istio.io/latest/docs/tasks/security/authorization/authz-custom/).
type CustomPolicy struct {
	// Provider is the name of the provider, Service the host that it is asked at, "" where that is unknown.
	Provider, Service string
	// Problem says why the provider cannot be asked, "" where it can: whatever the rules match is denied then.
	Problem string
	// ServiceMissing tells that the problem is that the mesh has no such service.
	ServiceMissing bool
	// Rivals are CUSTOM policies that name another provider for a proxy that this one applies to: all of them deny there.
	Rivals []*resource.Resource
	// Blind are proxies that the policy applies to and that cannot see the provider's service: their Envoy has no cluster to ask over.
	Blind []*model.Proxy
}

// CustomPolicies tells of each CUSTOM policy of the mesh what becomes of it. Rivals and Blind are in the order of the mesh's proxies.
func CustomPolicies(mesh *model.Mesh) map[*resource.Resource]*CustomPolicy {
	all := map[*resource.Resource]*CustomPolicy{}
	providers := authorizationProviders(mesh)
	for _, r := range model.All[*security.AuthorizationPolicy](mesh) {
		if r.Spec.GetAction() == security.AuthorizationPolicy_CUSTOM {
			all[r.Resource] = customPolicy(mesh, r.Spec.GetProvider().GetName(), providers)
		}
	}
	if len(all) == 0 {
		return all
	}
	for _, p := range mesh.Proxies() {
		applied := mesh.AuthorizationPoliciesFor(p).Custom
		for _, r := range applied {
			c := all[r.Resource]
			for _, other := range applied {
				if other.Spec.GetProvider().GetName() != c.Provider && !slices.Contains(c.Rivals, other.Resource) {
					c.Rivals = append(c.Rivals, other.Resource)
				}
			}
			if c.Problem == "" && !seesAuthorizer(mesh, p, c.Provider) {
				c.Blind = append(c.Blind, p)
			}
		}
	}
	return all
}

func customPolicy(mesh *model.Mesh, name string, providers map[string]*authz.Provider) *CustomPolicy {
	c := &CustomPolicy{Provider: name}
	spec := extensionProvider(mesh, name)
	provider := providers[name]
	switch {
	case spec == nil:
		c.Problem = "MeshConfig has no extension provider of that name"
		return c
	case provider == nil:
		c.Problem = "it is neither envoyExtAuthzHttp nor envoyExtAuthzGrpc, and so authorizes nothing"
		return c
	}
	service, _ := authorizerAddress(spec)
	found, host := authorizerServices(mesh, service)
	c.Service = host
	if provider.Err != nil {
		c.Problem, c.ServiceMissing = provider.Err.Error(), host != "" && len(found) == 0
	}
	return c
}

// extensionProvider is the last provider of the name, nil for none.
func extensionProvider(mesh *model.Mesh, name string) *meshconfig.MeshConfig_ExtensionProvider {
	for _, spec := range slices.Backward(mesh.Settings.Mesh.GetExtensionProviders()) {
		if spec.GetName() == name {
			return spec
		}
	}
	return nil
}

func authorizerAddress(spec *meshconfig.MeshConfig_ExtensionProvider) (service string, port uint32) {
	if http := spec.GetEnvoyExtAuthzHttp(); http != nil {
		return http.GetService(), http.GetPort()
	}
	return spec.GetEnvoyExtAuthzGrpc().GetService(), spec.GetEnvoyExtAuthzGrpc().GetPort()
}

// seesAuthorizer tells whether the proxy gets a cluster for the provider. istiod names the cluster in the filter whether it does or not.
func seesAuthorizer(mesh *model.Mesh, p *model.Proxy, provider string) bool {
	service, port := authorizerAddress(extensionProvider(mesh, provider))
	_, hostname := authorizerServices(mesh, service)
	seen := mesh.ScopeOf(p).Service(hostname)
	return seen != nil && seen.Port(port) != nil
}
