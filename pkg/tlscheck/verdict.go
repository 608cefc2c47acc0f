package tlscheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/model"
)

// decide tells whether what the client speaks is what the server takes, in words where it is no plain OK. The endpoint is nil where none is
// known.
func decide(c speaker, s server, e *model.Endpoint) (status Status, reason, fix string) {
	switch {
	case s.Mode == Outside:
		return Unknown, "what the server takes is not known: it is outside the mesh", ""
	case s.Mode == Gateway:
		return atGateway(c, s)
	case c.Sends == Plaintext:
		return plaintext(c, s)
	case c.Sends == AppTLS:
		return appTLS(c, s)
	case c.Sends == MeshMTLS:
		return meshMTLS(c, s, e)
	}
	return ownTLS(c, s)
}

// plaintext is taken by workloads without a sidecar and wherever mTLS is not demanded.
func plaintext(c speaker, s server) (Status, string, string) {
	if !s.sidecar || s.plaintext {
		return OK, "", ""
	}
	return Conflict, "the client sends plaintext; the server takes mTLS alone (STRICT)", encrypt(c, s)
}

// appTLS reaches an application without a sidecar, and with one where the sidecar passes it through.
func appTLS(c speaker, s server) (Status, string, string) {
	if !s.sidecar {
		return OK, "", ""
	}
	w, ok := s.meets(nil)
	switch {
	case !ok:
		return Conflict, fmt.Sprintf("the client passes on the application's TLS; the server's port takes plaintext HTTP and the mesh's mTLS alone (%s)", s.Mode), encrypt(c, s)
	case w.ends:
		return Conflict, "the client passes on the application's TLS without the mesh's around it; the server takes mTLS alone (STRICT)", encrypt(c, s)
	case w.http:
		return Conflict, fmt.Sprintf("the client passes on the application's TLS; the server's port reads plaintext HTTP (%s)", s.Mode),
			"give the port of both services the same protocol"
	}
	return OK, "", ""
}

// encrypt tells how a client that does not speak the mesh's mTLS comes to.
func encrypt(c speaker, s server) string {
	switch {
	case c.Mode == NoProxy:
		return "give the client a sidecar, or make the port PERMISSIVE in " + s.Policy.name()
	case c.fromNamespace:
		return fmt.Sprintf("give the whole namespace the mode PERMISSIVE in %s, or call the service by a DestinationRule with tls.mode ISTIO_MUTUAL", c.Policy.name())
	case c.passesThrough:
		return "give every endpoint of the service a sidecar, or make the port PERMISSIVE in " + s.Policy.name()
	case c.Mode == Auto:
		return "call the service by a DestinationRule with tls.mode ISTIO_MUTUAL, or make the port PERMISSIVE in " + s.Policy.name()
	case c.Policy.kind() == "DestinationRule":
		return useMeshMTLS(c)
	}
	return "set enableAutoMtls to true in the mesh's settings, or call the service by a DestinationRule with tls.mode ISTIO_MUTUAL"
}

// useMeshMTLS tells how a rule's clients come to speak the mesh's mTLS.
func useMeshMTLS(c speaker) string {
	fix := "set tls.mode to ISTIO_MUTUAL in " + c.Policy.name()
	if c.automatic {
		fix += ", or take tls out of it so that mTLS is automatic"
	}
	return fix
}

// meshMTLS needs a sidecar at the other end, whose certificate holds a name that the client takes.
func meshMTLS(c speaker, s server, e *model.Endpoint) (Status, string, string) {
	mode := "take tls out of " + c.Policy.name() + ", so that clients send what the server takes"
	if c.Mode == Auto {
		mode = "call the service by a DestinationRule with tls.mode DISABLE"
	}
	switch {
	case !s.sidecar:
		return Conflict, "the client sends the mesh's mTLS; the server has no sidecar that could end it", "give the workload a sidecar, or " + mode
	case !s.mtls:
		return Conflict, "the client sends the mesh's mTLS; the server takes plaintext alone (DISABLE)", mode + ", or make the port PERMISSIVE in " + s.Policy.name()
	case c.Mode != Auto && e != nil && e.ServiceAccount != "" && len(c.names) > 0 && !slices.Contains(c.names, e.ServiceAccount):
		return Conflict, fmt.Sprintf("the client takes a certificate for %s alone; the server's is for %s", strings.Join(c.names, " or "), e.ServiceAccount),
			fmt.Sprintf("add %s to subjectAltNames in %s, or leave them out: the service accounts of the endpoints are taken then", e.ServiceAccount, c.Policy.name())
	}
	return OK, "", ""
}

// ownTLS is TLS that is not the mesh's: it passes through to the application where the sidecar lets it, and is none of the mesh's business.
func ownTLS(c speaker, s server) (Status, string, string) {
	if !s.sidecar {
		return Unknown, "TLS goes to the application, which must end it: the server has no sidecar", ""
	}
	w, ok := s.meets(c.alpn)
	fix := useMeshMTLS(c)
	if !s.mtls {
		fix = "take tls out of " + c.Policy.name() + ", so that clients send plaintext"
	}
	switch {
	case !ok:
		return Conflict, fmt.Sprintf("the client sends TLS of its own (%s); the server's port takes plaintext HTTP and the mesh's mTLS alone (%s)", c.Mode, s.Mode), fix
	case w.ends && c.Sends == TLS:
		return Conflict, fmt.Sprintf("the client sends TLS without a certificate (%s); the server takes mTLS alone (%s)", c.Mode, s.Mode), fix
	case w.ends:
		return Unknown, "the server takes the client's own certificate only where the mesh's authority signed it for a workload of the mesh", ""
	case w.http:
		return Conflict, fmt.Sprintf("the client sends TLS of its own (%s); the server's port reads plaintext HTTP (%s)", c.Mode, s.Mode), fix
	}
	return Unknown, "TLS passes through the sidecar to the application, which must end it", ""
}

func (p *Policy) kind() string {
	if p == nil {
		return ""
	}
	return p.Resource.Kind
}

// name is how fixes speak of a policy.
func (p *Policy) name() string {
	if p == nil {
		return "its policy"
	}
	if p.Resource.Namespace == "" {
		return p.Resource.Kind + " " + p.Resource.Name
	}
	return p.Resource.Kind + " " + p.Resource.Namespace + "/" + p.Resource.Name
}
