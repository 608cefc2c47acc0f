package envoytest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Answer is what an echo server says of the request that reached it, as JSON.
type Answer struct {
	// Server is the cluster in whose place the server stands.
	Server  string      `json:"server"`
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Path    string      `json:"path"`
	Headers http.Header `json:"headers"`
	// TLS tells that the connection arrived encrypted, ServerName what it asked for.
	TLS        bool   `json:"tls"`
	ServerName string `json:"serverName"`
}

// RawByte is the first byte of what a client sends that speaks a protocol of its own: an echo server answers it with one line of JSON, the
// Answer, and closes the connection.
const RawByte = 0

// EchoEach returns an Options.Upstream that puts an echo server in the place of each cluster that pick chooses; a nil pick chooses all. The
// servers end with the test.
func EchoEach(t testing.TB, pick func(cluster string) bool) func(cluster string) string {
	return func(cluster string) string {
		if pick != nil && !pick(cluster) {
			return ""
		}
		return Echo(t, cluster)
	}
}

// Echo starts an echo server and returns its address.
func Echo(t testing.TB, name string) string {
	t.Helper()
	return EchoIn(t, machine{}, name)
}

// EchoIn starts an echo server in a network. It finds out by the first bytes what its client speaks: HTTP/1.1, HTTP/2, or a protocol of its own
// (RawByte), each with TLS or without.
func EchoIn(t testing.TB, network Network, name string) string {
	t.Helper()
	l, err := Listen(network, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := Answer{Server: name, Method: r.Method, Host: r.Host, Path: r.RequestURI, Headers: r.Header}
		if c, ok := r.Context().Value(connectionKey{}).(*sniffed); ok {
			a.TLS, a.ServerName = c.encrypted()
		}
		w.Header().Set("Content-Type", "application/json")
		// A client that has gone away needs no answer.
		_ = json.NewEncoder(w).Encode(a)
	})}
	s.ConnContext = withConnection
	done := make(chan error, 1)
	go func() { done <- s.Serve(&sniffing{Listener: l, name: name}) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String()
}

type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// sniffing is a listener whose connections take TLS as well as plaintext.
type sniffing struct {
	net.Listener
	name string
}

func (l *sniffing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sniffed{Conn: c, name: l.name}, nil
}

// sniffed looks at what comes first when it is first read from, and ends the client's TLS where that is a handshake.
type sniffed struct {
	net.Conn
	name  string
	begin sync.Once
	in    io.Reader
	out   io.Writer
	tls   *tls.Conn
	err   error
}

const handshakeByte = 0x16

func (c *sniffed) Read(p []byte) (int, error) {
	c.begin.Do(c.sniff)
	if c.err != nil {
		return 0, c.err
	}
	return c.in.Read(p)
}

func (c *sniffed) Write(p []byte) (int, error) {
	if c.out == nil {
		return c.Conn.Write(p)
	}
	return c.out.Write(p)
}

func (c *sniffed) sniff() {
	in := bufio.NewReader(c.Conn)
	c.in, c.out = in, c.Conn
	first, err := in.Peek(1)
	if err == nil && first[0] == handshakeByte {
		c.tls = tls.Server(&peeked{Conn: c.Conn, in: in}, anyClient())
		if c.err = c.tls.Handshake(); c.err != nil {
			return
		}
		in = bufio.NewReader(c.tls)
		c.in, c.out = in, c.tls
		first, err = in.Peek(1)
	}
	if err == nil && first[0] == RawByte {
		a := Answer{Server: c.name}
		a.TLS, a.ServerName = c.encrypted()
		_ = json.NewEncoder(c.out).Encode(a)
		c.err = io.EOF
	}
}

func (c *sniffed) encrypted() (bool, string) {
	if c.tls == nil {
		return false, ""
	}
	return true, c.tls.ConnectionState().ServerName
}

// anyClient takes every client, with or without a certificate, and the first protocol that it offers.
func anyClient() *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		config := &tls.Config{Certificates: []tls.Certificate{selfSigned()}, ClientAuth: tls.RequestClientCert}
		if len(hello.SupportedProtos) > 0 {
			config.NextProtos = hello.SupportedProtos[:1]
		}
		return config, nil
	}}
}

// peeked is a connection of which something has been read already.
type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// ReadAnswer decodes what an echo server said.
func ReadAnswer(r *http.Response) (Answer, error) {
	var a Answer
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("status %d, not from an echo server: %q", r.StatusCode, body)
	}
	return a, nil
}
