package schema

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	networking "istio.io/api/networking/v1alpha3"
	typev1beta1 "istio.io/api/type/v1beta1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// checks are the checks in Go by kind; a kind with a schema and nothing else has an empty one.
var checks = map[string]func(*check){
	"VirtualService":        virtualService,
	"DestinationRule":       destinationRule,
	"Gateway":               gateway,
	"ServiceEntry":          serviceEntry,
	"Sidecar":               sidecar,
	"WorkloadEntry":         workloadEntry,
	"WorkloadGroup":         workloadGroup,
	"PeerAuthentication":    peerAuthentication,
	"RequestAuthentication": requestAuthentication,
	"AuthorizationPolicy":   authorizationPolicy,
	"Telemetry":             telemetry,
	"WasmPlugin":            wasmPlugin,
	"TrafficExtension":      trafficExtension,
	"ProxyConfig":           proxyConfig,
	"EnvoyFilter":           envoyFilter,
	"ConfigMap":             meshSettings,
}

// bad reports a value if there is a problem with it.
func (c *check) bad(path, value string, p problem) bool {
	if p == "" {
		return false
	}
	if value == "" {
		c.errorf(InvalidValue, path, "%s %s", last(path), p)
	} else {
		c.errorf(InvalidValue, path, "%s %s", quote(value), p)
	}
	return true
}

func (c *check) duration(path string, d *durationpb.Duration) {
	if d != nil {
		c.bad(path, d.AsDuration().String(), duration(d))
	}
}

// oneOf reports the later ones of fields that exclude one another.
func (c *check) oneOf(path string, fields ...string) {
	var set []string
	for _, f := range fields {
		if c.has(resource.Key(path, f)) {
			set = append(set, f)
		}
	}
	if len(set) > 1 {
		c.errorf(ConflictingFields, resource.Key(path, set[1]), "%s and %s exclude one another: keep one of %s",
			set[0], set[1], strings.Join(fields, ", "))
	}
}

// exportTo judges who may see a resource. None (~) is for ServiceEntries alone.
func (c *check) exportTo(exportTo []string, none bool) {
	seen := map[string]bool{}
	for i, e := range exportTo {
		path := resource.Index("spec.exportTo", i)
		switch {
		case seen[e]:
			c.errorf(Duplicate, path, "exportTo lists %q twice", e)
		case e == "~" && !none:
			c.errorf(InvalidValue, path, `"~" (nobody) is for ServiceEntries: a %s that nobody sees has no effect`, c.Kind)
		case e != "." && e != "*" && e != "~" && !isLabel(e):
			c.errorf(InvalidValue, path, `%q is no namespace: exportTo takes namespaces, "." for this one, "*" for all`, e)
		}
		seen[e] = true
	}
	if seen["*"] && len(seen) > 1 {
		c.errorf(ConflictingFields, "spec.exportTo", `exportTo "*" means everybody: nothing else can stand beside it`)
	}
	if seen["~"] && none && len(seen) > 1 {
		c.errorf(ConflictingFields, "spec.exportTo", `exportTo "~" means nobody: nothing else can stand beside it`)
	}
}

// selectorLabels judges what a selector asks for.
func (c *check) selectorLabels(path string, labels map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		at := resource.Key(path, k)
		switch {
		case k == "":
			c.errorf(InvalidValue, at, "a label of the selector has no key")
		case strings.Contains(k, "*") || strings.Contains(labels[k], "*"):
			c.errorf(InvalidValue, at, "%s=%s: a selector compares literally, wildcards are not supported", k, labels[k])
		}
	}
}

// matchLabels judges the selector of a policy.
func (c *check) matchLabels(path string, s *typev1beta1.WorkloadSelector) {
	if s == nil {
		return
	}
	if len(s.GetMatchLabels()) == 0 {
		c.warnf(Ineffective, path, "the selector has no labels, so it picks every workload of the namespace: name labels or leave it out")
	}
	c.selectorLabels(resource.Key(path, "matchLabels"), s.GetMatchLabels())
}

// targetKinds are what a policy may be attached to.
var targetKinds = map[string]bool{
	"/Service": true, "core/Service": true, "networking.istio.io/ServiceEntry": true,
	"gateway.networking.k8s.io/Gateway": true, "gateway.networking.k8s.io/GatewayClass": true,
}

// attachment judges selector, targetRef and targetRefs together.
func (c *check) attachment(selector *typev1beta1.WorkloadSelector, ref *typev1beta1.PolicyTargetReference, refs []*typev1beta1.PolicyTargetReference) {
	c.oneOf("spec", "selector", "targetRef", "targetRefs")
	c.matchLabels("spec.selector", selector)
	if ref != nil {
		c.targetRef("spec.targetRef", ref)
	}
	for i, r := range refs {
		c.targetRef(resource.Index("spec.targetRefs", i), r)
	}
}

func (c *check) targetRef(path string, ref *typev1beta1.PolicyTargetReference) {
	if ref.GetName() == "" {
		c.errorf(MissingField, path+".name", "a targetRef needs the name of its target")
	}
	if ref.GetNamespace() != "" {
		c.errorf(InvalidValue, path+".namespace", "a targetRef reaches its own namespace only: leave namespace out")
	}
	if !targetKinds[ref.GetGroup()+"/"+ref.GetKind()] {
		c.errorf(InvalidValue, path+".kind", "a targetRef to %s is not supported: it must be a Service, a ServiceEntry (networking.istio.io), or a Gateway or GatewayClass (gateway.networking.k8s.io)",
			quote(strings.TrimPrefix(ref.GetGroup()+"/"+ref.GetKind(), "/")))
	}
}

func (c *check) port(path string, number uint32) {
	if number < 1 || number > 65535 {
		c.errorf(InvalidValue, path, "%d is no port number: it must be from 1 to 65535", number)
	}
}

