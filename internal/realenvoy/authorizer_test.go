package realenvoy

import (
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/meshc/meshc/internal/envoytest"
)

// authorizer answers external authorization over HTTP, and over gRPC as envoy.service.auth.v3.Authorization does: Jane may, nobody else; whoever
// connects without saying who may if gate is open.
type authorizer struct {
	asked atomic.Int64
	gate  atomic.Bool
	// path and mesh are what was last asked over HTTP: for which path, and the header that the mesh adds.
	path, mesh atomic.Value
}

// startAuthorizer starts it in the network and returns its address.
func startAuthorizer(t *testing.T, network envoytest.Network) (*authorizer, string) {
	t.Helper()
	a := &authorizer{}
	l, err := envoytest.Listen(network, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(a)
	s.Listener.Close()
	s.Listener = l
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return a, l.Addr().String()
}

func (a *authorizer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked.Add(1)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		a.serveGRPC(w, r)
		return
	}
	a.path.Store(r.URL.Path)
	a.mesh.Store(r.Header.Get("X-Asked-By"))
	if r.Header.Get("X-User") == "jane" {
		w.Header().Set("X-Decided-By", "gatekeeper")
		w.Header().Set("X-Welcome", "jane")
		w.Header().Set("X-Secret", "kept")
		return
	}
	w.Header().Set("X-Why", "not jane")
	w.Header().Set("X-Secret", "kept")
	w.WriteHeader(http.StatusUnauthorized)
}

// serveGRPC answers a CheckRequest by a CheckResponse
// (https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/auth/v3/external_auth.proto).
func (a *authorizer) serveGRPC(w http.ResponseWriter, r *http.Request) {
	const frame = 5
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) < frame || r.URL.Path != "/envoy.service.auth.v3.Authorization/Check" {
		http.Error(w, "no check", http.StatusBadRequest)
		return
	}
	http2 := field(body[frame:], 1, 4, 2)
	allowed := a.gate.Load()
	if http2 != nil {
		allowed = strings.Contains(string(http2), "x-user") && strings.Contains(string(http2), "jane")
	}
	var answer []byte
	if allowed {
		// ok_response.headers: x-decided-by.
		header := message(message(nil, 1, "x-decided-by"), 2, "gatekeeper")
		answer = message(nil, 3, string(message(nil, 2, string(message(nil, 1, string(header))))))
	} else {
		const permissionDenied, teapot = 7, 418
		status := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), permissionDenied)
		code := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), teapot)
		denied := message(message(nil, 1, string(code)), 3, "not jane")
		answer = message(message(nil, 1, string(status)), 2, string(denied))
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer)))
	// Envoy may have given up waiting; then it has no use for the answer.
	_, _ = w.Write(append(head, answer...))
	w.Header().Set("Grpc-Status", strconv.Itoa(0))
}

// message appends a field of bytes.
func message(b []byte, number protowire.Number, content string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), content)
}

// field returns the bytes of a field of nested messages, nil where it is not set.
func field(b []byte, path ...protowire.Number) []byte {
	for _, want := range path {
		var found []byte
		for len(b) > 0 {
			number, kind, n := protowire.ConsumeField(b)
			if n < 0 {
				return nil
			}
			if number == want && kind == protowire.BytesType {
				_, _, tag := protowire.ConsumeTag(b)
				found, _ = protowire.ConsumeBytes(b[tag:n])
			}
			b = b[n:]
		}
		if found == nil {
			return nil
		}
		b = found
	}
	return b
}
