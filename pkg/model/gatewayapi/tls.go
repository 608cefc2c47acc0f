package gatewayapi

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	core "k8s.io/api/core/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/meshc/meshc/pkg/model/resource"
)

// Options of a listener's TLS settings that are Istio's own (https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/).
const (
	terminateMode    = "gateway.istio.io/tls-terminate-mode"
	cipherSuites     = "gateway.istio.io/tls-cipher-suites"
	listenerProtocol = "gateway.istio.io/listener-protocol"
)

// Reasons of TLS problems.
const (
	invalidCertificateRef = "InvalidCertificateRef"
	invalidCARef          = "InvalidCACertificateRef"
	invalidCAKind         = "InvalidCACertificateKind"
	refNotPermitted       = "RefNotPermitted"
)

// caSuffix marks the name of a secret that holds only roots.
const caSuffix = "-cacert"

// serverTLS turns a listener's TLS settings into a server's, nil for a listener without.
func (c *conversion) serverTLS(h holder, l gateway.Listener, path string) (*networking.ServerTLSSettings, *problem) {
	if l.TLS == nil {
		return nil, nil
	}
	out := &networking.ServerTLSSettings{}
	switch orElse(l.TLS.Mode, gateway.TLSModeTerminate) {
	case gateway.TLSModePassthrough:
		out.Mode = networking.ServerTLSSettings_PASSTHROUGH
		if isAutoPassthrough(h.Labels, l) {
			out.Mode = networking.ServerTLSSettings_AUTO_PASSTHROUGH
		}
	case gateway.TLSModeTerminate:
		if done, bad := c.terminate(out, h, l, path); done || bad != nil {
			return out, bad
		}
	}
	if suites := l.TLS.Options[cipherSuites]; suites != "" {
		for suite := range strings.SplitSeq(string(suites), ",") {
			out.CipherSuites = append(out.CipherSuites, strings.TrimSpace(suite))
		}
	}
	return out, nil
}

// terminate writes the settings of a listener that ends TLS; done tells that they need no certificate.
func (c *conversion) terminate(out *networking.ServerTLSSettings, h holder, l gateway.Listener, path string) (done bool, bad *problem) {
	out.Mode = networking.ServerTLSSettings_SIMPLE
	mode := l.TLS.Options[terminateMode]
	switch mode {
	case "MUTUAL":
		out.Mode = networking.ServerTLSSettings_MUTUAL
	case "OPTIONAL_MUTUAL":
		out.Mode = networking.ServerTLSSettings_OPTIONAL_MUTUAL
	case "ISTIO_SIMPLE":
		out.CredentialName = "builtin://"
		return true, nil
	case "ISTIO_MUTUAL":
		out.Mode = networking.ServerTLSSettings_ISTIO_MUTUAL
		return true, nil
	}
	if bad := c.certificates(out, h, l, path); bad != nil {
		return false, bad
	}
	validation := frontendValidation(h.tls, l.Port)
	if validation == nil || len(validation.CACertificateRefs) == 0 {
		return false, nil
	}
	if len(validation.CACertificateRefs) > 1 {
		return false, &problem{reason: invalidCARef, message: "only one caCertificateRef is supported", place: "spec.tls.frontend"}
	}
	name, bad := c.authority(h, validation.CACertificateRefs[0])
	if bad != nil {
		return false, bad.at("spec.tls.frontend")
	}
	out.Mode = networking.ServerTLSSettings_MUTUAL
	out.CaCertCredentialName = name
	out.InsecureSkipVerify = wrapperspb.Bool(validation.Mode == gateway.AllowInsecureFallback)
	if mode == "OPTIONAL_MUTUAL" || validation.Mode == gateway.AllowInsecureFallback {
		out.Mode = networking.ServerTLSSettings_OPTIONAL_MUTUAL
	}
	return false, nil
}

// frontendValidation returns what the Gateway asks of clients on a port.
func frontendValidation(settings *gateway.GatewayTLSConfig, port gateway.PortNumber) *gateway.FrontendTLSValidation {
	if settings == nil || settings.Frontend == nil {
		return nil
	}
	for _, p := range settings.Frontend.PerPort {
		if p.Port == port {
			return p.TLS.Validation
		}
	}
	return settings.Frontend.Default.Validation
}

// isAutoPassthrough tells whether the listener is the one for other networks, which routes by the name in the TLS handshake alone
// (https://istio.io/latest/docs/setup/install/multicluster/).
func isAutoPassthrough(labels map[string]string, l gateway.Listener) bool {
	if l.TLS.Options[listenerProtocol] == "auto-passthrough" {
		return true
	}
	if _, ok := labels["topology.istio.io/network"]; !ok {
		return false
	}
	port, ok := labels["networking.istio.io/gatewayPort"]
	if !ok {
		port = "15443"
	}
	return port == strconv.Itoa(int(l.Port))
}

// certificates names the Secrets that a listener shows. Of two one may be bad.
func (c *conversion) certificates(out *networking.ServerTLSSettings, h holder, l gateway.Listener, path string) *problem {
	if len(l.TLS.CertificateRefs) > 2 {
		return &problem{reason: invalidCertificateRef, message: "TLS mode can only support up to 2 server certificates", place: path + ".tls.certificateRefs"}
	}
	var names []string
	var bad *problem
	for i, ref := range l.TLS.CertificateRefs {
		name, why := c.certificate(h, ref)
		if why != nil {
			bad = joined(bad, why.at(resource.Index(path+".tls.certificateRefs", i)))
			continue
		}
		names = append(names, name)
	}
	switch len(names) {
	case 0:
		return bad
	case 1:
		out.CredentialName = names[0]
	default:
		out.CredentialNames = names
	}
	return nil
}