// portName judges the name of a port, which must be a DNS label.
func (c *check) portName(path, name string) {
	if !isLabel(name) {
		c.errorf(InvalidValue, path, "%q is no name for a port: it must be a DNS label, such as http-web", name)
	}
}

func (c *check) protocol(path, name string) {
	if _, known := protocolKind(name); !known {
		c.errorf(InvalidValue, path, "%q is no protocol that Istio knows: it must be one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, UDP, Mongo, MySQL, Redis", name)
	}
}

// serverTLS judges how a gateway or sidecar listener ends TLS.
func (c *check) serverTLS(path string, tls *networking.ServerTLSSettings) {
	if tls == nil {
		return
	}
	c.certificateSources(path, tls)
	c.cipherSuites(path, tls.GetCipherSuites())
	if tls.GetMinProtocolVersion() > tls.GetMaxProtocolVersion() && tls.GetMaxProtocolVersion() != 0 {
		c.errorf(ConflictingFields, path+".minProtocolVersion", "minProtocolVersion is above maxProtocolVersion: no connection could be made")
	}
	mode := tls.GetMode()
	switch mode {
	case networking.ServerTLSSettings_ISTIO_MUTUAL:
		for _, field := range []string{"serverCertificate", "privateKey", "caCertificates", "credentialName", "credentialNames", "tlsCertificates"} {
			if c.has(path + "." + field) {
				c.errorf(ConflictingFields, path+"."+field, "ISTIO_MUTUAL uses the mesh's own certificates: leave %s out", field)
			}
		}
	case networking.ServerTLSSettings_SIMPLE, networking.ServerTLSSettings_MUTUAL, networking.ServerTLSSettings_OPTIONAL_MUTUAL:
		c.ownCertificates(path, tls)
	}
}

func (c *check) ownCertificates(path string, tls *networking.ServerTLSSettings) {
	if tls.GetCredentialName() != "" || len(tls.GetCredentialNames()) > 0 {
		return
	}
	mode := tls.GetMode()
	mutual := mode != networking.ServerTLSSettings_SIMPLE
	if certs := tls.GetTlsCertificates(); len(certs) > 0 {
		for i, cert := range certs {
			at := resource.Index(path+".tlsCertificates", i)
			c.needed(at, "serverCertificate", cert.GetServerCertificate(), mode.String())
			c.needed(at, "privateKey", cert.GetPrivateKey(), mode.String())
		}
	} else {
		c.needed(path, "serverCertificate", tls.GetServerCertificate(), mode.String())
		c.needed(path, "privateKey", tls.GetPrivateKey(), mode.String())
	}
	if mutual && tls.GetCaCertCredentialName() == "" {
		c.needed(path, "caCertificates", tls.GetCaCertificates(), mode.String())
	}
}

func (c *check) needed(path, field, value, mode string) {
	if value == "" {
		c.errorf(MissingField, path+"."+field, "TLS mode %s needs %s (or a credentialName that holds it)", mode, field)
	}
}

func (c *check) certificateSources(path string, tls *networking.ServerTLSSettings) {
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"credentialName", tls.GetCredentialName() != ""},
		{"credentialNames", len(tls.GetCredentialNames()) > 0},
		{"serverCertificate", tls.GetServerCertificate() != "" && tls.GetPrivateKey() != ""},
		{"tlsCertificates", len(tls.GetTlsCertificates()) > 0},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	if len(set) > 1 && tls.GetMode() != networking.ServerTLSSettings_ISTIO_MUTUAL {
		c.errorf(ConflictingFields, path+"."+set[1], "%s and %s both say where the certificate comes from: keep one", set[0], set[1])
	}
}

// cipherNames are those that Envoy's TLS library knows, in OpenSSL's spelling.
var cipherNames = map[string]bool{
	"ECDHE-ECDSA-AES128-GCM-SHA256": true, "ECDHE-RSA-AES128-GCM-SHA256": true, "ECDHE-ECDSA-AES256-GCM-SHA384": true, "ECDHE-RSA-AES256-GCM-SHA384": true,
	"ECDHE-ECDSA-CHACHA20-POLY1305": true, "ECDHE-RSA-CHACHA20-POLY1305": true, "ECDHE-PSK-CHACHA20-POLY1305": true,
	"ECDHE-ECDSA-AES128-SHA": true, "ECDHE-RSA-AES128-SHA": true, "ECDHE-PSK-AES128-CBC-SHA": true, "ECDHE-ECDSA-AES256-SHA": true,
	"ECDHE-RSA-AES256-SHA": true, "ECDHE-PSK-AES256-CBC-SHA": true, "AES128-GCM-SHA256": true, "AES256-GCM-SHA384": true,
	"AES128-SHA": true, "PSK-AES128-CBC-SHA": true, "AES256-SHA": true, "PSK-AES256-CBC-SHA": true, "DES-CBC3-SHA": true,
	"ECDHE-ECDSA-AES128-SHA256": true, "ECDHE-RSA-AES128-SHA256": true, "ECDHE-ECDSA-AES256-SHA384": true, "ECDHE-RSA-AES256-SHA384": true,
	"AES128-SHA256": true, "AES256-SHA256": true, "ECDHE-RSA-DES-CBC3-SHA": true, "RC4-SHA": true,
}

func (c *check) cipherSuites(path string, suites []string) {
	seen := map[string]bool{}
	for i, s := range suites {
		at := resource.Index(path+".cipherSuites", i)
		switch {
		case !cipherNames[s]:
			c.warnf(Ineffective, at, "%q is no cipher suite that Envoy knows and is left out", s)
		case seen[s]:
			c.warnf(Ineffective, at, "%q is listed twice", s)
		}
		seen[s] = true
	}
}
