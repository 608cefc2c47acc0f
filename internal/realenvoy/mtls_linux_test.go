package realenvoy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
)

// pods are the sidecars of a mesh, each in a network namespace of its own and joined to that of the ledger, and a client outside of the mesh.
type pods struct {
	t       *testing.T
	ca      *authority
	service string
	ledger  *envoytest.Namespace
	window  *envoytest.Namespace
	intrude *envoytest.Namespace
	outside *envoytest.Namespace
	// pod is the address of the ledger's pod, and sidecar its Envoy.
	pod     string
	sidecar *envoytest.Envoy
}

// startPods runs the mesh: clients call through their own sidecars, whose connections arrive redirected at the ledger's.
func startPods(t *testing.T, mode string) *pods {
	t.Helper()
	mesh := world(t, "internal/realenvoy/testdata/mtls/mesh.yaml", "internal/realenvoy/testdata/mtls/"+mode+".yaml")
	p := &pods{t: t, ca: newAuthority(t)}
	p.service = net.JoinHostPort(mesh.ServicesByHost("ledger.shop.svc.cluster.local")[0].Addresses[0], "8080")
	ledger := proxy(t, mesh, "ledger.shop")
	p.pod = ledger.IP
	p.ledger = envoytest.NewNamespace(t, ledger.IP)
	p.serveLedger()
	p.sidecar = p.start(mesh, ledger, p.ledger)
	for id, in := range map[string]**envoytest.Namespace{"window.shop": &p.window, "intruder.shop": &p.intrude} {
		client := proxy(t, mesh, id)
		*in = envoytest.NewNamespace(t, client.IP)
		envoytest.Link(t, *in, client.IP, p.ledger, ledger.IP)
		p.start(mesh, client, *in)
	}
	const outsider = "192.0.2.50"
	p.outside = envoytest.NewPlainNamespace(t, outsider)
	envoytest.Link(t, p.outside, outsider, p.ledger, ledger.IP)
	return p
}

// start runs a sidecar as it was compiled, nothing rewritten: its certificates are in the directory that it was told.
func (p *pods) start(mesh *model.Mesh, of *model.Proxy, in *envoytest.Namespace) *envoytest.Envoy {
	p.t.Helper()
	dir := p.ca.secretsDir(p.t, mesh.Settings.TrustDomain()+"/ns/"+of.Namespace+"/sa/"+of.ServiceAccount)
	text, err := emit.Bootstrap(compile.Compile(mesh, of, compile.Options{SecretsDir: dir}))
	if err != nil {
		p.t.Fatal(err)
	}
	return envoytest.Start(p.t, text, envoytest.Options{Network: in})
}

// serveLedger starts the application, which listens on its pod's address as any other.
func (p *pods) serveLedger() {
	p.t.Helper()
	echo := envoytest.EchoIn(p.t, p.ledger, "ledger")
	l, err := envoytest.Listen(p.ledger, net.JoinHostPort(p.pod, "8080"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go forward(p.ledger, conn, echo)
		}
	}()
}

// forward joins a connection to a server.
func forward(network envoytest.Network, conn net.Conn, to string) {
	defer conn.Close()
	up, err := envoytest.Dial(network, to)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, conn)
		up.Close()
	}()
	_, _ = io.Copy(conn, up)
}

// call asks for a path over a connection from the namespace, in plaintext or with the TLS settings. The status is 0 where it is closed unanswered.
func (p *pods) call(from *envoytest.Namespace, address, path string, config *tls.Config) (status int, answer envoytest.Answer) {
	p.t.Helper()
	conn, err := envoytest.Dial(from, address)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: ledger.shop:8080\r\n\r\n"); err != nil {
		return 0, answer
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if isTimeout(err) {
		p.t.Fatal(err)
	}
	if err != nil {
		return 0, answer
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusOK {
		if answer, err = envoytest.ReadAnswer(r); err != nil {
			p.t.Fatal(err)
		}
	}
	return r.StatusCode, answer
}

// clientOf is the TLS of a client that has the identity and knows how a client of the mesh introduces itself.
func clientOf(t *testing.T, ca *authority, identity string) *tls.Config {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"istio-http/1.1"}}
	if identity != "" {
		certificate := ca.certificateOf(t, identity)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	return config
}

// TestSidecarsSpeakMutualTLS: between two sidecars plaintext becomes mutual TLS without either application knowing, policies go by the names
// in certificates, and a client outside of the mesh gets through exactly where the mode is PERMISSIVE.
func TestSidecarsSpeakMutualTLS(t *testing.T) {
	for mode, outsider := range map[string]int{"strict": 0, "permissive": http.StatusOK} {
		t.Run(mode, func(t *testing.T) {
			p := startPods(t, mode)
			direct := net.JoinHostPort(p.pod, "8080")

			status, answer := p.call(p.window, p.service, "/private", nil)
			forwarded := answer.Headers.Get("X-Forwarded-Client-Cert")
			if status != http.StatusOK || answer.Server != "ledger" {
				t.Fatalf("the window gets %d from %q", status, answer.Server)
			}
			for _, want := range []string{"By=spiffe://cluster.local/ns/shop/sa/ledger", "URI=spiffe://cluster.local/ns/shop/sa/window"} {
				if !strings.Contains(forwarded, want) {
					t.Errorf("the ledger is told of the client %q, want %s in it", forwarded, want)
				}
			}
			if stats := string(p.sidecar.Get(t, "/stats?filter=15006.ssl.handshake")); !strings.HasSuffix(strings.TrimSpace(stats), ": 1") {
				t.Errorf("handshakes at the ledger's sidecar: %q, want 1", stats)
			}

			for _, test := range []struct {
				who    string
				from   *envoytest.Namespace
				to     string
				path   string
				config *tls.Config
				want   int
			}{
				{"the window", p.window, p.service, "/accounts", nil, http.StatusOK},
				{"the intruder, who has a certificate too", p.intrude, p.service, "/accounts", nil, http.StatusForbidden},
				{"an outsider in plaintext", p.outside, direct, "/accounts", nil, outsider},
				{"an outsider by TLS without a certificate", p.outside, direct, "/accounts", clientOf(t, p.ca, ""), 0},
				{"an outsider with a certificate of another authority", p.outside, direct, "/accounts", clientOf(t, newAuthority(t), "cluster.local/ns/shop/sa/window"), 0},
				{"an outsider with a certificate of another trust domain", p.outside, direct, "/accounts", clientOf(t, p.ca, "foreign.example/ns/shop/sa/window"), 0},
				{"an outsider with the window's own certificate", p.outside, direct, "/private", clientOf(t, p.ca, "cluster.local/ns/shop/sa/window"), http.StatusOK},
			} {
				status, answer := p.call(test.from, test.to, test.path, test.config)
				if status != test.want {
					t.Errorf("%s gets %d for %s, want %d (0 is none)", test.who, status, test.path, test.want)
				}
				if told := answer.Headers.Get("X-Forwarded-Client-Cert"); status == http.StatusOK && test.from == p.outside && test.config == nil && told != "" {
					t.Errorf("%s is known by a certificate: %s", test.who, told)
				}
			}
			if mode == "permissive" {
				if status, _ := p.call(p.outside, direct, "/private", nil); status != http.StatusForbidden {
					t.Errorf("an outsider without a name gets %d for what only the window may see, want 403", status)
				}
			}
		})
	}
}
