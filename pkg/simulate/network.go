package simulate

import (
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	snicluster "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_cluster/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// networkFilters runs the network filters of the chain in order, up to the one that ends the connection.
func (w *walk) networkFilters(chain *listenerv3.FilterChain) {
	cluster := ""
	for _, f := range chain.GetFilters() {
		switch config := w.sim.unpack(f.GetTypedConfig()).(type) {
		case *snicluster.SniCluster:
			cluster = w.connection.serverName
			w.step(StageFilter, by(f), "the cluster is the one that the server name names")
		case *tcpv3.TcpProxy:
			w.tcpProxy(f, config, cluster)
			return
		case *hcmv3.HttpConnectionManager:
			w.connectionManager(f, config)
			return
		default:
			if !w.authorizeConnection(f, config) {
				return
			}
		}
	}
	w.step(StageFilter, by(chain), "no filter of the chain sends the connection anywhere")
}

// tcpProxy ends the walk at a cluster, or at one of several by weight.
func (w *walk) tcpProxy(f *listenerv3.Filter, config *tcpv3.TcpProxy, chosen string) {
	if chosen == "" {
		chosen = config.GetCluster()
	}
	if weighted := config.GetWeightedClusters().GetClusters(); chosen == "" && len(weighted) > 0 {
		for _, c := range weighted {
			w.out.Clusters = append(w.out.Clusters, WeightedCluster{Name: c.GetName(), Weight: c.GetWeight()})
		}
		w.step(StageCluster, by(f, config), "the TCP proxy shares connections among %s", describeClusters(w.out.Clusters))
		return
	}
	w.out.Cluster = chosen
	w.step(StageCluster, by(f, config, w.sim.clusters[chosen]), "the TCP proxy connects to %s%s", chosen, w.sim.missing(chosen))
}

// connectionManager reads HTTP from the connection and routes the request.
func (w *walk) connectionManager(f *listenerv3.Filter, m *hcmv3.HttpConnectionManager) {
	refuse := func(why string) {
		w.step(StageFilter, by(f, m), "%s", why)
		w.fail(ProtocolError)
	}
	switch {
	case w.call.TLS != Plaintext && !w.connection.decrypted:
		refuse("the filter chain reads HTTP and the connection is still encrypted")
		return
	case w.call.Protocol == TCP:
		refuse("the filter chain reads HTTP and the client speaks something else")
		return
	case w.call.Protocol == HTTP2 && m.GetCodecType() == hcmv3.HttpConnectionManager_HTTP1:
		refuse("the filter chain reads HTTP/1 only")
		return
	case w.call.Protocol == HTTP && m.GetCodecType() == hcmv3.HttpConnectionManager_HTTP2:
		refuse("the filter chain reads HTTP/2 only")
		return
	case w.call.Protocol == HTTP && w.connection.negotiated == "h2", w.call.Protocol == HTTP2 && strings.HasPrefix(w.connection.negotiated, "http/1"):
		refuse("the client speaks another protocol than the handshake agreed on, " + w.connection.negotiated)
		return
	}
	w.out.RouteConfig = routeConfigName(m)
	if !w.readRequest(m) || !w.httpFilters(m) {
		return
	}
	w.route(m)
}

func routeConfigName(m *hcmv3.HttpConnectionManager) string {
	if inline := m.GetRouteConfig(); inline != nil {
		return inline.GetName()
	}
	return m.GetRds().GetRouteConfigName()
}
