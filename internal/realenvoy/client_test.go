package realenvoy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/pkg/simulate"
)

// client makes calls as they are written: byte by byte, since Go's own client tidies up paths and headers.
type client struct {
	network envoytest.Network
	// certificates are those that a caller shows over mtls, by identity.
	certificates map[string]tls.Certificate
}

// connection is what came of a call: closed without an answer, or what was answered. Of a call over TCP there is the echo server's answer alone.
type connection struct {
	closed bool
	// why tells what closed means.
	why error
	seen
	// source is the address that the call came from.
	source string
}

// call makes a call on a connection of its own.
func (c *client) call(t *testing.T, call simulate.Call) connection {
	t.Helper()
	conn, err := envoytest.Dial(c.network, net.JoinHostPort(call.Address, strconv.FormatUint(uint64(call.Port), 10)))
	if err != nil {
		return connection{closed: true, why: err}
	}
	defer conn.Close()
	r := connection{}
	r.source, _, _ = net.SplitHostPort(conn.LocalAddr().String())
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r.seen, err = c.talk(conn, call)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("%s: no answer: %v", describe(call), err)
	}
	r.closed, r.why = err != nil, err
	return r
}

func (c *client) talk(conn net.Conn, call simulate.Call) (seen, error) {
	if call.TLS == simulate.TLS || call.TLS == simulate.MTLS {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: call.SNI}
		if call.ALPN != "" {
			config.NextProtos = strings.Split(call.ALPN, ",")
		}
		if call.TLS == simulate.MTLS {
			config.Certificates = []tls.Certificate{c.certificates[call.Source]}
		}
		encrypted := tls.Client(conn, config)
		if err := encrypted.Handshake(); err != nil {
			return seen{}, err
		}
		conn = encrypted
	}
	switch call.Protocol {
	case simulate.TCP:
		return speakRaw(conn)
	case simulate.HTTP2:
		return speakHTTP2(conn, call)
	}
	return speakHTTP1(conn, call)
}

// speakRaw sends what is no HTTP.
func speakRaw(conn net.Conn) (seen, error) {
	s := seen{status: http.StatusOK}
	if _, err := conn.Write(append([]byte{envoytest.RawByte}, "meshc\r\n\r\n"...)); err != nil {
		return s, err
	}
	return s, json.NewDecoder(conn).Decode(&s.answer)
}

func speakHTTP1(conn net.Conn, call simulate.Call) (seen, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", call.Method, call.Path, call.Host)
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		fmt.Fprintf(&out, "%s: %s\r\n", name, call.Headers[name])
	}
	out.WriteString("\r\n")
	if _, err := io.WriteString(conn, out.String()); err != nil {
		return seen{}, err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: call.Method})
	if err != nil {
		return seen{}, err
	}
	defer r.Body.Close()
	return readSeen(r.StatusCode, r.Header, r.Body)
}

func readSeen(status int, header http.Header, body io.Reader) (seen, error) {
	s := seen{status: status, location: header.Get("Location")}
	text, err := io.ReadAll(body)
	if status == http.StatusOK {
		// A direct response of 200 comes from no echo server.
		_ = json.Unmarshal(text, &s.answer)
	}
	return s, err
}

// seen is what came of a call at Envoy. The answer is that of an echo server, where one was reached.
type seen struct {
	status   int
	location string
	answer   envoytest.Answer
}

// errReset is how the server of an HTTP/2 connection ends it or the stream.
var errReset = errors.New("reset by the server")

func speakHTTP2(conn net.Conn, call simulate.Call) (seen, error) {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return seen{}, err
	}
	framer := http2.NewFramer(conn, bufio.NewReader(conn))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		return seen{}, err
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: requestBlock(call), EndStream: true, EndHeaders: true}); err != nil {
		return seen{}, err
	}
	status, header, body := 0, http.Header{}, &bytes.Buffer{}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return seen{}, err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			status, err = strconv.Atoi(f.PseudoValue("status"))
			for _, h := range f.RegularFields() {
				header.Add(h.Name, h.Value)
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			body.Write(f.Data())
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			err = errReset
		}
		if err != nil {
			return seen{}, err
		}
		if ended {
			return readSeen(status, header, body)
		}
	}
}

func requestBlock(call simulate.Call) []byte {
	var block bytes.Buffer
	scheme := "http"
	if call.TLS != simulate.Plaintext && call.TLS != "" {
		scheme = "https"
	}
	encoder := hpack.NewEncoder(&block)
	write := func(name, value string) {
		// The buffer takes whatever is written to it.
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	write(":method", call.Method)
	write(":scheme", scheme)
	write(":path", call.Path)
	if call.Host != "" {
		write(":authority", call.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		write(strings.ToLower(name), call.Headers[name])
	}
	return block.Bytes()
}

func describe(c simulate.Call) string {
	words := []string{string(c.Mode), net.JoinHostPort(c.Address, strconv.Itoa(int(c.Port))), c.Protocol, c.TLS}
	if c.TLS != simulate.Plaintext {
		words = append(words, fmt.Sprintf("sni=%q alpn=%q source=%q", c.SNI, c.ALPN, c.Source))
	}
	return fmt.Sprintf("%s, %s %s%s %v", strings.Join(words, " "), c.Method, c.Host, c.Path, c.Headers)
}
