package simulate

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// Upstream is what a request looks like when it leaves the proxy.
type Upstream struct {
	Host string
	Path string
	// Headers are the others, by lower-case name. Of X-Request-Id and X-Forwarded-Client-Cert, which hold what only chance and certificates know,
	// there is only what can be known: a stand-in, and the caller's URI. Headers that carry traces are left out.
	Headers map[string][]string
}

// edited is a part of the configuration that changes the headers of requests.
type edited interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
}

// upstream is the request as the cluster sees it, of a weighted route that of the choice.
func (w *walk) upstream(r *route, a *routev3.RouteAction, choice *routev3.WeightedCluster_ClusterWeight) *Upstream {
	u := &Upstream{Host: w.upstreamHost(a), Path: r.upstreamPath(w.request.path, a), Headers: map[string][]string{}}
	for name, value := range w.request.headers {
		u.Headers[name] = []string{value}
	}
	// The nearest is asked first, so that what is further out has the last word, unless the table says otherwise
	// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#custom-request-response-headers).
	editors := []edited{r.Route, w.virtualHost, w.routeTable}
	if choice != nil {
		editors = append([]edited{choice}, editors...)
		if host, ok := choice.GetHostRewriteSpecifier().(*routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral); ok {
			u.Host = host.HostRewriteLiteral
		}
	}
	if w.routeTable.GetMostSpecificHeaderMutationsWins() {
		slices.Reverse(editors)
	}
	for _, e := range editors {
		w.editHeaders(u.Headers, e)
	}
	w.decorate(u.Headers, r)
	if u.Host != w.request.host {
		u.Headers["x-envoy-original-host"] = []string{w.request.host}
		if a.GetAppendXForwardedHost() {
			appendTo(u.Headers, "x-forwarded-host", w.request.host)
		}
	}
	if !w.manager.suppressesHeaders && (a.GetPrefixRewrite() != "" || a.GetRegexRewrite() != nil) {
		u.Headers["x-envoy-original-path"] = []string{w.request.path}
	}
	if limit := w.expectedTimeout(a); !w.manager.suppressesHeaders && limit > 0 {
		u.Headers["x-envoy-expected-rq-timeout-ms"] = []string{strconv.FormatInt(limit.Milliseconds(), 10)}
	}
	if w.virtualHost.GetIncludeRequestAttemptCount() {
		u.Headers["x-envoy-attempt-count"] = []string{"1"}
	}
	return u
}

// decorate tells the next proxy the name of the operation for its spans; a request that arrives is rid of the one that it was told.
func (w *walk) decorate(headers map[string][]string, r *route) {
	const header = "x-envoy-decorator-operation"
	decorator := r.GetDecorator()
	switch {
	case !w.manager.traced:
	case w.manager.outbound && decorator.GetOperation() != "" && (decorator.GetPropagate() == nil || decorator.GetPropagate().GetValue()):
		headers[header] = []string{decorator.GetOperation()}
	case !w.manager.outbound:
		delete(headers, header)
	}
}

// appendTo adds to a list that one header holds.
func appendTo(headers map[string][]string, name, value string) {
	if before := headers[name]; len(before) > 0 {
		value = strings.Join(before, ",") + "," + value
	}
	headers[name] = []string{value}
}

// editHeaders removes first and adds then, as Envoy does.
func (w *walk) editHeaders(headers map[string][]string, e edited) {
	for _, name := range e.GetRequestHeadersToRemove() {
		delete(headers, strings.ToLower(name))
	}
	for _, option := range e.GetRequestHeadersToAdd() {
		name, value := strings.ToLower(option.GetHeader().GetKey()), w.format(option.GetHeader().GetValue())
		_, exists := headers[name]
		//lint:ignore SA1019 EnvoyFilters still hold the older field.
		older := option.GetAppend()
		switch {
		case value == "" && !option.GetKeepEmptyValue():
		case option.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD && older.GetValue() == (older != nil):
			headers[name] = append(slices.Clone(headers[name]), value)
		case option.GetAppendAction() == corev3.HeaderValueOption_ADD_IF_ABSENT && exists,
			option.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS && !exists:
		default:
			headers[name] = []string{value}
		}
	}
}

var command = regexp.MustCompile(`%%|%PROTOCOL%|%REQ\(([^)?:]*|:[^)?:]*)(?:\?([^):]*|:[^)?:]*))?\)%`)