// certificate returns the name by which a gateway asks for a Secret.
func (c *conversion) certificate(h holder, ref gateway.SecretObjectReference) (string, *problem) {
	shown := fmt.Sprintf("%s/%s/%s.%s", orElse(ref.Group, ""), orElse(ref.Kind, ""), ref.Name, orElse(ref.Namespace, ""))
	if (groupKind{string(orElse(ref.Group, "")), string(orElse(ref.Kind, "Secret"))}) != (groupKind{"", "Secret"}) {
		return "", &problem{reason: invalidCertificateRef, message: "invalid certificate reference " + shown + ", only secret is allowed"}
	}
	namespace := string(orElse(ref.Namespace, gateway.Namespace(h.Namespace)))
	if namespace != h.Namespace && !c.granted(groupKind{gatewayGroup, h.Kind}, h.Namespace, groupKind{"", "Secret"}, namespace, string(ref.Name)) {
		return "", &problem{reason: refNotPermitted, message: fmt.Sprintf(
			"certificateRef %s/%s not accessible to a Gateway in namespace %q (missing a ReferenceGrant?)", ref.Name, namespace, h.Namespace)}
	}
	if why := c.badCertificate(namespace, string(ref.Name)); why != "" {
		return "", &problem{reason: invalidCertificateRef, message: "invalid certificate reference " + shown + ", " + why}
	}
	return "kubernetes-gateway://" + namespace + "/" + string(ref.Name), nil
}

// badCertificate says why a Secret holds no certificate to show, "" where it does.
func (c *conversion) badCertificate(namespace, name string) string {
	r := c.Find("Secret", "", namespace, name)
	if r == nil {
		if !c.HoldsSecrets {
			return ""
		}
		return "secret " + namespace + "/" + name + " not found"
	}
	data := r.Object.(*core.Secret).Data
	for _, keys := range [][2]string{{"cert", "key"}, {core.TLSCertKey, core.TLSPrivateKeyKey}} {
		chain, key := data[keys[0]], data[keys[1]]
		if len(chain) == 0 || len(key) == 0 {
			continue
		}
		if _, err := tls.X509KeyPair(chain, key); err != nil {
			return "the certificate is malformed: " + err.Error()
		}
		return ""
	}
	return "found secret, but didn't have expected keys (cert and key) or (tls.crt and tls.key); found: " + strings.Join(slices.Sorted(maps.Keys(data)), ", ")
}

// authority returns the name by which a gateway asks for the roots of its clients.
func (c *conversion) authority(h holder, ref gateway.ObjectReference) (string, *problem) {
	kind := groupKind{string(ref.Group), string(ref.Kind)}
	shown := fmt.Sprintf("%s/%s/%s.%s", ref.Group, ref.Kind, ref.Name, orElse(ref.Namespace, ""))
	scheme := "configmap"
	switch kind {
	case groupKind{"", "Secret"}:
		scheme = "kubernetes-gateway"
	case groupKind{"", "ConfigMap"}:
	default:
		return "", &problem{reason: invalidCAKind, message: "invalid CA certificate reference " + shown + ", only secret and configmap are allowed"}
	}
	namespace := string(orElse(ref.Namespace, gateway.Namespace(h.Namespace)))
	if namespace != h.Namespace && !c.granted(groupKind{gatewayGroup, h.Kind}, h.Namespace, kind, namespace, string(ref.Name)) {
		return "", &problem{reason: refNotPermitted, message: fmt.Sprintf(
			"caCertificateRef %s/%s not accessible to a Gateway in namespace %q (missing a ReferenceGrant?)", namespace, ref.Name, h.Namespace)}
	}
	if why := c.badRoots(kind.kind, namespace, string(ref.Name)); why != "" {
		return "", &problem{reason: invalidCARef, message: "invalid CA certificate reference " + shown + ", " + why}
	}
	return scheme + "://" + namespace + "/" + string(ref.Name) + caSuffix, nil
}

// badRoots says why a Secret or ConfigMap holds no roots, "" where it does.
func (c *conversion) badRoots(kind, namespace, name string) string {
	r := c.Find(kind, "", namespace, name)
	if r == nil {
		if !c.HoldsSecrets {
			return ""
		}
		return strings.ToLower(kind) + " " + namespace + "/" + name + " not found"
	}
	roots, why := rootsIn(r)
	if why != "" {
		return why
	}
	if !x509.NewCertPool().AppendCertsFromPEM(roots) {
		return "the bundle is malformed"
	}
	return ""
}

// rootsIn returns the roots that a Secret or ConfigMap holds, or why it holds none.
func rootsIn(r *resource.Resource) (roots []byte, why string) {
	data := map[string][]byte{}
	switch o := r.Object.(type) {
	case *core.Secret:
		data = o.Data
	case *core.ConfigMap:
		for key, text := range o.Data {
			data[key] = []byte(text)
		}
	}
	for _, key := range []string{"cacert", "ca.crt"} {
		if roots, ok := data[key]; ok {
			if len(roots) == 0 {
				return nil, fmt.Sprintf("found key %q, but it was empty", key)
			}
			return roots, ""
		}
	}
	return nil, "found secret, but didn't have expected keys cacert or ca.crt; found: " + strings.Join(slices.Sorted(maps.Keys(data)), ", ")
}
