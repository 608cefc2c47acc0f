package simulate

import (
	"net/netip"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// readClient finds out who the client is: the peer of the connection, or whom X-Forwarded-For names where the connection manager trusts it
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-for).
func (w *walk) readClient(m *hcmv3.HttpConnectionManager) {
	w.request.client = w.connection.source
	var forwarded []string
	for header, value := range w.call.Headers {
		if strings.EqualFold(header, "x-forwarded-for") {
			forwarded = strings.Split(value, ",")
		}
	}
	// The peer's own address is not in the header yet: with it trusted, one hop less is.
	hops := int(m.GetXffNumTrustedHops())
	if m.GetUseRemoteAddress().GetValue() {
		hops--
	}
	if at := len(forwarded) - 1 - hops; hops >= 0 && at >= 0 {
		if ip, err := netip.ParseAddr(strings.TrimSpace(forwarded[at])); err == nil {
			w.request.client = ip.Unmap()
		}
	}
}

// client is the address of who calls: of a request what readClient found, of a connection its peer's.
func (w *walk) client() netip.Addr {
	if w.request == nil {
		return w.connection.source
	}
	return w.request.client
}

// metadata is what filters have left for the request.
func (w *walk) metadata() map[string]*structpb.Struct {
	if w.request == nil {
		return nil
	}
	return w.request.metadata
}