// format writes a header's value out: a doubled % is one, %REQ(NAME?OTHER)% another header of the request, and %PROTOCOL% its version. Other commands stay as they are.
func (w *walk) format(value string) string {
	return command.ReplaceAllStringFunc(value, func(found string) string {
		switch found {
		case "%%":
			return "%"
		case "%PROTOCOL%":
			return map[string]string{HTTP: "HTTP/1.1", HTTP2: "HTTP/2"}[w.call.Protocol]
		}
		parts := command.FindStringSubmatch(found)
		for _, name := range parts[1:] {
			if value, ok := w.request.header(strings.ToLower(name)); ok && name != "" {
				return value
			}
		}
		return "-"
	})
}

// expectedTimeout is the time that the upstream is told it has: that of a try, else that of the whole request; 0 is none.
func (w *walk) expectedTimeout(a *routev3.RouteAction) time.Duration {
	whole := 15 * time.Second
	if a.GetTimeout() != nil {
		whole = a.GetTimeout().AsDuration()
	}
	retries := a.GetRetryPolicy()
	if retries == nil {
		retries = w.virtualHost.GetRetryPolicy()
	}
	try := retries.GetPerTryTimeout().AsDuration()
	if try == 0 || whole > 0 && try >= whole {
		return whole
	}
	return try
}

// ofOneHop are headers that are about the connection that the request came on.
var ofOneHop = []string{"connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding", "x-envoy-internal"}

// trustedOnly are headers that tell Envoy what to do, which it heeds from nobody outside
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/header_sanitizing).
var trustedOnly = []string{
	"x-envoy-retriable-status-codes", "x-envoy-retriable-header-names", "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries",
	"x-envoy-upstream-alt-stat-name", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
	"x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms", "x-envoy-force-trace", "x-envoy-ip-tags", "x-envoy-original-url",
	"x-envoy-hedge-on-per-try-timeout",
}

// notAtTheEdge are headers that one proxy tells the next, which nobody outside can.
var notAtTheEdge = []string{"x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node", "x-envoy-original-path", "x-envoy-original-host"}

// cleanHeaders takes out what the client may not say, and adds what the proxy knows better.
func (w *walk) cleanHeaders(m *hcmv3.HttpConnectionManager) {
	r := w.request
	atEdge := m.GetUseRemoteAddress().GetValue()
	unwanted := slices.Concat(ofOneHop, trustedOnly)
	if atEdge {
		unwanted = append(unwanted, notAtTheEdge...)
	}
	maps.DeleteFunc(r.headers, func(name, value string) bool {
		return slices.Contains(unwanted, name) || name == "te" && value != "trailers"
	})
	if atEdge && r.client.IsValid() {
		r.headers["x-envoy-external-address"] = r.client.String()
	}
	if _, given := r.headers["x-forwarded-port"]; atEdge && m.GetAppendXForwardedPort() && (!given || m.GetXffNumTrustedHops() == 0) {
		r.headers["x-forwarded-port"] = strconv.FormatUint(uint64(w.connection.port), 10)
	}
	w.forwardCertificate(m)
}

// forwardCertificate does what the connection manager is told about the header that holds the certificates of who called before.
func (w *walk) forwardCertificate(m *hcmv3.HttpConnectionManager) {
	const header = "x-forwarded-client-cert"
	details := m.GetForwardClientCertDetails()
	mutual := w.connection.certificate
	before := w.request.headers[header]
	if details != hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY && (!mutual || details == hcmv3.HttpConnectionManager_SANITIZE) {
		delete(w.request.headers, header)
	}
	if !mutual {
		return
	}
	own := "URI=" + w.identity()
	switch details {
	case hcmv3.HttpConnectionManager_SANITIZE_SET:
		w.request.headers[header] = own
	case hcmv3.HttpConnectionManager_APPEND_FORWARD:
		if before != "" {
			own = before + "," + own
		}
		w.request.headers[header] = own
	}
}

// manager is what of a connection manager bears on the headers of a request that leaves it.
type manager struct {
	// outbound tells the direction of its listener, traced that it makes spans, suppressesHeaders that its router keeps x-envoy- headers to itself.
	outbound, traced, suppressesHeaders bool
}

func (w *walk) managerOf(m *hcmv3.HttpConnectionManager) manager {
	out := manager{outbound: w.listenedOn.GetTrafficDirection() == corev3.TrafficDirection_OUTBOUND, traced: m.GetTracing() != nil}
	for _, f := range m.GetHttpFilters() {
		if config, ok := w.sim.unpack(f.GetTypedConfig()).(*routerv3.Router); ok {
			out.suppressesHeaders = config.GetSuppressEnvoyHeaders()
		}
	}
	return out
}
