package simulate

import (
	"net/netip"
	"strconv"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// request is an HTTP request as Envoy sees it when it looks for a route.
type request struct {
	method, scheme, host, path string
	// headers by lower-case name, those that Envoy adds before routing among them; pseudo-headers are the fields above.
	headers map[string]string
	// metadata is what filters left for routes to match by.
	metadata map[string]*structpb.Struct
	// client is the address of who calls, as far as the proxy trusts what it is told.
	client netip.Addr
}

// header returns a header's value; names are lower-case, and pseudo-headers have theirs (:authority, which "host" means too).
func (r *request) header(name string) (string, bool) {
	switch name {
	case ":authority", "host":
		return r.host, true
	case ":method":
		return r.method, true
	case ":path":
		return r.path, true
	case ":scheme":
		return r.scheme, true
	}
	value, ok := r.headers[name]
	return value, ok
}

// readRequest does to the request what the connection manager does before it routes it, and reports whether the request goes on.
func (w *walk) readRequest(m *hcmv3.HttpConnectionManager) bool {
	r := &request{method: w.call.Method, host: w.call.Host, path: w.call.Path, headers: map[string]string{}}
	w.request = r
	for name, value := range w.call.Headers {
		if name = strings.ToLower(name); !strings.HasPrefix(name, ":") {
			r.headers[name] = strings.Trim(value, " \t")
		}
	}
	if host, ok := r.headers["host"]; ok {
		if r.host == "" {
			r.host = host
		}
		delete(r.headers, "host")
	}
	if _, given := r.headers["authorization"]; !given && len(w.call.Claims) > 0 {
		r.headers["authorization"] = bearer + "token"
	}
	if w.call.Protocol == HTTP2 {
		r.readFrames(w.call.TLS)
	}
	r.readAbsoluteForm()
	if w.checkStart() && w.normalizePath(m) {
		r.normalizeHost(m, w.connection.port)
		w.readClient(m)
		w.addForwarded(m)
		w.cleanHeaders(m)
		return true
	}
	return false
}

// readFrames is what HTTP/2 does otherwise: the client names the scheme itself, and an empty cookie is none, since cookies are put together from
// crumbs.
func (r *request) readFrames(encryption string) {
	r.scheme = "http"
	if encryption != Plaintext {
		r.scheme = "https"
	}
	if r.headers["cookie"] == "" {
		delete(r.headers, "cookie")
	}
}

// aboutConnection names a header of the request that is about a connection, which HTTP/2 forbids (RFC 9113, section 8.2.2).
func (r *request) aboutConnection() string {
	for _, name := range []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"} {
		if _, given := r.headers[name]; given {
			return name
		}
	}
	if te, given := r.headers["te"]; given && te != "trailers" {
		return "te"
	}
	return ""
}

// readAbsoluteForm splits a target that holds a whole URL, as clients send it to a proxy.
func (r *request) readAbsoluteForm() {
	scheme, rest, ok := strings.Cut(r.path, "://")
	if !ok || strings.HasPrefix(r.path, "/") {
		return
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	r.scheme, r.host, r.path = strings.ToLower(scheme), rest[:end], rest[end:]
	if r.path == "" {
		r.path = "/"
	}
}

// checkStart refuses methods that Envoy's HTTP/1 codec does not know, and targets that are no path or hold what no client may send unescaped.
func (w *walk) checkStart() bool {
	r := w.request
	refuse := func(status uint32, why string) bool {
		w.step(StageRequest, nil, "the path %q %s", r.path, why)
		w.out.Status = status
		w.fail(ProtocolError)
		return false
	}
	if w.call.Protocol == HTTP && !knownMethod(r.method) {
		w.step(StageRequest, nil, "HTTP/1 has no method %q", r.method)
		w.out.Status = 400
		w.fail(ProtocolError)
		return false
	}
	if w.call.Protocol == HTTP2 && r.aboutConnection() != "" {
		w.step(StageRequest, nil, "HTTP/2 has no such header: %s", r.aboutConnection())
		w.fail(ProtocolError)
		return false
	}
	if strings.ContainsFunc(r.host, notInAuthority) {
		w.step(StageRequest, nil, "the host %q holds what no host may", r.host)
		if w.call.Protocol == HTTP {
			w.out.Status = 400
		}
		w.fail(ProtocolError)
		return false
	}
	if strings.ContainsFunc(r.path, func(c rune) bool { return c <= ' ' || c == 0x7f || c > 0x7f && w.call.Protocol == HTTP }) {
		return refuse(400, "holds characters that must be escaped")
	}
	if r.method == "CONNECT" || strings.HasPrefix(r.path, "/") || r.path == "*" && r.method == "OPTIONS" {
		return true
	}
	if w.call.Protocol == HTTP && !strings.HasPrefix(r.path, "?") {
		return refuse(400, "does not begin with /")
	}
	return refuse(404, "does not begin with /")
}

// readableTarget tells the request targets that a reader of HTTP/1 makes something of: a path, *, or a whole URL, and what CONNECT has.
func readableTarget(method, target string) bool {
	unreadable := func(c rune) bool { return (c < '!' || c > '~') && c != '\t' && c != '\f' }
	if strings.ContainsFunc(target, unreadable) {
		return false
	}
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, "*") {
		return true
	}
	if method != "CONNECT" {
		scheme, rest, ok := strings.Cut(target, "://")
		if !ok || scheme == "" || strings.ContainsFunc(scheme, func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("+-.", c) }) {
			return false
		}
		target = rest
	}
	if end := strings.IndexAny(target, "/?"); end >= 0 {
		target = target[:end]
	}
	return !strings.ContainsFunc(target, notInAuthority) && !strings.Contains(target, "@@")
}

