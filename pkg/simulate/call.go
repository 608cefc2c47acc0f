package simulate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/model"
)

// Mode says how a call reaches the proxy.
type Mode string

const (
	// Outbound: the workload made the connection and it was redirected to the proxy's outbound port (15001).
	Outbound Mode = "outbound"
	// Inbound: the connection was made to the workload and redirected to the proxy's inbound port (15006).
	Inbound Mode = "inbound"
	// Gateway: the connection was made to one of the proxy's own listeners. At a sidecar, whose listeners other than the two virtual ones bind
	// no port, it ends where an outbound one does.
	Gateway Mode = "gateway"
)

// Protocols of a call.
const (
	HTTP  = "http"
	HTTP2 = "http2"
	TCP   = "tcp"
)

// Kinds of encryption of a call.
const (
	Plaintext = "plaintext"
	TLS       = "tls"
	MTLS      = "mtls"
)

// Call is one call, as the calls file gives it.
type Call struct {
	// Name tells calls apart in the answer; it need not be unique.
	Name string `json:"name"`
	// Mode is outbound at a sidecar and gateway at a gateway unless said.
	Mode Mode `json:"mode"`
	// Address and Port are where the connection was made to. Without an address an outbound call goes to that of the service which the host (or
	// else the SNI) names, as the client's DNS would tell; an inbound one to the proxy's own; any other to one that no listener is bound to alone.
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	// Protocol is http, http2 or tcp; http unless said.
	Protocol string `json:"protocol"`
	// TLS is plaintext, tls, or mtls (with a client certificate); plaintext unless said.
	TLS string `json:"tls"`
	// SNI is the server name that the client asks for in the TLS handshake, "" for none.
	SNI string `json:"sni"`
	// ALPN lists the application protocols that the client offers, with commas between them. Empty, it is what such a client offers:
	// istio-http/1.1, istio-h2 or istio over mtls; http/1.1, h2 or nothing over tls.
	ALPN string `json:"alpn"`
	// Host is the Host header (:authority), with the port where the client sends one.
	Host string `json:"host"`
	// Path is the request's path with its query; / unless said.
	Path string `json:"path"`
	// Method is GET unless said.
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	// Source is the caller's identity over mtls: cluster.local/ns/NS/sa/SA, or a workload or proxy NAME.NAMESPACE.
	Source string `json:"source"`
	// SourceIP is the caller's address as the proxy sees it, "" for one that no rule is about.
	SourceIP string `json:"sourceIP"`
	// Claims are those of a valid token in the Authorization header, signed by whom its iss names. A token may also stand, whole, wherever the
	// request holds one; then its signature counts, where the configuration holds the keys.
	Claims map[string]any `json:"claims"`
}

// withDefaults fills in what a call leaves out.
func (s *Simulator) withDefaults(c Call) Call {
	if c.Mode == "" {
		c.Mode = Outbound
		if s.cfg.Proxy.Type == model.Router {
			c.Mode = Gateway
		}
	}
	setDefault(&c.Protocol, HTTP)
	setDefault(&c.TLS, Plaintext)
	setDefault(&c.Path, "/")
	setDefault(&c.Method, "GET")
	switch c.Mode {
	case Inbound:
		setDefault(&c.Address, s.cfg.Proxy.IP)
	case Outbound:
		setDefault(&c.Address, s.lookUp(cmp.Or(c.Host, c.SNI)))
	}
	if c.ALPN == "" && c.TLS != Plaintext {
		c.ALPN = defaultALPN(c.TLS, c.Protocol)
	}
	return c
}

// lookUp finds the address of a service by a name that a client in the proxy's namespace may use, "" where there is none.
func (s *Simulator) lookUp(host string) string {
	if s.mesh == nil || host == "" {
		return ""
	}
	name, _ := splitPort(lowerASCII(host))
	name = strings.TrimSuffix(name, ".")
	domain := s.mesh.Settings.DomainSuffix
	for _, search := range []string{"", "." + s.cfg.Proxy.Namespace + ".svc." + domain, ".svc." + domain, "." + domain} {
		for _, service := range s.mesh.ServicesByHost(name + search) {
			for _, a := range service.Addresses {
				if _, err := netip.ParseAddr(a); err == nil {
					return a
				}
			}
		}
	}
	return ""
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// defaultALPN is what a client of the kind offers.
func defaultALPN(tls, protocol string) string {
	switch {
	case tls == MTLS && protocol == HTTP:
		return "istio-http/1.1"
	case tls == MTLS && protocol == HTTP2:
		return "istio-h2"
	case tls == MTLS:
		return "istio"
	case protocol == HTTP:
		return "http/1.1"
	case protocol == HTTP2:
		return "h2"
	}
	return ""
}

// complaint tells what is wrong with a call, "" for nothing, and the field that it is about.
func (c *Call) complaint() (field, why string) {
	oneOf := func(name, value string, allowed ...string) bool {
		if value == "" || slices.Contains(allowed, value) {
			return true
		}
		field, why = name, fmt.Sprintf("%s is %q; it must be %s", name, value, strings.Join(allowed, ", "))
		return false
	}
	ip := func(name, value string) bool {
		if _, err := netip.ParseAddr(value); value == "" || err == nil {
			return true
		}
		field, why = name, fmt.Sprintf("%s is %q, which is no IP address", name, value)
		return false
	}
	if !oneOf("mode", string(c.Mode), string(Outbound), string(Inbound), string(Gateway)) ||
		!oneOf("protocol", c.Protocol, HTTP, HTTP2, TCP) || !oneOf("tls", c.TLS, Plaintext, TLS, MTLS) ||
		!ip("address", c.Address) || !ip("sourceIP", c.SourceIP) {
		return field, why
	}
	switch {
	case c.Port == 0 || c.Port > 65535:
		return "port", fmt.Sprintf("port is %d; it must be from 1 to 65535", c.Port)
	case c.Path != "" && c.Path[0] != '/' && !strings.Contains(c.Path, "://") && c.Method != "CONNECT" && c.Path != "*":
		return "path", fmt.Sprintf("path is %q; it must begin with /", c.Path)
	}
	return "", ""
}

// identities maps workloads and proxies, as NAME.NAMESPACE, to their identities.
func identities(cfg *compile.Configuration, mesh *model.Mesh) map[string]string {
	known := map[string]string{}
	if mesh == nil {
		return known
	}
	add := func(name, namespace, account string) {
		if account == "" {
			account = "default"
		}
		known[name+"."+namespace] = fmt.Sprintf("%s/ns/%s/sa/%s", cfg.Settings.TrustDomain(), namespace, account)
	}
	for _, w := range mesh.Workloads() {
		add(w.Name, w.Namespace, w.ServiceAccount)
	}
	for _, p := range mesh.Proxies() {
		add(p.Name, p.Namespace, p.ServiceAccount)
	}
	return known
}

// identity is the name in the caller's certificate, spiffe://TRUSTDOMAIN/ns/NS/sa/SA; "" where the call does not say.
func (w *walk) identity() string {
	source := w.call.Source
	if known, ok := w.sim.identities[source]; ok {
		source = known
	}
	if source == "" || strings.HasPrefix(source, "spiffe://") {
		return source
	}
	return "spiffe://" + source
}
