package compile

import (
	"maps"
	"slices"

	extensions "istio.io/api/extensions/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// notCompiledRule names the finding about a resource that the compiler leaves out.
const notCompiledRule = "compile/not-compiled"

// withoutEffect says of each kind that the compiler does not know what the bootstraps lack for it. Keys are Kind.group.
func withoutEffect() map[string]string {
	return map[string]string{
		"UDPRoute.gateway.networking.k8s.io": "as in istiod, what it routes has no listener",
	}
}

// NotCompiled names, once each, the resources of the mesh that would shape what istiod sends and that the compiler leaves out for the
// target: silence must never mean that something was not looked at. Findings have severity info and are in diag.Sort's order.
func NotCompiled(mesh *model.Mesh, target Target) []diag.Finding {
	var findings []diag.Finding
	effects := withoutEffect()
	for _, key := range slices.Sorted(maps.Keys(effects)) {
		for _, r := range kindOf(mesh, key) {
			findings = append(findings, leftOut(r, "", effects[key]))
		}
	}
	for _, gw := range model.All[*gatewayv1.Gateway](mesh) {
		if gw.Spec.Spec.GatewayClassName == waypointClass {
			findings = append(findings, leftOut(gw.Resource, "", "waypoints of ambient mode get no bootstrap"))
		}
	}
	for _, s := range model.All[*networking.Sidecar](mesh) {
		findings = append(findings, ingressTLS(&s)...)
	}
	findings = append(findings, telemetryGaps(mesh, target)...)
	for _, r := range mesh.Resources() {
		findings = append(findings, policyLeftOut(mesh, r)...)
	}
	if target != IstioProxy {
		findings = append(findings, withoutAgent(mesh, nil)...)
	}
	findings = append(findings, proxyConfigGaps(mesh, target)...)
	findings = append(findings, fieldGaps(mesh)...)
	return diag.Sort(findings)
}

// policyLeftOut reports what of a policy has no effect in any bootstrap: references to what only waypoints enforce, and tokens whose keys only
// istiod could find out.
func policyLeftOut(mesh *model.Mesh, r *resource.Resource) []diag.Finding {
	switch spec := r.Object.(type) {
	case *security.AuthorizationPolicy:
		return waypointRefs(mesh, r, spec)
	case *security.RequestAuthentication:
		return append(waypointRefs(mesh, r, spec), keysLeftOut(r, spec)...)
	case *telemetry.Telemetry:
		return waypointRefs(mesh, r, spec)
	case *extensions.WasmPlugin:
		return waypointRefs(mesh, r, spec)
	case *extensions.TrafficExtension:
		return waypointRefs(mesh, r, spec)
	}
	return nil
}

// keysLeftOut reports rules that give neither keys nor where they are: istiod asks the issuer for them.
func keysLeftOut(r *resource.Resource, spec *security.RequestAuthentication) []diag.Finding {
	var findings []diag.Finding
	for i, rule := range spec.GetJwtRules() {
		if rule.GetJwks() == "" && rule.GetJwksUri() == "" {
			findings = append(findings, leftOut(r, resource.Index("spec.jwtRules", i),
				"istiod would ask the issuer for its keys; without jwks or jwksUri the bootstraps accept no token of it"))
		}
	}
	return findings
}

// notCompiled are those of NotCompiled that bear on this proxy.
func (b *builder) notCompiled() []diag.Finding {
	var findings []diag.Finding
	effects := withoutEffect()
	for _, key := range slices.Sorted(maps.Keys(effects)) {
		for _, r := range kindOf(b.mesh, key) {
			// Routes of the Gateway API may shape any proxy.
			findings = append(findings, leftOut(r, "", effects[key]))
		}
	}
	for _, r := range b.mesh.RequestAuthenticationsFor(b.proxy) {
		findings = append(findings, keysLeftOut(r.Resource, r.Spec)...)
	}
	if b.scope.Sidecar != nil {
		findings = append(findings, ingressTLS(b.scope.Sidecar)...)
	}
	if b.target != IstioProxy && len(b.extensions) > 0 {
		findings = append(findings, withoutAgent(b.mesh, func(e trafficExtension) bool {
			return slices.ContainsFunc(b.extensions, func(own trafficExtension) bool { return own.from == e.from })
		})...)
	}
	return diag.Sort(slices.Concat(findings, b.telemetryGaps(), b.proxyConfigGaps()))
}

func kindOf(mesh *model.Mesh, key string) []*resource.Resource {
	for i := range key {
		if key[i] == '.' {
			return mesh.OfKind(key[:i], key[i+1:])
		}
	}
	return nil
}

func leftOut(r *resource.Resource, path, effect string) diag.Finding {
	what := r.ID()
	if path != "" {
		what = path + " of " + what
	}
	return diag.Finding{
		Rule: notCompiledRule, Severity: diag.Info, Resource: r.Ref(), Path: path, Location: r.Locate(path),
		Message: what + " is not compiled: " + effect,
	}
}

// ingressTLS reports TLS settings of a Sidecar's ingress listeners, which istiod too takes no notice of unless it runs with
// ENABLE_TLS_ON_SIDECAR_INGRESS.
func ingressTLS(s *resource.Of[*networking.Sidecar]) []diag.Finding {
	var findings []diag.Finding
	for i, in := range s.Spec.GetIngress() {
		if in.GetTls() != nil {
			findings = append(findings, leftOut(s.Resource, resource.Index("spec.ingress", i)+".tls",
				"as in istiod without ENABLE_TLS_ON_SIDECAR_INGRESS, the listener does not end TLS"))
		}
	}
	return findings
}