func isAlphanumeric(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// notInAuthority tells the characters that no :authority holds (RFC 3986, section 3.2).
func notInAuthority(c rune) bool {
	return !isAlphanumeric(c) && !strings.ContainsRune("!$&'()*+,-.:;=@[]_~%", c)
}

// knownMethod tells the methods that Envoy reads over HTTP/1.
func knownMethod(method string) bool {
	switch method {
	case "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL",
		"MOVE", "MSEARCH", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE",
		"SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE":
		return true
	}
	return false
}

// normalizeHost takes off the host what the connection manager is told to.
func (r *request) normalizeHost(m *hcmv3.HttpConnectionManager, listenerPort uint32) {
	if m.GetStripTrailingHostDot() {
		host, port := splitPort(r.host)
		r.host = strings.TrimSuffix(host, ".") + port
	}
	host, port := splitPort(r.host)
	number, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16)
	if err == nil && (m.GetStripAnyHostPort() || m.GetStripMatchingHostPort() && uint32(number) == listenerPort) {
		r.host = host
	}
}

// splitPort splits a host from its port, which keeps its colon; an IPv6 address has brackets.
func splitPort(host string) (name, port string) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.LastIndexByte(host, ']') > colon {
		return host, ""
	}
	return host[:colon], host[colon:]
}

// addForwarded sets the headers by which Envoy knows how the request came (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers).
func (w *walk) addForwarded(m *hcmv3.HttpConnectionManager) {
	r := w.request
	actual := "http"
	if w.connection.decrypted {
		actual = "https"
	}
	const proto = "x-forwarded-proto"
	if _, given := r.headers[proto]; !given || m.GetUseRemoteAddress().GetValue() && m.GetXffNumTrustedHops() == 0 {
		r.headers[proto] = actual
	}
	if to := m.GetSchemeHeaderTransformation().GetSchemeToOverwrite(); to != "" {
		r.scheme, r.headers[proto] = to, to
	}
	if r.scheme == "" {
		if r.scheme = strings.ToLower(r.headers[proto]); r.scheme != "http" && r.scheme != "https" {
			r.scheme = actual
		}
	}
	if m.GetUseRemoteAddress().GetValue() && w.connection.source.IsValid() {
		chain := w.connection.source.String()
		if before := r.headers["x-forwarded-for"]; before != "" {
			chain = before + "," + chain
		}
		r.headers["x-forwarded-for"] = chain
	}
	if _, given := r.headers["x-request-id"]; !given && m.GetGenerateRequestId().GetValue() || m.GetGenerateRequestId() == nil && !given {
		// Envoy draws one at random; no rule can be about its value.
		r.headers["x-request-id"] = "00000000-0000-4000-8000-000000000000"
	}
}

// isGRPC tells a gRPC request by its content type.
func (r *request) isGRPC() bool {
	kind, ok := r.headers["content-type"]
	rest, isGRPC := strings.CutPrefix(kind, "application/grpc")
	return ok && isGRPC && (rest == "" || rest[0] == '+')
}
